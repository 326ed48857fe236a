"""Measure the power spectrum of clean faces and write it where `flair estimate` looks for it.

    python -m benchmarks.face_spectrum ../shared/data/faces_train ../shared/data/clips_train

Faces (256 pixels, tar shards with index.csv) and clips weigh the same: photographs are sharper than video frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import resources
from flair_core import video
from flair_core.degradations.jpeg import TO_YCBCR
from flair_core.estimation.spectrum import BANDS, PRIOR, SECTORS, SIDE, log_power
from flair_core.training.data import load_faces

FRAME = 5
"""Of each clip, the frame that is measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="folder of faces")
    parser.add_argument("clips", type=Path, help=f"folder of {SIDE}-pixel clips")
    parser.add_argument("--every", type=int, default=4, help="measure every n-th face")
    arguments = parser.parse_args()
    faces = spectra(load_faces(arguments.faces)[:: arguments.every])
    clips = spectra(first_frames(arguments.clips))
    mean, apart = (faces.mean(0) + clips.mean(0)) / 2, (faces.mean(0) - clips.mean(0)) / 2
    covariance = (np.cov(faces.T) + np.cov(clips.T)) / 2 + np.outer(apart, apart)
    path = Path(resources.__file__).parent / PRIOR
    np.savez_compressed(
        path,
        mean=mean.reshape(BANDS, SECTORS).astype(np.float32),
        covariance=covariance.astype(np.float16),
    )
    print(f"{path}: {len(faces)} faces, {len(clips)} clips")


def spectra(pictures) -> np.ndarray:
    """(n, cells) log power of pictures (256, 256, 3)."""
    return np.array([log_power([picture @ TO_YCBCR[0].numpy()])[0] for picture in pictures])


def first_frames(folder: Path) -> list[np.ndarray]:
    frames = []
    for path in sorted(folder.glob("*.mp4")):
        with video.open_source(path) as source:
            frames.append(source[min(FRAME, len(source) - 1)].rgb)
    return frames


if __name__ == "__main__":
    main()
