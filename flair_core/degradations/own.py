"""Operators of somebody's own: asked for what they promise before anything is built on them."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, cast

import torch

from flair_core.degradations.base import Degradation, Operator
from flair_core.errors import SettingsError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Corrected(Degradation):
    """An operator that knows A x, A⁺ y and its scale alone, with the correction that they make."""

    def __init__(self, A: Operator) -> None:
        self.scale, self._A = A.scale, A

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return self._A.forward(x)

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y."""
        return self._A.pinv(y)


def demanded(A: object, y: Tensor) -> Degradation:
    """A as an operator for y, (N, 3, h, w) in [-1, 1], which it is tried on.

    Raises SettingsError when it is none, and ShapeError when A⁺ y or A A⁺ y has another shape than it should.
    """
    kind = A.__name__ if isinstance(A, type) else type(A).__name__
    if isinstance(A, type):
        raise SettingsError(f"A must be an operator, but got the class {kind} itself. Make one: {kind}(…).")
    lacking = [name for name in ("forward", "pinv") if not callable(getattr(A, name, None))]
    lacking += [] if hasattr(A, "scale") else ["scale"]
    if lacking:
        raise SettingsError(
            f"A must have forward, pinv and scale, but {kind} lacks {', '.join(lacking)}. "
            "See examples/own_operator.py."
        )
    operator = cast("Operator", A)
    scale: object = operator.scale
    if not isinstance(scale, Integral) or isinstance(scale, bool) or scale < 1:
        raise SettingsError(f"The scale of A must be a whole number from 1 on, but {kind} has {scale!r}.")
    size = tuple(side * int(scale) for side in y.shape[-2:])
    x = _tried(f"{kind}.pinv", operator.pinv, y, (*y.shape[:2], *size))
    _tried(f"{kind}.forward", operator.forward, x, tuple(y.shape))
    return operator if isinstance(operator, Degradation) else Corrected(operator)


def _tried(name: str, call: Callable[[Tensor], Tensor], image: Tensor, wanted: tuple[int, ...]) -> Tensor:
    given = tuple(image.shape)
    try:
        made: object = call(image)
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise ShapeError(
            f"{name} can't take {given}, of which it should make {wanted} ({error}). "
            "Check the size that A is made for, and its scale."
        ) from error
    found = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
    if found == wanted and not cast("Tensor", made).is_floating_point():
        raise ShapeError(f"{name} must make a tensor of floats, but made {cast('Tensor', made).dtype}.")
    if found != wanted:
        raise ShapeError(
            f"{name} must make {wanted} of {given}, but made {found}. Check it, and the scale of A."
        )
    return cast("Tensor", made)
