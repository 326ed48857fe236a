"""The row of a setting's keyframes in the timeline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QMenu

from app import theme
from app.widgets.timeline_rows import REACH, Row, label_of
from flair_core.settings.fields import Range, fields
from flair_core.settings.groups import GROUPS
from flair_core.settings.look import GROUP_OF, Key, Lane

if TYPE_CHECKING:
    from app.session import Session
    from app.widgets.time_axis import TimeAxis
    from app.widgets.timeline_rows import Drag

FINE = 0.125
"""How far a keyframe goes for each pixel of the mouse while Shift is held: a row is only a few pixels high."""
SAMPLES = 80
"""Points of a curve that is only looked at."""
LEAST_NOISE = 10 / 255
"""What fills the row of σ_e at least: nobody keyframes in a range of 50 levels."""
translate = QCoreApplication.translate


class KeyRow(Row):
    """The keyframes of a setting in the scope: double-click adds one, dragging moves it, Delete removes it."""

    HEIGHT = 26

    def __init__(self, line: TimeAxis, session: Session, setting: str) -> None:
        super().__init__(line, session)
        self.setting = setting
        self.field = fields(GROUPS[GROUP_OF[setting]])[setting]
        assert isinstance(self.field.limit, Range)
        self.limit = self.field.limit

    def name(self) -> str:
        """The symbol and the value at the playhead."""
        return f"{self.field.help.symbol}  {self.shown(self.value_at(self.session.index)):.2f}"

    def shown(self, value: float) -> float:
        """In the unit that people see."""
        return value * self.limit.shown

    def value_at(self, frame: int) -> float:
        """As the scope has it."""
        settings = self.session.look.seen_from(self.session.scope, frame)
        value: float = getattr(getattr(settings, GROUP_OF[self.setting]), self.setting)
        return value

    def keyframes(self) -> Lane | None:
        """Of the scope."""
        return self.session.look.own(self.session.scope).lane(self.setting)

    def high(self) -> float:
        """The value at the top."""
        if self.setting != "noise":
            return self.limit.high
        lane = self.keyframes()
        values = [key.value for key in lane.keys] if lane else [self.value_at(self.session.index)]
        return min(self.limit.high, max(LEAST_NOISE, 1.2 * max(values)))

    def y_of(self, value: float) -> float:
        """Where a value lies."""
        share = (value - self.limit.low) / (self.high() - self.limit.low)
        return self.rect.bottom() - 5 - share * (self.rect.height() - 10)

    def value_of(self, y: float) -> float:
        """The value at a height, in steps of its slider."""
        share = (self.rect.bottom() - 5 - y) / (self.rect.height() - 10)
        value = self.limit.low + min(max(share, 0), 1) * (self.high() - self.limit.low)
        return min(
            self.limit.low + round((value - self.limit.low) / self.limit.step) * self.limit.step,
            self.limit.high,
        )

    def place(self, key: Key) -> QPointF:
        """The middle of a keyframe's diamond."""
        return QPointF(self.line.x_of(key.frame + 0.5), self.y_of(key.value))

    def key_at(self, at: QPointF) -> Key | None:
        """The keyframe under the pointer."""
        lane = self.keyframes()
        near = [key for key in lane.keys if abs(self.place(key).x() - at.x()) <= REACH] if lane else []
        return min(near, key=lambda key: (self.place(key) - at).manhattanLength(), default=None)

    def paint(self, painter: QPainter) -> None:
        """See Row."""
        colours, lane = theme.current(), self.keyframes()
        painter.fillRect(self.rect, colours.colour("canvas", 0.5))
        if lane is None:
            self.paint_inherited(painter)
            return
        path = QPainterPath(
            QPointF(min(self.rect.left(), self.place(lane.keys[0]).x()), self.y_of(lane.keys[0].value))
        )
        before = None
        for key in lane.keys:
            place = self.place(key)
            if before is not None and before.held:
                path.lineTo(QPointF(place.x(), self.y_of(before.value)))
            path.lineTo(place)
            before = key
        path.lineTo(QPointF(max(self.rect.right(), path.currentPosition().x()), path.currentPosition().y()))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colours.colour("accent"), 1.5))
        painter.drawPath(path)
        for key in lane.keys:
            place, size = self.place(key), 5.0
            chosen = self.line.chosen_key == (self.setting, key.frame)
            painter.setPen(QPen(colours.colour("text" if chosen else "panel"), 1.2))
            painter.setBrush(colours.colour("accent"))
            if key.held:
                painter.drawRect(QRectF(place.x() - 4, place.y() - 4, 8, 8))
            else:
                corners = ((0, -size), (size, 0), (0, size), (-size, 0))
                painter.drawPolygon(QPolygonF([place + QPointF(x, y) for x, y in corners]))

    def paint_inherited(self, painter: QPainter) -> None:
        """How the setting moves without keyframes of the scope's own."""
        painter.setPen(QPen(theme.current().colour("muted"), 1.2, Qt.PenStyle.DotLine))
        count = (
            SAMPLES if self.session.look.lanes or self.session.look.shots else 1
        )  # else it is a level line
        width = self.rect.width() / count
        places = [self.rect.left() + width * at for at in range(count + 1)]
        frames = [min(max(self.line.index_at(x), 0), max(self.line.length - 1, 0)) for x in places]
        heights = [self.y_of(self.value_at(frame)) for frame in frames]
        painter.drawPolyline(QPolygonF([QPointF(*place) for place in zip(places, heights, strict=True)]))

    def press(self, at: QPointF) -> Drag | None:
        """Take a keyframe."""
        key = self.key_at(at)
        self.line.chosen_key = None if key is None else (self.setting, key.frame)
        self.line.update()
        if key is None:
            return None
        lane, held = self.keyframes(), [key]
        assert lane is not None
        others = [other for other in lane.keys if other is not key]
        low = max((other.frame + 1 for other in others if other.frame < key.frame), default=0)
        high = min(
            (other.frame - 1 for other in others if other.frame > key.frame), default=self.line.length - 1
        )
        subject = f"drag {self.setting} {key.frame} {at.x()}"
        before, height = at, self.place(key).y()

        def drag(to: QPointF) -> None:
            nonlocal before, height
            fine = bool(QGuiApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier)
            height += (to.y() - before.y()) * (FINE if fine else 1)
            before = to
            if (to - at).manhattanLength() < 3:
                return
            frame = held[0].frame if fine else min(max(self.line.index_at(to.x()), low), high)
            moved = Key(frame, self.value_of(height), key.held)
            if moved != held[0]:
                self.replace(held[0], moved, translate("Timeline", "Move a keyframe"), subject)
                held[0] = moved

        return drag

    def replace(self, old: Key, new: Key | None, text: str, subject: str | None = None) -> None:
        """Put another keyframe in the place of one, or none."""
        scope = self.session.scope
        if new is None:
            self.line.chosen_key = None
            self.session.edit_look(text, lambda look: look.without_key(scope, self.setting, old.frame))
            return
        self.line.chosen_key = (self.setting, new.frame)
        # The new one first: a lane is never empty.
        self.session.edit_look(
            text,
            lambda look: (
                look.with_key(scope, self.setting, new)
                if new.frame == old.frame
                else look.with_key(scope, self.setting, new).without_key(scope, self.setting, old.frame)
            ),
            subject=subject,
        )

    def add(self, at: QPointF) -> None:
        """A keyframe where the pointer is."""
        frame, lane = self.line.index_at(at.x()), self.keyframes()
        value = self.value_of(at.y())
        key = Key(frame, value) if lane is None else lane.key_for(frame, value)
        self.line.chosen_key = (self.setting, frame)
        scope = self.session.scope
        self.session.edit_look(
            translate("Timeline", "Add a keyframe"), lambda look: look.with_key(scope, self.setting, key)
        )

    def double_click(self, at: QPointF) -> bool:
        """Add a keyframe, or type the value of one."""
        key = self.key_at(at)
        if key is None:
            self.add(at)
        else:
            self.line.value_wanted.emit(self, key)
        return True

    def menu(self, at: QPointF) -> QMenu | None:
        """See Row."""
        key, menu = self.key_at(at), QMenu(self.line)
        if key is None:
            menu.addAction(translate("Timeline", "Add a keyframe here"), lambda: self.add(at))
            return menu
        for words, held in (
            (translate("Timeline", "Move evenly to the next one"), False),
            (translate("Timeline", "Hold until the next one"), True),
        ):
            changed = Key(key.frame, key.value, held)
            action = menu.addAction(
                words,
                partial(self.replace, key, changed, translate("Timeline", "Change a keyframe")),
            )
            action.setCheckable(True)
            action.setChecked(key.held == held)
        menu.addSeparator()
        menu.addAction(
            translate("Timeline", "Type its value…"), lambda: self.line.value_wanted.emit(self, key)
        )
        menu.addAction(
            translate("Timeline", "Delete"),
            lambda: self.replace(key, None, translate("Timeline", "Delete a keyframe")),
        )
        return menu

    def tip(self, at: QPointF) -> str:
        """See Row."""
        label, key = label_of(self.setting), self.key_at(at)
        if key is not None:
            value = f"{label}  {self.shown(key.value):.2f}"
            return translate("Timeline", "{0}: drag it, with Shift finely; double-click to type").format(
                value
            )
        return translate("Timeline", "{0}: double-click to set a keyframe").format(label)
