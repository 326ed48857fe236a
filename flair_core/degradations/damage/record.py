"""Values out of JSON, by their dataclasses: what does not fit is told by its key."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from flair_core.errors import SettingsError
from flair_core.settings.fields import Choice, Range

WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
SHOWN = 60
"""Letters of a wrong value that a sentence repeats."""


def read(kind: Any, value: Any, key: str, **others: Any) -> Any:
    """A value of a type, from what JSON has made of it. Raises SettingsError, which names the key.

    others: types of fields that are narrower than those of the dataclass.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _limited(read(inner[0], value, key), inner[1], key)
    if origin in (types.UnionType, Union):
        (some,) = (part for part in inner if part is not type(None))
        return None if value is None else read(some, value, key)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(key, "a list", value)
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        if len(kinds) != len(value):
            raise _wrong(key, f"a list of {len(kinds)}", value)
        return tuple(
            read(one, part, f"{key}[{at}]") for at, (one, part) in enumerate(zip(kinds, value, strict=True))
        )
    if dataclasses.is_dataclass(kind):
        return _built(kind, value, key, others)
    accepted: Any = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(key, WORDS[kind], value)
    if kind is float and not math.isfinite(value):
        raise _wrong(key, "a finite number", value)
    return value


def _built(kind: Any, value: Any, key: str, others: dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        raise _wrong(key, "an object", value)
    hints = get_type_hints(kind, include_extras=True) | others
    known = dataclasses.fields(kind)
    if unknown := [name for name in value if name not in hints]:
        raise SettingsError(f"There is no key {key}.{unknown[0]:.{SHOWN}}; known are {', '.join(hints)}.")
    needed = [field.name for field in known if field.default is dataclasses.MISSING]
    if missing := [name for name in needed if name not in value]:
        raise SettingsError(f"The key {key}.{missing[0]} is missing.")
    return kind(**{name: read(hints[name], part, f"{key}.{name}") for name, part in value.items()})


def _limited(value: Any, limit: Choice | Range, key: str) -> Any:
    if isinstance(limit, Choice) and value not in limit.values:
        raise _wrong(key, f"one of {', '.join(limit.values)}", value)
    if isinstance(limit, Range) and not limit.low <= value <= limit.high:
        upper = "up" if math.isinf(limit.high) else f"to {limit.high:g}"
        raise _wrong(key, f"from {limit.low:g} {upper}", value)
    return value


def _wrong(key: str, wanted: str, value: Any) -> SettingsError:
    return SettingsError(f"{key} must be {wanted}, but got {json.dumps(value):.{SHOWN}}.")
