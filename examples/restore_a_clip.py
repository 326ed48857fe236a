"""Restore the faces of a clip:  python examples/restore_a_clip.py old.mp4 new.mp4  [first last]."""

import sys

import flair_core as flair


def main(source: str, output: str, *span: str) -> None:
    """Estimate what happened to the clip, and restore it with that."""
    frames = range(int(span[0]), int(span[1]) + 1) if span else None
    (shot, *_) = flair.estimate(source, frames=frames)
    print(f"scale {shot.settings.scale}, noise {255 * shot.settings.noise:.1f} levels")
    settings = flair.settings.RestorationSettings(degradation=shot.settings)
    flair.restore_clip(
        source,
        output,
        settings,
        frames=frames,
        progress=lambda step: print(f"{step.stage}: {step.done} of {step.total}", end="\r"),
    )
    print(f"\n{output}")


if __name__ == "__main__":
    main(*sys.argv[1:])
