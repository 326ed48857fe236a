"""Looks by name: small bundles of settings that say how a result shall look, for those who want no more of it.

A bundle touches what it is about and nothing else; steps, models, masks and what is known of the footage stay.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flair_core.settings.groups import UNTOLD
from flair_core.settings.look import GROUP_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flair_core.settings.groups import RestorationSettings


@dataclass(frozen=True, slots=True)
class Bundle:
    """Some settings under one name."""

    label: str
    text: str
    """What it does, in an editor's words."""
    values: Mapping[str, Any]
    """By the settings' names."""


def _bundle(label: str, text: str, **values: Any) -> Bundle:
    return Bundle(label, text, types.MappingProxyType(values))


LOOKS: Mapping[str, Bundle] = types.MappingProxyType(
    {
        "natural": _bundle(
            "Natural",
            "As near to what was filmed as it gets, with most of the grain around it.",
            w_tau=0.25,
            grain=0.7,
            match_colour=False,
        ),
        "crisp": _bundle(
            "Crisp",
            "Sharp eyes, hair and teeth, and no grain: more is drawn than was filmed.",
            w_tau=0.6,
            grain=0.0,
            match_colour=False,
        ),
        "film": _bundle(
            "Film",
            "Crisper than Natural, with all the grain of the film around it.",
            w_tau=0.4,
            grain=1.0,
            match_colour=False,
        ),
        "tape": _bundle(
            "Tape",
            "Faces keep the broad colours of the tape, without its noise.",
            w_tau=0.4,
            grain=0.0,
            match_colour=True,
        ),
        "web": _bundle(
            "Web video",
            "Makes up for what a codec took away: crisper, and without grain.",
            w_tau=0.4,
            grain=0.0,
            match_colour=False,
        ),
        "print": _bundle(
            "Print",
            "For printed pictures that were filmed or scanned: looks past the halftone, at half of the resolution.",
            w_tau=0.4,
            grain=0.0,
            match_colour=False,
            enlargement=2.0,
        ),
    }
)
"""By the names that files and commands know them by, in the order in which they are offered."""


def look_of(settings: RestorationSettings) -> str | None:
    """The name of the look whose values are in force: of several, the one that says most."""
    fitting = [name for name, look in LOOKS.items() if _holds(look.values, settings)]
    return max(fitting, key=lambda name: len(LOOKS[name].values), default=None)


def values_for(name: str, settings: RestorationSettings) -> dict[str, Any]:
    """What changes when a look is chosen; what the look in force had set beside goes back to the default."""
    values = dict(LOOKS[name].values)
    before = look_of(settings)
    for other in () if before is None else LOOKS[before].values:
        values.setdefault(other, _value(UNTOLD, other))
    return values


def _holds(values: Mapping[str, Any], settings: RestorationSettings) -> bool:
    return all(_value(settings, name) == value for name, value in values.items())


def _value(settings: RestorationSettings, name: str) -> Any:
    return getattr(getattr(settings, GROUP_OF[name]), name)
