"""The rows of the timeline: what each one paints, and what the mouse does in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QMenu

from app import theme
from app.timecode import timecode
from flair_core.settings.fields import fields
from flair_core.settings.groups import GROUPS
from flair_core.settings.look import GROUP_OF

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.session import Session
    from app.widgets.time_axis import TimeAxis
    from flair_core.faces.track import Track

    Drag = Callable[[QPointF], None]
    """Called with each place that the mouse is dragged to."""

RULER, FILM, SHOTS, LANE, STRIP = 20, 40, 14, 9, 18
MOST_LANES = 3
TICKS = (1, 2, 5, 10, 20, 50)
TICK_DISTANCE = 92
"""Least pixels from one number of the ruler to the next."""
REACH = 6
"""Pixels around a keyframe in which it is taken."""


translate = QCoreApplication.translate


class Row:
    """A strip as wide as the timeline; `rect` is where it lies now."""

    HEIGHT: ClassVar[float] = STRIP

    def __init__(self, line: TimeAxis, session: Session) -> None:
        self.line, self.session = line, session
        self.rect = QRectF()

    @property
    def height(self) -> float:
        """In pixels."""
        return self.HEIGHT

    def name(self) -> str:
        """Words at the left."""
        return ""

    def paint(self, painter: QPainter) -> None:
        """Draw what is visible."""

    def press(self, at: QPointF) -> Drag | None:
        """The left button goes down: what dragging does, or None to move the playhead."""
        del at
        return None

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
        return None

    def tip(self, at: QPointF) -> str:
        """What lies under the pointer, in words."""
        del at
        return ""


class Ruler(Row):
    """Timecodes."""

    HEIGHT = RULER

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

    HEIGHT = FILM

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

    HEIGHT = SHOTS

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


class FaceRow(Row):
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
    def height(self) -> float:
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


class Strip(Row):
    """A bar for each frame that is restored."""

    def __init__(self, line: TimeAxis, session: Session, kind: str) -> None:
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
