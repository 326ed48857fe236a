"""What the restoration of one clip needs, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flair_core.restoration.models import Load

if TYPE_CHECKING:
    from flair_core.faces.track import Track
    from flair_core.settings.groups import RestorationSettings
    from flair_core.settings.look import Look
    from flair_core.video import FrameSource


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A clip, the faces in it, the settings over its length, and the networks for each of these."""

    source: FrameSource
    tracks: Sequence[Track]
    """Faces to restore; none where frames are aligned faces."""
    look: Look
    load: Load

    @property
    def settings(self) -> RestorationSettings:
        """Those of the whole clip: what no shot or face may change."""
        return self.look.settings
