"""What the compact network should predict: the same small network, batches and noise in several parametrisations.

    python -m benchmarks.parametrisations ../shared/data/faces_train ../shared/data/faces_val

Each learns for as many steps; then the sampler restores faces that it never saw. One JSON line for each: PSNR in dB
over bicubic upsampling, and the energy above a 5×5 mean where faces have most and least of it, by task and K.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.quality import SIDE, TASKS, observe, restore
from flair_core.degradations import upscale
from flair_core.denoisers.compact import Compact, CompactConfig, CompactNetwork, Guess, channels_last, share
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers.base import Unchanged
from flair_core.frames import to_uint8
from flair_core.metrics.fidelity import fine_detail, psnr
from flair_core.restoration.models import Models
from flair_core.settings.groups import FaceSettings, RestorationSettings, SamplerSettings
from flair_core.training.data import load_faces
from flair_core.training.image import ends, few_steps, loss_of, observed
from flair_core.training.synthesis import draw_batch

CPU = torch.device("cpu")
SMALL = CompactConfig(channels=(32, 64, 96, 128), blocks=(2, 2, 1, 1), embedding=128)
BATCH, GROUP, CROP, RATE = 16, 4, 64, 1e-3
Parametrisation = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def one_variance(c: Tensor, observed: Tensor, sigma: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """What the best combination of c and x_t misses, s_c² the same for all pixels."""
    best = share(variance, sigma)
    return c + (observed - c) * best, sigma * best.sqrt()


def clean(c: Tensor, observed: Tensor, sigma: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """x0 itself."""
    return torch.zeros_like(c), torch.ones_like(sigma)


def epsilon(c: Tensor, observed: Tensor, sigma: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """−ε: x0 = x_t/√ᾱ − σ ε."""
    return observed, sigma


def velocity(c: Tensor, observed: Tensor, sigma: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """−v: x0 = √ᾱ x_t − √(1 − ᾱ) v."""
    alpha_bar = 1 / (1 + sigma**2)
    return alpha_bar * observed, sigma * alpha_bar.sqrt()


WAYS: dict[str, Parametrisation | None] = {
    "ours": None,
    "one s_c²": one_variance,
    "x0": clean,
    "v": velocity,
    "eps": epsilon,
}


class Other(CompactNetwork):
    """The compact network whose F means something else: x0 = mean + std · F by another rule."""

    def __init__(self, way: Parametrisation) -> None:
        super().__init__(SMALL)
        self._way = way

    def forward(self, c: Tensor, observed: Tensor, sigma: Tensor, *told: object) -> Guess:
        """See CompactNetwork."""
        guess = super().forward(c, observed, sigma, *told)
        level = sigma[:, None, None, None]
        mean, std = self._way(c, observed, level, guess.log_variance.detach().exp())
        return guess._replace(mean=mean, std=std)


def trained(way: Parametrisation | None, faces: np.ndarray, steps: int) -> CompactNetwork:
    """A network that has learned for so many steps."""
    torch.manual_seed(0)
    network = CompactNetwork(SMALL) if way is None else Other(way)
    channels_last(network)
    schedule = NoiseSchedule.log_spaced(SMALL.chain, SMALL.sigma_min, SMALL.sigma_max)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.99), fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 20, 2 * (steps - step) / steps)
        batch = draw_batch(faces, [], BATCH, GROUP, CROP, np.random.default_rng((0, step)))
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn(batch[0].shape, generator=generator)
        t = few_steps(ends(network, schedule, batch[2]), SMALL.chain, generator)
        loss = loss_of(network, batch, observed(schedule, batch[0], batch[1], noise, t))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder of faces to learn from")
    parser.add_argument("unseen", type=Path, help="folder of faces to restore")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--count", type=int, default=12, help="faces restored")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=["x4", "x8"])
    arguments = parser.parse_args()
    faces, unseen = load_faces(arguments.faces), load_faces(arguments.unseen)[: arguments.count]
    for name, way in WAYS.items():
        network = trained(way, faces, arguments.steps)
        models = Models(Compact(network, CPU), Unchanged(), CPU)
        for task in arguments.task:
            for steps in (1, 4, 10):
                settings = RestorationSettings(
                    degradation=TASKS[task],
                    sampler=SamplerSettings(steps=steps),
                    faces=FaceSettings(aligned=True),
                )
                y = [observe(unseen, settings.degradation, 0)]
                (restored,) = restore(y, settings, models)
                detail, flat = np.mean([fine_detail(*pair) for pair in zip(restored, unseen, strict=True)], 0)
                gain = psnr(restored, unseen) - psnr(to_uint8(upscale(y[0], (SIDE, SIDE))), unseen)
                row = {"gain": gain, "detail": detail, "flat": flat}
                row = {key: round(float(value), 3) for key, value in row.items()}
                print(json.dumps({"predicts": name, "task": task, "steps": steps, **row}), flush=True)


if __name__ == "__main__":
    main()
