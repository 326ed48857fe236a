"""Muon (Jordan et al., 2024) for kernels of convolutions: steps whose matrix is orthogonal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch.nn import Parameter

MOMENTUM = 0.95
DECAY = 0.01
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Of the iteration that drives all singular values to about 1, by Jordan et al."""
ITERATIONS = 5
RMS = 0.2
"""Size of a step's numbers in units of the learning rate: that of AdamW's, as Liu et al. (2025) found."""


class Muon(torch.optim.Optimizer):
    """PyTorch's own takes matrices only; here a kernel is one, (outputs, inputs and places)."""

    def __init__(self, kernels: Iterable[Parameter], lr: float) -> None:
        super().__init__(kernels, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients that are there."""
        assert closure is None
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                state = self.state[kernel]
                if not state:
                    state["momentum"] = torch.zeros_like(kernel)
                momentum: Tensor = state["momentum"]
                momentum.lerp_(kernel.grad, 1 - MOMENTUM)
                ahead = kernel.grad.lerp(momentum, MOMENTUM).flatten(1)
                step = orthogonal(ahead).mul_(RMS * max(ahead.shape) ** 0.5).reshape(kernel.shape)
                kernel.mul_(1 - group["lr"] * DECAY).add_(step, alpha=-group["lr"])


def orthogonal(matrix: Tensor) -> Tensor:
    """(m, n) → the matrix with the same singular vectors whose singular values are about 1, by Newton and Schulz."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)
