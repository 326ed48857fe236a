"""Damaged videos: each must be read as far as it goes, or refused in a sentence. One JSON line.

    python -m benchmarks.corruption --count 500

Counts the files that were read, were refused, crashed the process, hung, or raised another error.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from flair_core import video
from flair_core.errors import MediaError
from flair_core.settings.groups import FootageSettings
from flair_core.settings.output import OutputOptions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from clips import BESIDE, KINDS, make, picture

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PATIENCE = 10
"""Seconds that a file may take."""
MEMORY = 4 << 30
"""Bytes of address space that a reader may use."""


STILLS = (".png", ".jpg", ".tiff", ".webp", ".bmp", ".dpx", ".exr")


def still(path: Path) -> Path:
    """An image; of 16 bits where the format has them."""
    if path.suffix in (".dpx", ".exr"):
        codec, pixels = (path.suffix[1:], "gbrp10le" if path.suffix == ".dpx" else "gbrpf32le")
        context = av.CodecContext.create(codec, "w")
        context.width, context.height, context.pix_fmt, context.time_base = 64, 64, pixels, Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(picture(5), "rgb24").reformat(format=pixels)
        path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
        return path
    deep = path.suffix in (".png", ".tiff")
    cv2.imwrite(str(path), picture(5).astype(np.uint16) * 257 if deep else picture(5))
    return path


def damaged(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """One way to spoil a file, and the result."""
    size = len(data)
    spoiled = np.frombuffer(data, np.uint8).copy()
    at = int(rng.integers(size))
    match kind := str(rng.choice(["cut", "flip", "flip many", "blank", "field", "head", "repeat"])):
        case "cut":
            spoiled = spoiled[:at]
        case "flip" | "flip many":
            places = rng.integers(size, size=1 if kind == "flip" else max(size // 500, 2))
            spoiled[places] ^= (1 << rng.integers(8, size=len(places))).astype(np.uint8)
        case "blank":
            spoiled[at : at + int(rng.integers(1, size // 4 + 2))] = rng.choice([0, 255])
        case "field":  # an absurd number in the middle of the structure
            spoiled[at : at + 4] = np.frombuffer(
                rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]), np.uint8
            )[: len(spoiled[at : at + 4])]
        case "head":
            at = int(rng.integers(min(size, 400)))
            spoiled[at : at + 4] = rng.integers(256, size=len(spoiled[at : at + 4]))
        case "repeat":
            spoiled = np.concatenate([spoiled[:at], spoiled[int(rng.integers(size)) :]])
    return kind, spoiled.tobytes()


def read_all(path: Path, *, deinterlace: bool = False) -> str:
    """Use a file in every way that the program does; "read", "refused", or what else went wrong."""
    try:
        with video.open_source(path, FootageSettings(deinterlace=deinterlace)) as source:
            length = len(source)
            for frame in source.frames():
                assert frame.rgb.shape == (source.info.height, source.info.width, 3)
            for index in (length // 2, 0, length - 1):
                source[index]
            list(source.thumbnails(range(0, length, max(length // 5, 1)), 32))
            assert all(isinstance(note, str) for note in source.notes)
            for suffix in (".mkv", ".mp4"):
                copy(source, path.with_name(f"copy{suffix}"))
    except MediaError:
        return "refused"
    except Exception as error:
        return f"error: {type(error).__name__}: {error}"
    return "read"


def copy(source: video.FrameSource, target: Path) -> None:
    """Write some of the pictures, with all that lies beside them: what can be read must be possible to write."""
    info = source.info
    try:
        with video.open_sink(
            target,
            like=info,
            width=info.width,
            height=info.height,
            copy_from=source.path,
            options=OutputOptions(codec="ffv1"),
        ) as sink:
            for frame in source.frames(0, 3):
                sink.write(frame)
            sink.commit()
    except MediaError as error:
        raise RuntimeError(f"read, but not written: {error}") from None


def _worker(tasks: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while (task := tasks.recv()) is not None:
        tasks.send(read_all(task[0], deinterlace=task[1]))


class Reader:
    """A process that reads files, and is replaced when it dies or hangs."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._tasks, theirs = context.Pipe()
        self._process = context.Process(target=_worker, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._fresh = True

    def read(self, path: Path, *, deinterlace: bool) -> str:
        """Outcome of one file."""
        self._tasks.send((path, deinterlace))
        patience, self._fresh = PATIENCE + 20 * self._fresh, False  # a new process has to import first
        try:
            if self._tasks.poll(patience):
                return str(self._tasks.recv())
            outcome = "hung"
        except EOFError:
            outcome = "crashed"
        self._process.kill()
        self._process.join()
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        self._tasks.send(None)
        self._process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that did harm")
    arguments = parser.parse_args()
    counts = dict.fromkeys(("read", "refused", "crashed", "hung", "error"), 0)
    slowest, reader = 0.0, Reader()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        originals = {
            kind: make(folder / f"{i}{clip.suffix}", replace(clip, **BESIDE.get(clip.suffix, {})))
            for i, (kind, clip) in enumerate(KINDS.items())
        }
        originals |= {f"image {suffix}": still(folder / f"still{suffix}") for suffix in STILLS}
        kinds = list(originals)
        for number in range(arguments.count):
            rng = np.random.default_rng((arguments.seed, number))
            kind = kinds[number % len(kinds)]
            how, data = damaged(originals[kind].read_bytes(), rng)
            path = folder / f"damaged{originals[kind].suffix}"
            path.write_bytes(data)
            start = time.perf_counter()
            outcome = reader.read(path, deinterlace="interlaced" in kind)
            slowest = max(slowest, time.perf_counter() - start) if number else 0.0
            counts[outcome.split(":")[0]] += 1
            if outcome not in ("read", "refused"):
                print(f"{number}: {kind}, {how}: {outcome}", file=sys.stderr)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{number}{path.suffix}").write_bytes(data)
        reader.close()
    print(json.dumps({"files": arguments.count, **counts, "slowest_seconds": round(slowest, 2)}))


if __name__ == "__main__":
    main()
