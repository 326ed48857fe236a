"""The image stage: θ of the compact network, eq. (6) on single faces."""

from __future__ import annotations

import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from flair_core.denoisers.compact import CompactConfig, CompactNetwork, Guess, fast_dtype, metadata
from flair_core.errors import WeightsError
from flair_core.schedule import NoiseSchedule
from flair_core.training.data import load_faces
from flair_core.training.synthesis import draw_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTraining:
    """One run of the image stage; everything that its numbers depend on."""

    data: Path
    """Folder with shards and index.csv."""
    out: Path
    """Folder of the run: checkpoint.pt, log.csv, weights.safetensors."""
    sources: tuple[str, ...] | None = None
    steps: int = 20_000
    """The learning rate reaches zero here; a finished run goes on when this is raised."""
    cooldown: float = 0.2
    """Share of the steps over which the learning rate falls to zero."""
    batch: int = 16
    group: int = 4
    """Crops that share one degradation."""
    crop: int = 128
    learning_rate: float = 4e-4
    ema: float = 0.999
    seed: int = 0
    init: Path | None = None
    """Start from these weights when the run is new."""
    max_minutes: float | None = None
    save_minutes: float = 5
    save_steps: int = 2000

    def rate_factor(self, step: int) -> float:
        """Learning rate at a step relative to its peak: warm-up, constant, linear fall to zero."""
        left = (self.steps - step) / max(1.0, self.cooldown * self.steps)
        return min(1.0, (step + 1) / 200, max(0.0, left))


@dataclass(frozen=True, slots=True)
class Logged:
    """What one step tells."""

    step: int
    loss: float
    seconds: float
    """Since this process began."""


def loss_of(
    network: torch.nn.Module, schedule: NoiseSchedule, batch: tuple[Tensor, ...], noise: Tensor, t: Tensor
) -> Tensor:
    """‖F − F*‖² where x0 = m + √w·F* (see flair_core.denoisers.compact), plus the likelihood that fits s_c².

    batch: x0, c (N, 3, H, W) and descriptions (N, FEATURES); noise like x0; t: (N,) steps of the chain.
    """
    x0, c, description = batch
    alpha_bar = schedule.alpha_bar.to(x0.device)[t].float()[:, None, None, None]
    sigma = (1 / alpha_bar - 1).sqrt()
    guess: Guess = network(c, x0 + sigma * noise, sigma.flatten(), description)
    error = (c - x0).square().mean((1, 2, 3), keepdim=True)
    fit = 0.5 * (error * (-guess.log_variance).exp() + guess.log_variance).mean()
    return (guess.f - (x0 - guess.mean) / guess.std).square().mean() + 0.05 * fit


def train(run: ImageTraining, config: CompactConfig | None = None) -> Iterator[Logged]:
    """Train until `steps` or `max_minutes`, resuming what `out` holds; yields after every step.

    Batches depend on (seed, step, process) only, so an interrupted run continues with the very losses that it would
    have had. Checkpoints are published atomically. Raises WeightsError when `out` holds a run of another shape.
    """
    config = config or CompactConfig()
    begun = saved = time.monotonic()
    accelerator = Accelerator()
    torch.manual_seed(run.seed)
    network = CompactNetwork(config)
    if run.init:
        network.load_state_dict({k: v.float() for k, v in load_file(run.init).items()})
    schedule = NoiseSchedule.log_spaced(config.chain, config.sigma_min, config.sigma_max)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=run.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
    )
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    step = _resume(run, config, network, optimizer, average)
    network.to(memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(network, optimizer)
    average = {k: v.to(accelerator.device) for k, v in average.items()}
    dtype = fast_dtype(accelerator.device)
    faces = load_faces(run.data, run.sources)
    model.train()
    while step < run.steps:
        rng = np.random.default_rng((run.seed, step, accelerator.process_index))
        batch, noise, t = _draw(run, config, faces, rng, accelerator.device)
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate * run.rate_factor(step)
        with torch.autocast(accelerator.device.type, dtype, enabled=dtype != torch.float32):
            loss = loss_of(model, schedule, batch, noise, t)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        _follow(average, accelerator.unwrap_model(model).state_dict(), min(run.ema, step / (step + 10)))
        now = time.monotonic()
        stop = run.max_minutes is not None and now - begun > 60 * run.max_minutes
        due = now - saved > 60 * run.save_minutes or step % run.save_steps == 0
        if accelerator.is_main_process and (stop or due or step == run.steps):
            _save(run, config, step, accelerator.unwrap_model(model), optimizer, average)
            saved = now
        yield Logged(step, float(loss.detach()), now - begun)
        if stop:
            return


def _draw(
    run: ImageTraining,
    config: CompactConfig,
    faces: NDArray[np.uint8],
    rng: np.random.Generator,
    device: torch.device,
) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    batch = draw_batch(faces, run.batch, run.group, run.crop, rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    noise = torch.randn(batch[0].shape, generator=generator)
    t = torch.randint(config.chain, (run.batch,), generator=generator)
    return tuple(part.to(device) for part in batch), noise.to(device), t.to(device)


@torch.no_grad()
def _follow(average: dict[str, Tensor], state: dict[str, Tensor], decay: float) -> None:
    torch._foreach_lerp_(list(average.values()), [state[key] for key in average], 1 - decay)


def _resume(
    run: ImageTraining,
    config: CompactConfig,
    network: CompactNetwork,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
) -> int:
    path = run.out / "checkpoint.pt"
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    if saved["config"] != _plain(config):
        raise WeightsError(
            f"{path} belongs to a network of another shape. Choose another folder for this run."
        )
    network.load_state_dict(saved["network"])
    optimizer.load_state_dict(saved["optimizer"])
    average.update(saved["average"])
    return int(saved["step"])


def _save(
    run: ImageTraining,
    config: CompactConfig,
    step: int,
    network: CompactNetwork,
    optimizer: Any,
    average: dict[str, Tensor],
) -> None:
    run.out.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "config": _plain(config),
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average,
    }
    partial = run.out / "checkpoint.partial"
    torch.save(state, partial)
    partial.replace(run.out / "checkpoint.pt")
    export(average, config, run.out / "weights.safetensors")


def export(average: dict[str, Tensor], config: CompactConfig, path: Path) -> None:
    """Write averaged weights in half precision, the form in which a model ships."""
    partial = path.with_suffix(".partial")
    halves = {key: value.detach().cpu().half().contiguous() for key, value in average.items()}
    save_file(halves, partial, metadata(config))
    partial.replace(path)


def _plain(config: CompactConfig) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config).items()}


class Log:
    """log.csv of a run: one line for every `every` steps, with the mean loss over them; appended to on resume."""

    def __init__(self, path: Path, every: int = 50) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._every, self._losses = path, every, list[float]()

    def add(self, logged: Logged) -> float | None:
        """The mean loss when a line was written."""
        self._losses.append(logged.loss)
        if len(self._losses) < self._every:
            return None
        mean = sum(self._losses) / len(self._losses)
        self._losses.clear()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow((logged.step, f"{mean:.6f}", f"{logged.seconds:.1f}"))
        return mean
