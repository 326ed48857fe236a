"""How a restored clip is stored."""

from __future__ import annotations

from dataclasses import dataclass

from flair_core.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """How frames are to be encoded; each None leaves the choice to the file's name and the source.

    Example:
        >>> OutputOptions(codec="ffv1").quality is None
        True
    """

    codec: str | None = None
    """A key of `flair_core.video.CODECS`, "lossless" (FFV1 in RGB, or PNGs), "png"; None: what suits the suffix."""
    quality: int | None = None
    """The encoder's constant-quality number, smaller is better."""
    bits: int | None = None
    """8, 10 or 16; None for as many as the source has, at most 10 where the codec is lossy."""
    hardware: bool = False
    """Whether a graphics card may encode."""

    def __post_init__(self) -> None:
        for name, kind in (("codec", str), ("quality", int), ("bits", int), ("hardware", bool)):
            value = getattr(self, name)
            if value is not None and type(value) is not kind:
                raise SettingsError(f"{name} must be of type {kind.__name__}, but got {value!r}.")


AS_USUAL = OutputOptions()
"""What suits the name of the file."""
