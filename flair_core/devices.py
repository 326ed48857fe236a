"""Which processor does the work."""

from __future__ import annotations

import torch

from flair_core.denoisers.compact import fast_dtype
from flair_core.errors import DeviceError

NAMES = ("auto", "cpu", "cuda", "mps")


def pick(name: str = "auto") -> torch.device:
    """The processor of that name; `auto` takes CUDA, then MPS, then the CPU. Raises DeviceError when it is absent."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in here.items() if present))
    if name not in here:
        raise DeviceError(f"There is no device {name!r}; choose one of {', '.join(NAMES)}.")
    if not here[name]:
        present = ", ".join(kind for kind, there in here.items() if there)
        raise DeviceError(f"This computer offers PyTorch no {name}, only {present}. Use --device auto.")
    return torch.device(name)


def describe(device: torch.device) -> str:
    """The processor and its arithmetic in a few words: "CPU · bf16"."""
    precision = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}[fast_dtype(device)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return f"{name} · {precision}"
