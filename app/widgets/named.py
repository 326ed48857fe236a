"""Names that the style sheet knows widgets by."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

Kind = TypeVar("Kind", bound="QWidget")


def named(widget: Kind, name: str) -> Kind:
    """The same widget, styled as resources/style.qss says for `name`, for instance "heading" or "muted"."""
    widget.setObjectName(name)
    return widget
