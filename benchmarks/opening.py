"""How soon a large or long clip shows its first frame and its first thumbnail: one JSON line for each clip.

    python -m benchmarks.opening

The clips are made on the spot: 4K, and two hours at 25 frames a second in a tiny picture.
"""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from app.main_window import MainWindow
from benchmarks import started
from benchmarks.heartbeat import Heartbeat, wait


def make(path: Path, width: int, height: int, frames: int, stretch: int) -> Path:
    """A drifting gradient: `stretch` frames are encoded, from one keyframe to the next, and their packets repeat."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "30", "g": str(stretch), "bf": "0"}
        stream.codec_context.time_base = Fraction(1, 25)
        x = np.linspace(0, 4 * np.pi, width)[None, :, None] + np.arange(3)
        packets = []
        for index in range(stretch):
            wave = np.broadcast_to(127 + 100 * np.sin(x + index / 20), (height, width, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(wave, format="rgb24")
            frame.pts = index
            packets += stream.encode(frame)
        packets += stream.encode(None)
        encoded = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for index in range(frames):
            data, key = encoded[index % stretch]
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = index
            packet.duration, packet.is_keyframe = 1, key
            container.mux(packet)
    return path


def measure(window: MainWindow, beat: Heartbeat, words: str, path: Path) -> None:
    """Open a clip and print how soon what is seen."""
    session, times = window.session, {}
    beat.clear()
    begun = time.perf_counter()
    window.files.open_path(path)
    for name, done in (
        ("first_frame_s", lambda: session.clip is not None and session.clip.path == path and shown(window)),
        ("first_thumbnail_s", lambda: window.timeline._thumbnails),
        ("eight_thumbnails_s", lambda: len(window.timeline._thumbnails) >= 8),
    ):
        wait(done)
        times[name] = round(time.perf_counter() - begun, 2)
    beat.report(words, frames=len(session.clip), **times)


def shown(window: MainWindow) -> bool:
    """Whether there is a picture."""
    return window.viewer._observed is not None


def main() -> None:
    with started.window() as (window, folder):
        ready = []
        window.worker.ready.connect(ready.append)
        clips = {
            "4K, 100 frames": make(folder / "large.mp4", 3840, 2160, 100, 10),
            "2 hours at 25 frames a second": make(folder / "long.mp4", 320, 180, 2 * 3600 * 25, 250),
        }
        window.show()
        wait(lambda: ready)
        beat = Heartbeat()
        for words, path in clips.items():
            measure(window, beat, words, path)


if __name__ == "__main__":
    main()
