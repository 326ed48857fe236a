"""Muon (Jordan et al., 2024) for kernels of convolutions: steps whose matrix is orthogonal."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, cast

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor
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
            alike = defaultdict(list)
            for kernel in group["params"]:
                if kernel.grad is not None:
                    alike[kernel.shape].append(kernel)
            for kernels in alike.values():
                self._together(kernels, group["lr"])

    def _together(self, kernels: list[Tensor], lr: float) -> None:
        """One step of kernels of one shape: a graphics card would wait for so many small products."""
        for kernel in kernels:
            if not self.state[kernel]:
                self.state[kernel]["momentum"] = torch.zeros_like(kernel)
        gradients = [cast("Tensor", kernel.grad) for kernel in kernels]
        momenta = [self.state[kernel]["momentum"] for kernel in kernels]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch.stack(torch._foreach_lerp(gradients, momenta, MOMENTUM)).flatten(2)
        steps = orthogonal(ahead).mul_(-lr * RMS * max(ahead.shape[1:]) ** 0.5)
        torch._foreach_mul_(kernels, 1 - lr * DECAY)
        torch._foreach_add_(kernels, list(steps.reshape(-1, *kernels[0].shape)))


def orthogonal(matrices: Tensor) -> Tensor:
    """(B, m, n) → matrices with the same singular vectors, whose singular values are about 1, by Newton and Schulz."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)
