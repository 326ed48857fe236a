"""`flair compare`: samplers side by side on a clean clip of aligned faces."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.cli import options
from flair_core.settings import FaceSettings, RestorationSettings, SamplerSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flair_core.experiments.compare import Result
    from flair_core.video import FrameSource

MULTIPLE = 16


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What to compare, and where to."""
    parser = commands.add_parser("compare", help="compare samplers on a clean clip: table, frames, video")
    parser.add_argument("input", type=Path, help="clean clip of one aligned face")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for the table, frames and videos"
    )
    parser.add_argument(
        "--samplers", default="bicubic,pinv,ddnm-noisy,ilvr,diffpir,sr3,flair", help="comma-separated"
    )
    parser.add_argument("--tasks", default="bicubic8,blur,jpeg", help="comma-separated")
    parser.add_argument(
        "--metrics", default="psnr,ssim,lpips,e_warp,residual", help="comma-separated, or all"
    )
    parser.add_argument("--range", metavar="A:B", default=":", help="frames, first and last included")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    options.add(parser, SamplerSettings)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Compare; prints the table, and writes it with the pictures."""
    import numpy as np  # noqa: PLC0415

    from flair_core import devices, video  # noqa: PLC0415
    from flair_core.experiments.compare import compare, table  # noqa: PLC0415
    from flair_core.faces.shots import as_uint8  # noqa: PLC0415
    from flair_core.metrics.suite import chosen  # noqa: PLC0415
    from flair_core.restore import load_models  # noqa: PLC0415

    settings = RestorationSettings(
        sampler=options.apply(SamplerSettings(), arguments), faces=FaceSettings(aligned=True)
    )
    names, metrics = arguments.samplers.split(","), chosen(arguments.metrics)
    models = load_models(settings, devices.pick(arguments.device))
    with video.open_source(arguments.input) as source:
        span = options.span(arguments.range, len(source))
        height, width = (extent // MULTIPLE * MULTIPLE for extent in (source.info.height, source.info.width))
        clean = np.stack(
            [as_uint8(frame.rgb)[:height, :width] for frame in source.frames(span.start, span.stop)]
        )
        arguments.output.mkdir(parents=True, exist_ok=True)
        results = []
        for task in arguments.tasks.split(","):
            rows = list(compare(clean, [task], names, metrics, settings, models))
            _pictures(arguments.output, source, clean, rows)
            results += rows
    text = table(results)
    (arguments.output / "table.md").write_text(text, encoding="utf-8")
    scores = [
        {"task": r.task, "sampler": r.sampler, "scores": dict(r.scores), "skipped": dict(r.skipped)}
        for r in results
    ]
    (arguments.output / "table.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(text)
    for name, reason in results[0].skipped.items():
        print(f"{name} was skipped: {reason}")


def _pictures(folder: Path, source: FrameSource, clean: NDArray[np.uint8], rows: list[Result]) -> None:
    """A video of all frames side by side, and the middle one as a picture."""
    from flair_core import video  # noqa: PLC0415
    from flair_core.experiments.compare import side_by_side  # noqa: PLC0415
    from flair_core.frames import Frame  # noqa: PLC0415
    from flair_core.video.images import write_png  # noqa: PLC0415

    wide = [side_by_side(clean, rows, index) for index in range(len(clean))]
    write_png(folder / f"{rows[0].task}.png", wide[len(wide) // 2])
    height, width = wide[0].shape[:2]
    path = folder / f"{rows[0].task}.mp4"
    with video.open_sink(path, like=source.info, width=width, height=height) as sink:
        frames = source.frames(0, len(wide))
        for frame, rgb in zip(frames, wide, strict=True):
            sink.write(Frame(rgb, frame.index, frame.pts, frame.duration))
        sink.commit()
