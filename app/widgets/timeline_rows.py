"""The rows of the timeline: what each one paints, and what the mouse does in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QMenu

from app import theme
from app.timecode import timecode
from flair_core.settings.fields import Range, fields
from flair_core.settings.groups import GROUPS
from flair_core.settings.look import GROUP_OF, Key, Lane

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.session import Session
    from app.widgets.timeline import Timeline
    from flair_core.faces.track import Track

    Drag = Callable[[QPointF], None]
    """Called with each place that the mouse is dragged to."""

RULER, FILM, SHOTS, LANE, KEYS, STRIP = 20, 40, 14, 9, 26, 18
MOST_LANES = 3
TICKS = (1, 2, 5, 10, 20, 50)
TICK_DISTANCE = 92
"""Least pixels from one number of the ruler to the next."""
FINE = 0.125
"""How far a keyframe goes for each pixel of the mouse while Shift is held: a row is only a few pixels high."""
REACH = 6
"""Pixels around a keyframe in which it is taken."""
SAMPLES = 80
"""Points of a curve that is only looked at."""
LEAST_NOISE = 10 / 255
"""What fills the row of σ_e at least: nobody keyframes in a range of 50 levels."""


translate = QCoreApplication.translate


class Row:
    """A strip as wide as the timeline; `rect` is where it lies now."""

    height = STRIP

    def __init__(self, line: Timeline, session: Session) -> None:
        self.line, self.session = line, session
        self.rect = QRectF()

    def name(self) -> str:
        """Words at the left."""
        return ""

    def paint(self, painter: QPainter) -> None:
        """Draw what is visible."""

    def press(self, at: QPointF) -> Drag | None:
        """The left button goes down: what dragging does, or None to move the playhead."""
        del at

    def movable(self, at: QPointF) -> bool:
        """Whether the pointer is over an edge that can be dragged sideways."""
        del at
        return False

    def double_click(self, at: QPointF) -> bool:
        """Whether it meant something here."""
        del at
        return False

    def menu(self, at: QPointF) -> QMenu | None:
        """What the right button offers."""
        del at

    def tip(self, at: QPointF) -> str:
        """What lies under the pointer, in words."""
        del at
        return ""


class Ruler(Row):
    """Timecodes."""

    height = RULER

    def paint(self, painter: QPainter) -> None:
        """See Row."""
        line, clip, colours = self.line, self.session.clip, theme.current()
        assert clip is not None
        step = self.step()
        index = int(line.first // step) * step
        while index <= line.first + line.shown:
            x = line.x_of(index)
            painter.setPen(colours.colour("border"))
            painter.drawLine(QPointF(x, self.rect.top() + 4), QPointF(x, self.rect.bottom() - 2))
            painter.setPen(colours.colour("muted"))
            painter.drawText(QPointF(x + 4, self.rect.top() + 12), timecode(index, clip.info.rate))
            index += step

    def step(self) -> int:
        """Frames from one number to the next: whole seconds or minutes where they are large."""
        clip = self.session.clip
        assert clip is not None
        needed = TICK_DISTANCE * self.line.shown / self.rect.width()
        base = max(1, round(clip.info.rate))
        choices = [n for n in TICKS if n < base]
        choices += [base * n for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)]
        return next((step for step in choices if step >= needed), choices[-1])


class Film(Row):
    """Thumbnails, and above them what is restored: under the present look, or under another one."""

    height = FILM

    def name(self) -> str:
        """See Row."""
        return translate("Timeline", "Video")

    def slots(self) -> Iterator[tuple[float, float, int]]:
        """Left edge, width and frame of each picture."""
        clip, line = self.session.clip, self.line
        if clip is None or not self.rect.width():
            return
        width = max(FILM * clip.info.width / max(clip.info.height, 1), FILM / 2)
        frames = width * line.shown / self.rect.width()
        # The grid is fixed in time, so that pictures stay the same while the view moves.
        at = int(line.first // frames)
        while at * frames < min(line.first + line.shown, len(clip)):
            yield line.x_of(at * frames), width, min(int((at + 0.5) * frames), len(clip) - 1)
            at += 1

    def paint(self, painter: QPainter) -> None:
        """See Row."""
        film, line, colours = self.rect, self.line, theme.current()
        painter.fillRect(film, colours.colour("canvas"))
        painter.save()
        painter.setClipRect(film)
        for left, width, index in self.slots():
            image = line.nearest_thumbnail(index)
            if image is not None:
                painter.drawImage(QRectF(left, film.top(), width, FILM), image)
            painter.setPen(colours.colour("canvas"))
            painter.drawLine(QPointF(left, film.top()), QPointF(left, film.bottom()))
        painter.restore()
        width = line.x_of(1) - line.x_of(0) + 0.5
        for frames, colour in ((line.marks.stale, "orange"), (line.marks.residual, "accent")):
            for index in frames:
                painter.fillRect(QRectF(line.x_of(index), film.top() - 3, width, 2), colours.colour(colour))

    def tip(self, at: QPointF) -> str:
        """See Row."""
        index, marks = self.line.index_at(at.x()), self.line.marks
        if index in marks.residual:
            return translate("Timeline", "Restored with these settings")
        return (
            translate("Timeline", "Restored with other settings only")
            if index in marks.stale
            else translate("Timeline", "Not restored yet")
        )


class Shots(Row):
    """One band for each shot."""

    height = SHOTS

    def name(self) -> str:
        """See Row."""
        return translate("Timeline", "Shots")

    def bands(self) -> Iterator[tuple[int, range, QRectF]]:
        """Number, frames and place of each shot that is in view."""
        clip, line = self.session.clip, self.line
        look = self.session.look
        for number, frames in enumerate(look.parts(range(len(clip) if clip else 0)), 1):
            if frames.stop > line.first and frames.start < line.first + line.shown:
                left, right = line.x_of(frames.start), line.x_of(frames.stop)
                yield number, frames, QRectF(left, self.rect.top(), right - left - 1, self.rect.height())

    def paint(self, painter: QPainter) -> None:
        """See Row."""
        colours, look, scope = theme.current(), self.session.look, self.session.scope
        own = {shot.first for shot in look.shots if shot.layer.names}
        for number, frames, band in self.bands():
            chosen = scope.kind == "shot" and scope.number == frames.start
            painter.setPen(QPen(colours.colour("accent" if chosen else "border"), 1))
            painter.setBrush(colours.colour("chosen" if chosen else "raised"))
            painter.drawRoundedRect(band.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            shown = band.intersected(self.rect)
            if shown.width() > 14 and frames.start in own:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colours.colour("accent"))
                painter.drawEllipse(QPointF(shown.right() - 8, shown.center().y()), 2.5, 2.5)
            text = translate("Timeline", "Shot {0}").format(number) if shown.width() > 64 else str(number)
            if shown.width() > 18:
                painter.setPen(colours.colour("text" if chosen else "muted"))
                painter.drawText(shown.adjusted(6, 0, -4, 0), Qt.AlignmentFlag.AlignVCenter, text)

    def start_at(self, at: QPointF) -> int | None:
        """The first frame of the shot whose edge is under the pointer; the clip's own edge stays."""
        starts = [frames.start for _, frames, _ in self.bands() if frames.start]
        near = [start for start in starts if abs(self.line.x_of(start) - at.x()) <= REACH]
        return min(near, key=lambda start: abs(self.line.x_of(start) - at.x()), default=None)

    def movable(self, at: QPointF) -> bool:
        """See Row."""
        return self.start_at(at) is not None

    def press(self, at: QPointF) -> Drag | None:
        """Take the edge between two shots."""
        start = self.start_at(at)
        if start is None or self.session.clip is None:
            return None
        grabbed, last = at.x() - self.line.x_of(start), len(self.session.clip) - 1
        firsts = [shot.first for shot in self.session.look.shots]
        place = firsts.index(start)

        def drag(to: QPointF) -> None:
            wanted = min(self.line.boundary_at(to.x() - grabbed), last)
            first = self.session.look.shots[place].first
            self.session.edit_shots(
                translate("Timeline", "Move a cut"),
                lambda look: look.moved_start(first, wanted),
                subject=f"cut {place} {start}",
            )

        return drag

    def double_click(self, at: QPointF) -> bool:
        """Settings are for the shot from now on."""
        self.session.seek(self.line.index_at(at.x()))
        self.session.set_scope("shot")
        return True

    def menu(self, at: QPointF) -> QMenu | None:
        """See Row."""
        session, index = self.session, self.line.index_at(at.x())
        shot = session.look.shot_at(index)
        menu = QMenu(self.line)
        split = menu.addAction(
            translate("Timeline", "Split here"),
            lambda: session.edit_shots(
                translate("Timeline", "Split the shot"), lambda look: look.split_at(index)
            ),
        )
        split.setEnabled(shot.start != index)
        merge = menu.addAction(
            translate("Timeline", "Merge with the shot before"),
            lambda: session.edit_shots(
                translate("Timeline", "Merge shots"), lambda look: look.merged_at(index)
            ),
        )
        merge.setEnabled(shot.start > 0)
        menu.addSeparator()
        menu.addAction(translate("Timeline", "Settings for this shot"), lambda: self.double_click(at))
        last = min(shot.stop, len(session.clip) if session.clip else 0) - 1
        menu.addAction(
            translate("Timeline", "Set in and out to this shot"),
            lambda: self.line.span_dragged.emit(shot.start, last),
        )
        return menu

    def tip(self, at: QPointF) -> str:
        """See Row."""
        for number, frames, band in self.bands():
            if band.contains(at):
                words = translate("Timeline", "Shot {0}, frames {1}–{2}").format(
                    number, frames.start, frames.stop - 1
                )
                names = next(
                    (shot.layer.names for shot in self.session.look.shots if shot.first == frames.start), ()
                )
                own = ", ".join(sorted(label_of(name) for name in names))
                return words + ("\n" + translate("Timeline", "Its own: {0}").format(own) if own else "")
        return ""


