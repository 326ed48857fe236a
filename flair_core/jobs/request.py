"""What a job is asked to do, as a value that the list of jobs keeps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from flair_core.settings.drawn import (
    DrawnFace,
    Stroke,
)
from flair_core.settings.look import Look
from flair_core.settings.output import AS_USUAL, OutputOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a job is to do."""

    source: Path
    output: Path
    look: Look
    span: range | None = None
    """Frames to restore; None for all."""
    encoding: OutputOptions = AS_USUAL
    with_streams: bool = True
    """Whether the source's sound, subtitles and chapters are taken along."""
    burn_in: bool = False
    """Whether the settings are written into the picture."""
    credentials: bool = False
    """Whether the output itself says that faces were restored, and how."""
    device: str = "auto"
    cluster: str = ""
    """HOST:PORT of the Ray cluster whose nodes restore; empty for this machine alone."""
    sidecar: bool = True
    """Whether the record of how the output was made is written beside it."""
    matte: Path | None = None
    """Where to write a video that is white where pixels were generated."""
    searched: range | None = None
    """Frames to look for faces in, so that they are those that were seen there; None for those to restore."""
    left_out: frozenset[int] = frozenset()
    """Numbers of found faces that stay as they are."""
    drawn: tuple[DrawnFace, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    """Of the brush, over the masks of faces."""
    fps_factor: int = 1
    """How many times the frames a second; the new ones are made after the restoration."""
    interpolator: str = "flow"
    """What makes them."""
    notes: tuple[str, ...] = ()
    """What was found out before, a sentence each, for the record."""

    def to_json(self) -> str:
        """The request as it is stored."""
        data = {
            "source": str(self.source),
            "output": str(self.output),
            "settings": self.look.to_dict(),
            "span": _ends(self.span),
            "searched": _ends(self.searched),
            **asdict(self.encoding),
            "with_streams": self.with_streams,
            "burn_in": self.burn_in,
            "credentials": self.credentials,
            "device": self.device,
            "cluster": self.cluster,
            "sidecar": self.sidecar,
            "matte": None if self.matte is None else str(self.matte),
            "left_out": sorted(self.left_out),
            "drawn": self.drawn,
            "strokes": [stroke._asdict() for stroke in self.strokes],
            "fps_factor": self.fps_factor,
            "interpolator": self.interpolator,
            "notes": self.notes,
        }
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Read what `to_json` made. Raises SettingsError when the settings are those of another version."""
        data = json.loads(text)
        return cls(
            source=Path(data["source"]),
            output=Path(data["output"]),
            look=Look.from_dict(data["settings"]),
            span=None if data["span"] is None else range(*data["span"]),
            searched=None if data["searched"] is None else range(*data["searched"]),
            encoding=OutputOptions(
                **{field.name: data[field.name] for field in fields(OutputOptions) if field.name in data}
            ),
            with_streams=data.get("with_streams", data.get("beside", True)),  # its name in older jobs
            burn_in=data.get("burn_in", False),
            credentials=data.get("credentials", False),
            device=data["device"],
            cluster=data.get("cluster", ""),
            sidecar=data["sidecar"],
            matte=None if data["matte"] is None else Path(data["matte"]),
            left_out=frozenset(data["left_out"]),
            drawn=tuple(DrawnFace(tuple(box), first, last) for box, first, last in data["drawn"]),
            strokes=tuple(map(Stroke.from_dict, data.get("strokes", ()))),
            fps_factor=data.get("fps_factor", 1),  # jobs of an older program have none
            interpolator=data.get("interpolator", "flow"),
            notes=tuple(data.get("notes", ())),
        )


def _ends(frames: range | None) -> list[int] | None:
    return None if frames is None else [frames.start, frames.stop]
