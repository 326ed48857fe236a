"""What do K and ρ do?  python examples/compare_samplers.py: PSNR against the truth, for a face made 8 times smaller."""

import cv2
import torch
from skimage.data import astronaut

import flair_core as flair
from flair_core.frames import to_float
from flair_core.settings import DegradationSettings, FaceSettings, RestorationSettings, SamplerSettings


def psnr(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Of images in [-1, 1], in dB."""
    return float(-10 * ((found - truth) / 2).square().mean().log10())


def main() -> None:
    """One line for each sampler."""
    x = to_float(cv2.resize(astronaut()[0:180, 130:310], (256, 256), interpolation=cv2.INTER_AREA))[None]
    degradation = DegradationSettings(scale=8)
    y = flair.degradations.degrade(x, degradation, torch.Generator().manual_seed(0))
    print(f"bicubic      {psnr(flair.degradations.upscale(y, (256, 256)), x):.2f} dB")
    for steps in (1, 4, 10):
        for rho in (0.0, 1.0):
            sampler = SamplerSettings(steps=steps, rho=rho, w_tau=0)
            settings = RestorationSettings(
                degradation=degradation, sampler=sampler, faces=FaceSettings(aligned=True)
            )
            *_, last = flair.restore_window(y, settings, flair.load_models(settings, "cpu"))
            print(f"K {steps:2}, ρ {rho:.1f}  {psnr(last.x0, x):.2f} dB")


if __name__ == "__main__":
    main()
