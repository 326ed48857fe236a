"""Which processor does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flair_core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable


NAMES = ("auto", "all", "cpu", "cuda", "mps")


def pick(name: str | torch.device = "auto") -> torch.device:
    """The processor of that name, or the first of several. Raises DeviceError when it is absent."""
    return several(name)[0]


def named(device: str | torch.device) -> str:
    """A device by its name, as lists of jobs keep it. Raises DeviceError when it is none."""
    if isinstance(device, torch.device):
        # There is one processor and one MPS device; tensors call them cpu:0 and mps:0, too.
        return str(device) if device.type == "cuda" else str(device).removesuffix(":0")
    if not isinstance(device, str):
        raise DeviceError(f'A device must be a name such as "auto" or a torch.device, but got {device!r}.')
    return device


def several(names: str | torch.device = "auto") -> list[torch.device]:
    """The processors that a comma separates, like "cuda:0,cuda:1". Raises DeviceError when one is absent.

    `auto` takes CUDA, then MPS, then the CPU; `all` every CUDA device, or what `auto` takes where there is none.
    """
    names = named(names)
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    here = {"cuda": cards > 0, "mps": torch.backends.mps.is_available(), "cpu": True}
    if names == "all" and cards:
        return [torch.device("cuda", card) for card in range(cards)]
    if names in ("auto", "all"):
        return [torch.device(next(kind for kind, present in here.items() if present))]
    found = [_known(name.strip(), here, cards) for name in names.split(",")]
    places = [(device.type, device.index or 0) for device in found]
    if len(set(places)) < len(places):
        raise DeviceError(f"{names} names a device twice; each can do one thing at a time.")
    return found


def _known(name: str, here: dict[str, bool], cards: int) -> torch.device:
    kind, _, number = name.partition(":")
    if kind not in here or (number and not (kind == "cuda" and number.isdecimal())):
        choices = ", ".join(NAMES)
        raise DeviceError(
            f"There is no device {name!r}; choose one of {choices}, or cards by number: cuda:0,cuda:1."
        )
    if not here[kind]:
        present = ", ".join(kind for kind, there in here.items() if there)
        raise DeviceError(f"This computer offers PyTorch no {kind}, only {present}. Use the device auto.")
    if number and int(number) >= cards:
        raise DeviceError(f"There is no {name}: this computer has {cards}, from cuda:0 to cuda:{cards - 1}.")
    return torch.device(kind, int(number)) if number else torch.device(kind)


def describe(device: torch.device) -> str:
    """The processor and its arithmetic in a few words: "CPU · bf16"."""
    precision = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}[fast_dtype(device)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return f"{name} · {precision}"


def described(several: Iterable[str]) -> str:
    """What devices are together, each as `describe` has it: like ones count once, for they give the same bits."""
    return " + ".join(sorted(set(several)))


def fast_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the processor multiplies it natively, fp16 on other graphics chips, else fp32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return torch.bfloat16
    return torch.float32
