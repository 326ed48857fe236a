"""What a setting is made of: its limits, its words, and the check against both."""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from flair_core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


EIGHT_BIT = 255.0


@dataclass(frozen=True, slots=True)
class Range:
    """Closed interval [low, high] of a number, and the `step` of its slider; `shown` scales it for display."""

    low: float
    high: float
    step: float = 1
    shown: float = 1
    """Multiply by this for people: σ_e is kept on the [0, 1] image scale and shown in 8-bit units."""
    none: str = "off"
    """What no value is called, where a setting may have none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The values that a setting may take."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Factors in [0, 1] from the first executed step to the last, as "1, 0.5, 0": evenly spaced, joined by lines.

    An empty text leaves the shape to the policy. `linear` is the straight line that people try first; `last`, where
    it makes sense, leaves all to the last step.
    """

    linear: str
    last: str | None = None

    def factors(self, text: str) -> tuple[float, ...]:
        """The numbers in a text. Raises ValueError."""
        found = tuple(float(part) for part in text.split(",")) if text else ()
        if not all(0 <= factor <= 1 for factor in found):
            raise ValueError(text)
        return found


@dataclass(frozen=True, slots=True)
class Help:
    """How a setting is called on screen, its symbol in the paper, and what it does in an editor's words."""

    label: str
    symbol: str
    text: str


Effect = Literal["frames", "faces", "restored", "enhanced", "mask", "output"]
"""What a setting decides, and so which kept results it belongs to: the frames that are read; which faces are found;
restored faces; restored faces while G works on them; where a restored face shows, and where G works; or only what is
made anew each time, such as pasting."""


@dataclass(frozen=True, slots=True)
class Affects:
    """What a setting decides."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Field:
    """One setting as the command line and the window need it."""

    name: str
    type: type
    optional: bool
    default: Any
    limit: Range | Choice | Curve | None
    affects: Effect
    help: Help


def fields(settings: type) -> Mapping[str, Field]:
    """The settings of a dataclass by name, in order."""
    return _fields(settings)


@cache
def _fields(settings: type) -> Mapping[str, Field]:
    found = {}
    hints = get_type_hints(settings, include_extras=True)
    for entry in dataclasses.fields(settings):
        base, *extras = get_args(hints[entry.name]) if get_origin(hints[entry.name]) is Annotated else [None]
        if base is None:
            continue
        parts = get_args(base) if get_origin(base) is types.UnionType else (base,)
        kinds = [part for part in parts if part is not type(None)]
        found[entry.name] = Field(
            entry.name,
            kinds[0] if get_origin(kinds[0]) is not Literal else str,
            len(kinds) < len(parts),
            entry.default,
            next((x for x in extras if isinstance(x, Range | Choice | Curve)), None),
            next(x.effect for x in extras if isinstance(x, Affects)),
            next(x for x in extras if isinstance(x, Help)),
        )
    return types.MappingProxyType(found)


def values_of(settings: Any, effect: Effect) -> dict[str, Any]:
    """The settings of a dataclass that decide something, by name: their part of a key."""
    known = fields(type(settings))
    return {name: getattr(settings, name) for name, field in known.items() if field.affects == effect}


def demand(name: str, value: object, *kinds: type) -> None:
    """Raise SettingsError unless a value that somebody gave is of one of some kinds of settings."""
    if not isinstance(value, kinds):
        names = [kind.__name__ for kind in kinds]
        raise SettingsError(
            f"{name} must be of type {' or '.join(names)}, but got a value of type {type(value).__name__}. "
            f"Make one by flair_core.settings.{names[0]}(…)."
        )


class Checked:
    """Mixin: a settings dataclass that refuses values outside its limits."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, field in fields(type(self)).items():
            check(field, getattr(self, name))


def check(field: Field, value: Any, shown: float = 1) -> None:
    """Raise SettingsError unless `value` suits `field`.

    shown: the error tells numbers times this: 1 for those who gave the value itself, see Range for people.
    """
    if value is None and field.optional:
        return
    accepted: Any = (int, float) if field.type is float else field.type
    if not isinstance(value, accepted) or (isinstance(value, bool) and field.type is not bool):
        raise SettingsError(f"{field.name} must be of type {field.type.__name__}, but got {value!r}.")
    limit: Range | Choice | Curve | None = field.limit
    if isinstance(limit, Range) and not limit.low <= value <= limit.high:
        low, high, found = limit.low * shown, limit.high * shown, value * shown
        raise SettingsError(f"{field.name} must lie between {low:g} and {high:g}, but got {found:g}.")
    if isinstance(limit, Choice) and value not in limit.values:
        allowed = ", ".join(map(str, limit.values))
        raise SettingsError(f"{field.name} must be one of {allowed}, but got {value}.")
    if isinstance(limit, Curve):
        try:
            limit.factors(value)
        except ValueError:
            raise SettingsError(
                f'{field.name} must be numbers from 0 to 1 such as "{limit.linear}", but got {value!r}.'
            ) from None
