"""Restore a face whose middle rows were lost, by an operator A of one's own:  python examples/own_operator.py OUT.png.

All that the sampler needs of A is A x, A⁺ y and its scale: here both set the lost rows to 0 and keep the others.
"""

import sys

import cv2
import torch
from skimage.data import astronaut

import flair_core as flair
from flair_core.frames import to_float, to_uint8
from flair_core.settings import FaceSettings, RestorationSettings, SamplerSettings


class LostRows(flair.degradations.Degradation):
    """A x = x without some rows. A A⁺ A = A, as it must be."""

    scale = 1

    def __init__(self, rows: slice) -> None:
        self.rows = rows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) → the same shape, with 0 in the lost rows."""
        kept = x.clone()
        kept[..., self.rows, :] = 0
        return kept

    def pinv(self, y: torch.Tensor) -> torch.Tensor:
        """What is left lies where it belongs."""
        return self.forward(y)


def main(output: str) -> None:
    """Write the damaged face and the restored one side by side."""
    face = to_float(cv2.resize(astronaut()[0:180, 130:310], (256, 256), interpolation=cv2.INTER_AREA))[None]
    A = LostRows(slice(120, 126))
    y = A.forward(face)
    settings = RestorationSettings(
        sampler=SamplerSettings(steps=8, w_tau=0), faces=FaceSettings(aligned=True)
    )
    models = flair.load_models(settings, "cpu")
    for step in flair.restore_window(y, settings, models, A=A):
        print(f"step {step.step} of {step.steps}: |A x0 − y| = {step.residual.abs().mean():.2g}")
    both = torch.cat((y, step.x0), dim=-1)[0]
    cv2.imwrite(output, to_uint8(both)[..., ::-1])
    print(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