class Faces(Row):
    """Where each face is to be seen; faces that never meet share a lane."""

    def name(self) -> str:
        """See Row."""
        return translate("Timeline", "Faces")

    def lanes(self) -> list[list[Track]]:
        """Faces packed into lanes, so that none overlaps another."""
        lanes: list[list[Track]] = []
        for track in self.session.tracks:
            lane = next((lane for lane in lanes if lane[-1].first + len(lane[-1]) <= track.first), None)
            if lane is None:
                lanes.append(lane := [])
            lane.append(track)
        return lanes[:MOST_LANES]

    @property
    def height(self) -> float:  # type: ignore[override]
        """As many lanes as there are faces at once, and one at least."""
        return max(1, len(self.lanes())) * (LANE + 2) - 2

    def lane(self, number: int) -> QRectF:
        """Where a lane lies."""
        return QRectF(self.rect.left(), self.rect.top() + number * (LANE + 2), self.rect.width(), LANE)

    def paint(self, painter: QPainter) -> None:
        """See Row."""
        session, colours = self.session, theme.current()
        own = {number for number, layer in session.look.tracks}
        for number, tracks in enumerate(self.lanes()):
            for track in tracks:
                box = self.box(track, self.lane(number))
                left_out = track.id in session.project.left_out
                colour = colours.colour("muted" if left_out else "accent" if track.id % 2 == 0 else "blue")
                colour.setAlphaF(0.35 if left_out else 0.9)
                painter.setBrush(colour)
                selected = track.id == session.selected
                painter.setPen(QPen(colours.colour("text"), 1.5) if selected else Qt.PenStyle.NoPen)
                painter.drawRoundedRect(box, 3, 3)
                if track.id in own:
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(colours.colour("panel"))
                    painter.drawEllipse(QPointF(box.right() - 7, box.center().y()), 2.2, 2.2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.colour("orange", 0.9))
        for face in session.project.drawn:
            left, right = self.line.x_of(face.first), self.line.x_of(face.last + 1)
            painter.drawRoundedRect(QRectF(left, self.lane(0).bottom() - 3, right - left, 3), 1, 1)

    def box(self, track: Track, lane: QRectF) -> QRectF:
        """Where a face lies in its lane."""
        left, right = self.line.x_of(track.first), self.line.x_of(track.first + len(track))
        return QRectF(left, lane.top(), max(right - left, 2), lane.height())

    def at(self, at: QPointF) -> Track | None:
        """The face under the pointer."""
        for number, tracks in enumerate(self.lanes()):
            for track in tracks:
                if self.box(track, self.lane(number)).contains(at):
                    return track
        return None

    def press(self, at: QPointF) -> Drag | None:
        """Select a face."""
        track = self.at(at)
        if track is None:
            return None
        self.line.face_clicked.emit(track.id)
        return lambda _: None

    def double_click(self, at: QPointF) -> bool:
        """Settings are for the face from now on."""
        track = self.at(at)
        if track is not None:
            self.session.select(track.id)
            self.session.set_scope("face")
        return track is not None

    def tip(self, at: QPointF) -> str:
        """See Row."""
        track = self.at(at)
        if track is None:
            return ""
        words = translate("Timeline", "Face {0}, frames {1}–{2}").format(
            track.id + 1, track.first, track.first + len(track) - 1
        )
        names = dict(self.session.look.tracks).get(track.id)
        own = ", ".join(sorted(label_of(name) for name in names.names)) if names else ""
        return words + ("\n" + translate("Timeline", "Its own: {0}").format(own) if own else "")


