"""How much memory there is for windows and for frames side by side."""

from __future__ import annotations

import psutil
import torch


def free(device: torch.device) -> int:
    """Bytes that a device can give without others being pushed out."""
    if device.type == "cuda":
        available, _ = torch.cuda.mem_get_info(device)
        return available + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(psutil.virtual_memory().available)
