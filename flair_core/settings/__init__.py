"""Every setting of a restoration, the look that varies them over a clip, and projects."""

from flair_core.settings.groups import (
    DegradationSettings,
    FaceSettings,
    FootageSettings,
    RestorationSettings,
    SamplerSettings,
)
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions

__all__ = [
    "DegradationSettings",
    "FaceSettings",
    "FootageSettings",
    "Look",
    "OutputOptions",
    "RestorationSettings",
    "SamplerSettings",
]