class Keys(Row):
    """The keyframes of a setting in the scope: double-click adds one, dragging moves it, Delete removes it."""

    height = KEYS

    def __init__(self, line: Timeline, session: Session, setting: str) -> None:
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
            self.line.type_value(self, key)
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
                lambda changed=changed: self.replace(
                    key, changed, translate("Timeline", "Change a keyframe")
                ),
            )
            action.setCheckable(True)
            action.setChecked(key.held == held)
        menu.addSeparator()
        menu.addAction(translate("Timeline", "Type its value…"), lambda: self.line.type_value(self, key))
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


class Strip(Row):
    """A bar for each frame that is restored."""

    def __init__(self, line: Timeline, session: Session, kind: str) -> None:
        super().__init__(line, session)
        self.kind = kind

    def name(self) -> str:
        """See Row."""
        return (
            translate("Timeline", "Residual")
            if self.kind == "residual"
            else translate("Timeline", "Warp error")
        )

    def values(self) -> tuple[Mapping[int, float], float]:
        """By frame, and what fills the row at least."""
        marks = self.line.marks
        return (marks.residual, 1.0) if self.kind == "residual" else (marks.warp, 1e-3)

    def paint(self, painter: QPainter) -> None:
        """See Row."""
        (values, least), colours, line = self.values(), theme.current(), self.line
        painter.fillRect(self.rect, colours.colour("canvas", 0.5))
        width = max(line.x_of(1) - line.x_of(0), 1)
        colour = colours.colour("accent" if self.kind == "residual" else "blue", 0.6)
        most = max(max(values.values(), default=0) * 1.15, least)
        for index, value in values.items():
            height = self.rect.height() * max(0.04, value / most)
            painter.fillRect(QRectF(line.x_of(index), self.rect.bottom() - height, width, height), colour)

    def tip(self, at: QPointF) -> str:
        """See Row."""
        index = self.line.index_at(at.x())
        value = self.values()[0].get(index)
        if self.kind == "residual":
            words = translate(
                "Timeline", "How far the restored face, degraded again, is from the footage: |A x̂ − y|"
            )
            return (
                words
                if value is None
                else f"{words}\n" + translate("Timeline", "{0:.2f} levels in this frame").format(value)
            )
        words = translate(
            "Timeline", "How much the face flickers from one frame to the next, along its motion: E_warp"
        )
        return words if value is None else f"{words}\n{value:.2e}"


def label_of(name: str) -> str:
    """A setting's name in the user's language."""
    label = fields(GROUPS[GROUP_OF[name]])[name].help.label
    return translate("settings", label)
