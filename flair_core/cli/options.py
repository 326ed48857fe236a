"""Command-line options made from settings, so that limits and help are written once."""

from __future__ import annotations

import argparse
import types
from typing import TYPE_CHECKING, Any

from flair_core.errors import MediaError, SettingsError
from flair_core.runtime import files
from flair_core.settings.fields import Choice, Curve, Field, Range, check, fields
from flair_core.settings.groups import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from flair_core.settings.groups import Group

AUTO = "auto"
NONE = object()
"""What the user gave for an option that shall have no value; None is one that was not given."""


def add(
    parser: argparse.ArgumentParser,
    settings: type,
    names: Iterable[str] | None = None,
    auto: Mapping[str, str] = types.MappingProxyType({}),
) -> None:
    """Add one option for each setting (or for those named); what the user leaves out stays None.

    auto: settings that may also be "auto", and what that does.
    """
    group = parser.add_argument_group(settings.__name__.removesuffix("Settings").lower())
    for field in fields(settings).values():
        if names is not None and field.name not in names:
            continue
        flag = "--" + field.name.replace("_", "-")
        symbol = f" [{field.help.symbol}]" if field.help.symbol else ""
        text = f"{field.help.text}{symbol}{_limits(field)}".replace("%", "%%")
        if field.name in auto:
            text += f"; {AUTO} {auto[field.name]}"
        if field.type is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            parse = _parse(field, field.name in auto)
            group.add_argument(flag, type=parse, metavar=field.name[0].upper(), help=text)


def apply(group: Group, arguments: argparse.Namespace) -> Group:
    """The settings with every option that the user gave."""
    given = {name: getattr(arguments, name, None) for name in fields(type(group))}
    values = {name: value for name, value in given.items() if value is not None}
    return changed(group, **{name: None if value is NONE else value for name, value in values.items()})


def path(text: str) -> Path:
    """The path that an option names."""
    try:
        return files.as_path(text)
    except MediaError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parse(field: Field, auto: bool) -> Any:
    def parse(text: str) -> Any:
        if auto and text == AUTO:
            return AUTO
        none = field.limit.none if isinstance(field.limit, Range) and field.optional else None
        if text == none:
            return NONE
        try:
            value = field.type(text)
        except ValueError:
            word = AUTO if auto else none
            wanted = f"a number or {word}" if word else "a number"
            raise argparse.ArgumentTypeError(f"needs {wanted}, but got {text!r}") from None
        shown = field.limit.shown if isinstance(field.limit, Range) else 1
        if shown != 1:
            value /= shown
        try:
            check(field, value, shown)
        except SettingsError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return parse


def _limits(field: Field) -> str:
    default = field.default
    match field.limit:
        case Range(low=low, high=high, shown=shown, none=none):
            default = default * shown if isinstance(default, float) else default
            numbers = f"{low * shown:g} to {high * shown:g}" + (f", or {none}" if field.optional else "")
            return f" ({numbers}; default {none if default is None else default})"
        case Curve(linear=linear):
            default = f'"{default}"' if default else "none"
            return f' (numbers such as "{linear}", or none to leave it to the policy; default {default})'
        case Choice(values=values):
            return f" ({', '.join(map(str, values))}; default {default})"
    return f" (default {default})" if field.type is not bool else ""


def span(text: str, length: int) -> range:
    """The frames of "A:B", first and last included, either may be empty; checked against the clip."""
    first, colon, last = text.partition(":")
    try:
        start = int(first) if first or not colon else 0
        stop = (int(last) if last else length - 1) + 1 if colon else start + 1
    except ValueError:
        raise SettingsError(f"--range needs frame numbers like 10:49, but got {text!r}.") from None
    if not 0 <= start < stop <= length:
        raise SettingsError(f"--range {text} does not fit: the clip has frames 0 to {length - 1}.")
    return range(start, stop)
