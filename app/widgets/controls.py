"""One control for each kind of setting; limits, steps and words come from flair_core.settings."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import QCoreApplication, QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStyledItemDelegate,
    QToolButton,
    QWidget,
)

from app.widgets.icon_button import IconButton
from flair_core.settings.fields import Choice, Curve, Field, Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PySide6.QtGui import QValidator, QWheelEvent

TICKS = 1000
"""Positions of a slider whose range has more steps than that."""
WIDE = 200
"""A whole-number range with more steps gets a logarithmic slider: small values matter most there."""
LABEL_WIDTH, VALUE_WIDTH = 118, 46
ROW = 22
MOVES = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)
MOST_SLIDER = 10_000
"""A range with more steps gets no slider: nobody can aim there."""


def label_of(field: Field) -> str:
    """The name of a setting with its symbol, in the user's language."""
    text = QCoreApplication.translate("settings", field.help.label)
    symbol = field.help.symbol
    return f"{text} {symbol}" if symbol and " " not in symbol and symbol != field.name else text


def tooltip_of(field: Field) -> str:
    """What a setting does in an editor's words, its limits and its symbol in the paper."""
    lines = [QCoreApplication.translate("settings", field.help.text)]
    if isinstance(field.limit, Range):
        low, high = (limit * field.limit.shown for limit in (field.limit.low, field.limit.high))
        lines.append(QCoreApplication.translate("settings", "From {0:g} to {1:g}.").format(low, high))
    if field.help.symbol:
        lines.append(QCoreApplication.translate("settings", "In the paper: {0}").format(field.help.symbol))
    return "\n".join(lines)


