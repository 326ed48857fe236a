"""The loop that the stages of training share: schedule, moving average, exact resume, log."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import threading
import time
from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset

from flair_core.denoisers.compact import channels_last
from flair_core.errors import WeightsError
from flair_core.runtime.devices import fast_dtype
from flair_core.runtime.files import replacing
from flair_core.training.muon import Muon
from flair_core.training.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.restoration.models import Models
    from flair_core.settings.groups import RestorationSettings


MUON = 2.5
"""Learning rate of Muon in units of AdamW's."""


def inner_kernels(network: torch.nn.Module, *outer: torch.nn.Module) -> list[torch.nn.Parameter]:
    """For Muon: kernels of all convolutions but the `outer` ones, which see or draw pixels."""
    left_out = {id(parameter) for module in outer for parameter in module.parameters()}
    return [one for one in network.parameters() if one.ndim == 4 and id(one) not in left_out]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run of any stage is told; everything that its numbers depend on."""

    out: Path
    """Folder of the run: checkpoint.pt, log.csv, weights.safetensors; validation.csv and contact sheets."""
    steps: int = 20_000
    """The learning rate reaches zero here; a finished run goes on when this is raised."""
    cooldown: float = 0.2
    """Share of the steps over which the learning rate falls to zero."""
    learning_rate: float = 4e-4
    betas: tuple[float, float] = (0.9, 0.99)
    """Of AdamW."""
    ema: float = 0.999
    seed: int = 0
    init: Path | None = None
    """Start from these weights when the run is new."""
    max_minutes: float | None = None
    validate: Path | None = None
    """Folder like that of the training pictures, measured at every checkpoint."""
    save_minutes: float = 5
    save_steps: int = 2000

    def rate_factor(self, step: int) -> float:
        """Learning rate at a step relative to its peak: warm-up, constant, linear fall to zero."""
        risen = (step + 1) / min(200.0, max(1.0, 0.1 * self.steps))
        left = (self.steps - step) / max(1.0, self.cooldown * self.steps)
        return min(1.0, risen, max(0.0, left))


class Stage(Protocol):
    """What a stage of training adds to the loop."""

    @property
    def network(self) -> torch.nn.Module:
        """With the weights to start from; those parameters are trained that require a gradient."""

    @property
    def kernels(self) -> Sequence[torch.nn.Parameter]:
        """Those of the parameters that Muon trains, kernels of convolutions; AdamW trains the others."""

    @property
    def shape(self) -> Mapping[str, Any]:
        """What says which checkpoints fit the network."""

    @property
    def settings(self) -> RestorationSettings:
        """Those that validation restores with."""

    @abstractmethod
    def load(self) -> None:
        """Read the data. Called once, before the first loss."""

    @abstractmethod
    def validation(self) -> Sequence[NDArray[np.uint8]]:
        """Windows (T, H, W, 3) from the folder `validate`."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """A batch that depends on `rng` only. Beside a graphics card, many processors draw at once.

        Its tensors come to `loss` on the device of training, its other parts as they are.
        """

    @abstractmethod
    def loss(self, model: torch.nn.Module, batch: Sequence[Any], generator: torch.Generator) -> Tensor:
        """The loss of `model`, which computes as `network` does; batch and generator are on its device."""

    @abstractmethod
    def models(self, state: Mapping[str, Tensor], device: torch.device) -> Models:
        """The networks that validation restores with, where the one in training has the parameters `state`."""

    @abstractmethod
    def export(self, state: Mapping[str, Tensor], path: Path) -> None:
        """Write the parameters as a model ships, see `write`."""


class Validator(Protocol):
    """What looks at a network in training at every checkpoint."""

    @abstractmethod
    def measure(self, models: Models, step: int) -> object:
        """Write figures, and pictures to look at, into the folder of the run."""


@runtime_checkable
class Adversarial(Protocol):
    """What a stage adds whose loss others learn to pass: critics, trained in turn with the network."""

    @property
    def critics(self) -> torch.nn.Module:
        """The networks that tell real from drawn."""

    @property
    def critics_rate(self) -> float:
        """Their learning rate in units of the network's."""

    @property
    def parts(self) -> Mapping[str, float]:
        """What the last step's losses were made of, for the log."""

    @abstractmethod
    def judge(self, critics: torch.nn.Module) -> Tensor:
        """The loss of `critics`, which computes as `self.critics` does, on what the last `loss` saw."""

    @abstractmethod
    def validator(self) -> Validator:
        """What takes the place of `Validation`."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """What else a run has to remember to go on exactly."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What one step tells."""

    step: int
    loss: float
    seconds: float
    """Since this process began."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What the loss was made of, where the stage says so."""


