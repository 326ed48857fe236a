"""Where a restored clip is written: its size and its sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core import video
from flair_core.frames import faster
from flair_core.restoration.compose import output_size
from flair_core.settings.output import AS_USUAL, OutputOptions

if TYPE_CHECKING:
    from pathlib import Path

    from flair_core.settings.groups import RestorationSettings
    from flair_core.video import FrameSink, FrameSource


def open_output(
    path: Path,
    source: FrameSource,
    settings: RestorationSettings,
    span: range,
    options: OutputOptions = AS_USUAL,
    *,
    with_streams: bool = True,
    fps_factor: int = 1,
    statement: str = "",
) -> FrameSink:
    """A sink for the restored clip, with the source's other tracks unless they are to stay away.

    fps_factor: how many times the frames a second it will get.
    statement: what the file says of how it was made.
    """
    width, height = output_size(source, settings)
    return video.open_sink(
        path,
        like=faster(source.info, fps_factor),
        width=width,
        height=height,
        options=options,
        source=source.path,
        copy_from=source.path if with_streams and source.path.is_file() else None,
        span=range(span.start * fps_factor, span.stop * fps_factor),
        statement=statement,
    )