class Control(QWidget):
    """A labelled row for one setting."""

    changed = Signal(object)
    """The value that the user chose, in the setting's own unit."""

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self.setToolTip(tooltip_of(field))
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(4)
        self.setFixedHeight(ROW)
        self.aside: QWidget | None = None
        """What stands where other settings have their keyframes."""
        self._label = QLabel(label_of(field))
        if self._label.sizeHint().width() > LABEL_WIDTH:
            self._label.setText(QCoreApplication.translate("settings", field.help.label))
        self._label.setFixedWidth(LABEL_WIDTH)
        self.row.addWidget(self._label)
        self.reset = IconButton(
            "undo", QCoreApplication.translate("Control", "As the wider scope has it"), style="tiny"
        )
        self.reset.hide()
        self.row.addWidget(self.reset)

    def close_up(self) -> None:
        """Let the label take no more room than its words: where it stands alone, and not in a column."""
        self._label.setMinimumWidth(0)
        self._label.setFixedWidth(self._label.sizeHint().width() + ROW // 2)

    def set_value(self, value: Any) -> None:
        """Show a value without telling anyone."""
        raise NotImplementedError

    def mark(self, own: bool, differs: str) -> None:
        """Whether the scope has its own value, which `reset` drops; `differs` names a narrower one that hides it."""
        self.reset.setVisible(own)
        name = "own" if own else "hidden" if differs else ""
        if self._label.objectName() != name:
            self._label.setObjectName(name)
            self._label.style().polish(self._label)
        tip = tooltip_of(self.field)
        self.setToolTip(f"{tip}\n\n{differs}" if differs else tip)

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """Put a part into the row, named for screen readers."""
        widget.setAccessibleName(label_of(self.field))
        widget.setAccessibleDescription(self.toolTip())
        self.row.addWidget(widget, stretch)


class NumberControl(Control):
    """A slider and a number to type; with `optional`, a switch that turns the setting off."""

    CHECKED: ClassVar[bool] = True
    """Whether there is a value while the switch is checked."""

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        assert isinstance(field.limit, Range)
        self._range = field.limit
        self._steps = round((field.limit.high - field.limit.low) / field.limit.step)
        self._log = field.type is int and self._steps > WIDE
        self._switch = self._made_switch() if field.optional else None
        if self._switch is not None:
            self.add(self._switch)
            self._switch.toggled.connect(lambda on: self._switched(on is self.CHECKED))
        self._slider = _Slider()
        self._slider.setRange(0, min(self._steps, TICKS))
        self._slider.valueChanged.connect(lambda at: self._choose(self._value_at(at)))
        self._number = Number()
        self._number.setDecimals(
            0 if self._step_shown() % 1 == 0 else 1 if self._step_shown() * 10 % 1 == 0 else 2
        )
        self._number.setRange(self._range.low * self._range.shown, self._range.high * self._range.shown)
        self._number.setSingleStep(self._step_shown())
        self._number.valueChanged.connect(
            lambda shown: self._choose(self._rounded(shown / self._range.shown))
        )
        if self._steps <= MOST_SLIDER:
            self.add(self._slider, 1)
            self._number.setFixedWidth(VALUE_WIDTH)
        else:
            self._number.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.add(self._number)

    def set_value(self, value: float | None) -> None:
        """See Control."""
        if self._switch is not None:
            with QSignalBlocker(self._switch):
                self._switch.setChecked((value is not None) is self.CHECKED)
            self._slider.setEnabled(value is not None)
            self._number.setEnabled(value is not None)
        if value is not None:
            self._show(value)

    def _show(self, value: float) -> None:
        with QSignalBlocker(self._slider), QSignalBlocker(self._number):
            self._slider.setValue(self._position_of(value))
            self._number.setValue(value * self._range.shown)

    def _made_switch(self) -> QAbstractButton:
        return QCheckBox()

    def _choose(self, value: float) -> None:
        self.set_value(value)
        self.changed.emit(value)

    def _switched(self, on: bool) -> None:
        value = self._rounded(self._number.value() / self._range.shown) if on else None
        self.set_value(value)
        self.changed.emit(value)

    def _step_shown(self) -> float:
        return round(self._range.step * self._range.shown, 6)

    def _rounded(self, value: float) -> float:
        value = min(max(value, self._range.low), self._range.high)
        return round(value) if self.field.type is int else value

    def _value_at(self, position: int) -> float:
        share = position / self._slider.maximum()
        low, high, step = self._range.low, self._range.high, self._range.step
        if self._log:
            return self._rounded(low + math.expm1(share * math.log1p(high - low)))
        return self._rounded(low + round(share * self._steps) * step)

    def _position_of(self, value: float) -> int:
        low, high = self._range.low, self._range.high
        share = (
            math.log1p(value - low) / math.log1p(high - low) if self._log else (value - low) / (high - low)
        )
        return round(share * self._slider.maximum())


class SeedControl(NumberControl):
    """A whole number that means nothing: to type, or to throw dice for."""

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self.aside = IconButton("dice", self.tr("Another seed"), style="tiny")
        self.aside.clicked.connect(
            lambda: self._choose((round(self._number.value()) * 7919 + 104_729) % 100_000)
        )


class AutoControl(NumberControl):
    """A number that Auto finds unless it is set: its switch says Auto, and what was found is shown greyed."""

    CHECKED: ClassVar[bool] = False

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._slider.setMinimumWidth(20)
        assert self._switch is not None
        self._switch.setAccessibleName(self.tr("{0}: Auto").format(label_of(field)))

    def _made_switch(self) -> QAbstractButton:
        switch = QToolButton()
        switch.setObjectName("auto")
        switch.setText(self.tr("Auto"))
        switch.setCheckable(True)
        switch.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return switch

    def show_found(self, value: float) -> None:
        """What Auto found, as long as it decides."""
        if not self._number.isEnabled():
            self._show(value)


class ChoiceControl(Control):
    """A box with the values of a setting."""

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._box = _Box()
        self.set_choices(field.limit.values if isinstance(field.limit, Choice) else (field.default,))
        self._box.currentIndexChanged.connect(lambda at: self.changed.emit(self._box.itemData(at)))
        self.add(self._box, 1)

    def set_choices(self, values: Sequence[Any], lacking: Mapping[Any, str] = MappingProxyType({})) -> None:
        """Offer these values; those that are lacking are grey and say how to get them."""
        model = self._box.model()
        assert isinstance(model, QStandardItemModel)
        with QSignalBlocker(self._box):
            self._box.clear()
            for at, value in enumerate(values):
                self._box.addItem(self._words(value), value)
                if value in lacking:
                    item = model.item(at)
                    item.setText(self.tr("{0} – to be fetched").format(item.text()))
                    item.setToolTip(lacking[value])
                    item.setEnabled(False)

    def set_value(self, value: Any) -> None:
        """See Control."""
        with QSignalBlocker(self._box):
            if self._box.findData(value) < 0:
                self._box.addItem(self._words(value), value)
            self._box.setCurrentIndex(self._box.findData(value))

    def _words(self, value: Any) -> str:
        return f"× {value}" if isinstance(value, int) else QCoreApplication.translate("settings", str(value))


class CurveControl(ChoiceControl):
    """The course that the policy gives to a weight, another common one, or the one that was drawn in the plot."""

    def __init__(self, field: Field, limit: Curve, parent: QWidget | None = None) -> None:
        self._presets = ("", limit.linear) if limit.last is None else ("", limit.linear, limit.last)
        super().__init__(field, parent)
        self.set_choices(self._presets)

    def set_value(self, value: Any) -> None:
        """See Control."""
        with QSignalBlocker(self._box):
            self._box.removeItem(len(self._presets))  # what was drawn before
        super().set_value(value)

    def _words(self, value: Any) -> str:
        words = self.tr("of the policy"), self.tr("linear"), self.tr("at the end")
        named = dict(zip(self._presets, words, strict=False))
        return named.get(value, self.tr("custom"))


class SwitchControl(Control):
    """On or off."""

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._switch = QCheckBox()
        self._switch.toggled.connect(self._toggled)
        self.add(self._switch, 1)

    def _toggled(self, on: bool) -> None:
        self.changed.emit(on)

    def set_value(self, value: bool) -> None:
        """See Control."""
        with QSignalBlocker(self._switch):
            self._switch.setChecked(value)


def control_for(field: Field) -> Control:
    """The control that suits a setting."""
    if field.name == "seed":
        return SeedControl(field)
    if isinstance(field.limit, Range) and field.limit.none == "auto":
        return AutoControl(field)
    if field.type is bool:
        return SwitchControl(field)
    if isinstance(field.limit, Curve):
        return CurveControl(field, field.limit)
    return NumberControl(field) if isinstance(field.limit, Range) else ChoiceControl(field)


class _Slider(QSlider):
    """Leaves the wheel to the panel, which scrolls, and keeps the arrow keys from moving the playhead."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setMinimumWidth(40)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def event(self, event: QEvent) -> bool:
        overrides = event.type() == QEvent.Type.ShortcutOverride
        if overrides and isinstance(event, QKeyEvent) and event.key() in MOVES:
            event.accept()
            return True
        return super().event(event)


class Number(QDoubleSpinBox):
    """A quiet number: no arrows, no frame until it is touched."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("value")
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setKeyboardTracking(False)

    def validate(self, text: str, at: int) -> tuple[QValidator.State, str, int]:
        """A comma counts as a point: on many keyboards it is what the number pad has."""
        return super().validate(text.replace(",", "."), at)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leaves it to the panel, which scrolls."""
        event.ignore()


class _Box(QComboBox):
    """Ignores the wheel, too, and may be narrower than its longest entry."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("row")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        # The default one paints what is disabled like all else, whatever the style sheet says.
        self.setItemDelegate(QStyledItemDelegate(self))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