def fit(run: Run, stage: Stage) -> Iterator[Logged]:
    """Train until `steps` or `max_minutes`, resuming what `out` holds; yields after every step.

    Under accelerate's launcher each process takes a batch of its own, and the first one writes.

    Batches depend on (seed, step, process) only, so an interrupted run continues with the very losses that it would
    have had. Checkpoints are published atomically. An interrupt saves and stops; a second one stops at once.
    Raises WeightsError when `out` holds a run of another shape.
    """
    begun = saved = time.monotonic()
    accelerator = Accelerator()
    network, rival = stage.network, stage if isinstance(stage, Adversarial) else None
    optimizers = _optimizers(run, stage)
    average = {name: value.detach().clone() for name, value in _trained(network)}
    step = _resume(run, stage, optimizers, average)
    channels_last(network)
    model, *optimizers = accelerator.prepare(network, *optimizers)
    critics = None
    if rival:
        channels_last(rival.critics)
        critics = accelerator.prepare(rival.critics).train()
    average = {name: value.to(accelerator.device) for name, value in average.items()}
    dtype = fast_dtype(accelerator.device)
    stage.load()
    validation = _validator(run, stage)
    generator = torch.Generator(accelerator.device)
    model.train()
    with _interruptible() as interrupted:
        for batch in _batches(run, stage, step, accelerator):
            generator.manual_seed(_seed(run, step, accelerator.process_index))
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["peak"] * run.rate_factor(step)
            with torch.autocast(accelerator.device.type, dtype, enabled=dtype != torch.float32):
                on_device = [_moved(part, accelerator.device) for part in batch]
                loss = stage.loss(model, on_device, generator)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            if rival and critics is not None:
                with torch.autocast(accelerator.device.type, dtype, enabled=dtype != torch.float32):
                    judged = rival.judge(critics)
                accelerator.backward(judged)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            _follow(average, network, min(run.ema, step / (step + 10)))
            now = time.monotonic()
            late = run.max_minutes is not None and now - begun > 60 * run.max_minutes
            stop = _agreed(accelerator, late or interrupted.is_set())
            due = now - saved > 60 * run.save_minutes or step % run.save_steps == 0
            if accelerator.is_main_process and (stop or due or step == run.steps):
                _save(run, step, stage, optimizers, average)
                if validation and not interrupted.is_set():
                    validation.measure(stage.models(average, accelerator.device), step)
                saved = time.monotonic()
            yield Logged(step, float(loss.detach()), now - begun, rival.parts if rival else {})
            if stop:
                return


def _moved(part: Any, device: torch.device) -> Any:
    """Tensors go to the device of training."""
    return part.to(device, non_blocking=True) if isinstance(part, torch.Tensor) else part


def _validator(run: Run, stage: Stage) -> Validator | None:
    """What measures at checkpoints; None where no pictures are named for it."""
    if run.validate is None:
        return None
    if isinstance(stage, Adversarial):
        return stage.validator()
    return Validation(stage.validation(), stage.settings, run.out)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Set by the first interrupt (Ctrl+C) from within; the second one is what it always was.

    Only the main thread is told of them; in another one nothing changes.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def remember(_signal: int, _frame: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, remember)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


class _Draws(Dataset[tuple[Any, ...]]):
    """The batches of a run, by step."""

    def __init__(self, run: Run, stage: Stage, process: int) -> None:
        self._run, self._stage, self._process = run, stage, process

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        return self._stage.draw(np.random.default_rng((self._run.seed, step, self._process)))


def _batches(run: Run, stage: Stage, step: int, accelerator: Accelerator) -> DataLoader[tuple[Any, ...]]:
    """From `step` on: drawn ahead by other processes where a graphics card computes, else in between.

    They are forked, or they would need a copy of the data each.
    """
    cuda = accelerator.device.type == "cuda"
    forks = cuda and "fork" in multiprocessing.get_all_start_methods()
    workers = max(1, (os.cpu_count() or 1) // accelerator.num_processes - 1) if forks else 0
    return DataLoader(
        _Draws(run, stage, accelerator.process_index),
        batch_size=None,
        sampler=range(step, run.steps),
        num_workers=workers,
        pin_memory=cuda,
        worker_init_fn=_alone,
        multiprocessing_context="fork" if workers else None,
    )


def _alone(_worker: int) -> None:
    """A process that draws keeps to one thread."""
    cv2.setNumThreads(0)


def _seed(run: Run, step: int, process: int) -> int:
    """Of what a loss draws on its device."""
    return int(np.random.SeedSequence((run.seed, step, process)).generate_state(1, np.uint64)[0] >> 1)


def _optimizers(run: Run, stage: Stage) -> list[torch.optim.Optimizer]:
    """AdamW, Muon for the stage's `kernels`, and AdamW for critics; the highest rate of each is its groups' `peak`."""
    kernels = list(stage.kernels)
    taken = {id(kernel) for kernel in kernels}
    others = [value for _, value in _trained(stage.network) if id(value) not in taken]
    adam = torch.optim.AdamW(others, lr=run.learning_rate, betas=run.betas, weight_decay=0.01, fused=True)
    optimizers: list[torch.optim.Optimizer] = [adam]
    if kernels:
        optimizers.append(Muon(kernels, MUON * run.learning_rate))
    if isinstance(stage, Adversarial):
        judges, rate = stage.critics.parameters(), stage.critics_rate * run.learning_rate
        optimizers.append(torch.optim.AdamW(judges, lr=rate, betas=run.betas, weight_decay=0.01, fused=True))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def is_main() -> bool:
    """Whether this is the process that writes, or the only one."""
    return bool(
        Accelerator().is_main_process
    )  # PartialState would not see that a launcher asks for the processor


def _agreed(accelerator: Accelerator, stop: bool) -> bool:
    """What the main process decides: clocks differ, and who goes on alone waits for ever."""
    if accelerator.num_processes == 1:
        return stop
    told = [stop]
    broadcast_object_list(told)
    return told[0]


def _trained(network: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, value) for name, value in network.named_parameters() if value.requires_grad)


@torch.no_grad()
def _follow(average: dict[str, Tensor], network: torch.nn.Module, decay: float) -> None:
    state = dict(_trained(network))
    torch._foreach_lerp_(list(average.values()), [state[name] for name in average], 1 - decay)


def _resume(
    run: Run, stage: Stage, optimizers: Sequence[torch.optim.Optimizer], average: dict[str, Tensor]
) -> int:
    path = run.out / "checkpoint.pt"
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    if saved["shape"] != stage.shape or saved["average"].keys() != average.keys():
        raise WeightsError(
            f"{path} belongs to a network of another shape. Choose another folder for this run."
        )
    stage.network.load_state_dict(saved["network"])
    for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
        peaks = [group["peak"] for group in optimizer.param_groups]
        optimizer.load_state_dict(state)
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["peak"] = peak  # a run goes on with what it is told now
    if isinstance(stage, Adversarial):
        stage.critics.load_state_dict(saved["critics"])
        stage.load_state_dict(saved["stage"])
    average.update(saved["average"])
    return int(saved["step"])


def _save(run: Run, step: int, stage: Stage, optimizers: Sequence[Any], average: dict[str, Tensor]) -> None:
    run.out.mkdir(parents=True, exist_ok=True)
    network = stage.network.state_dict()
    state = {
        "step": step,
        "shape": stage.shape,
        "network": network,
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "average": average,
    }
    if isinstance(stage, Adversarial):
        state |= {"critics": stage.critics.state_dict(), "stage": stage.state_dict()}
    with replacing(run.out / "checkpoint.pt") as partial:
        torch.save(state, partial)
    stage.export(network | average, run.out / "weights.safetensors")


def write(state: Mapping[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    """Write weights in half precision, the form in which a model ships."""
    halves = {key: value.detach().cpu().half().contiguous() for key, value in state.items()}
    with replacing(path) as partial:
        save_file(halves, partial, metadata)


class Log:
    """log.csv of a run: one line for every `every` steps, with the mean loss over them; appended to on resume.

    A stage that says what its loss is made of has a heading, and a column for the mean of each part.
    """

    def __init__(self, path: Path, every: int = 50) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._every, self._steps = path, every, list[Logged]()

    def add(self, logged: Logged) -> float | None:
        """The mean loss when a line was written."""
        self._steps.append(logged)
        if len(self._steps) < self._every:
            return None
        mean = float(np.mean([one.loss for one in self._steps]))
        parts = {name: float(np.mean([one.parts[name] for one in self._steps])) for name in logged.parts}
        self._steps.clear()
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new and parts:
                writer.writerow(("step", "loss", "seconds", *parts))
            numbers = (f"{value:.5g}" for value in parts.values())
            writer.writerow((logged.step, f"{mean:.6f}", f"{logged.seconds:.1f}", *numbers))
        return mean
