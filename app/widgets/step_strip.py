"""The reverse diffusion, step by step: what the network saw, after data consistency, after enhancement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

from app import theme
from app.imaging import Picture, to_qimage
from app.widgets.canvas import Canvas
from app.widgets.named import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent

    from app.requests import Stages

SIDE, GAP = 52, 6
STAGES = ("x0", "after DC", "after G")
translate = QCoreApplication.translate


class StepStrip(QWidget):
    """A row of small pictures, one for each step; click one to look at its three stages."""

    chosen = Signal(object)
    """Stages of the step, or None."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._film = _Film()
        self._buttons = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(named(QLabel(self.tr("steps")), "muted"))
        row.addWidget(self._film, 1)
        tips = {
            "x0": self.tr("What the network makes of the noisy picture, eq. (3)"),
            "after DC": self.tr("After data consistency, eq. (9)"),
            "after G": self.tr("After enhancement, eq. (12)"),
        }
        for number, name in enumerate(STAGES):
            button = QPushButton(title_of(name))
            button.setCheckable(True)
            button.setToolTip(tips[name])
            self._buttons.addButton(button, number)
            row.addWidget(button)
        self._buttons.button(2).setChecked(True)
        self._buttons.idToggled.connect(lambda at, on: self._film.show_stage(STAGES[at]) if on else None)
        self._film.chosen.connect(self.chosen)

    def show_stages(self, stages: Sequence[Stages]) -> None:
        """Show the steps done so far."""
        self._film.show_stages(stages)

    def choose(self, step: int | None) -> None:
        """Mark a step, or none."""
        self._film.choose(step)


class _Film(QWidget):
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._stages: Sequence[Stages] = ()
        self._stage = STAGES[-1]
        self._pictures: dict[int, QImage] = {}
        self._step: int | None = None
        self.setFixedHeight(SIDE + 4)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.tr("Steps of the diffusion"))
        self.setToolTip(self.tr("Click a step to see what each stage made of it"))

    def sizeHint(self) -> QSize:
        return QSize(300, SIDE + 4)

    def show_stages(self, stages: Sequence[Stages]) -> None:
        if stages is self._stages:
            return
        if tuple(stages[: len(self._stages)]) != tuple(self._stages):
            self._pictures.clear()
            self.choose(None)
        self._stages = stages
        self.update()

    def show_stage(self, name: str) -> None:
        self._stage = name
        self._pictures.clear()
        self.update()

    def choose(self, step: int | None) -> None:
        if step != self._step:
            self._step = step
            self.update()
            self.chosen.emit(next((stage for stage in self._stages if stage.step == step), None))

    def _shown(self) -> list[Stages]:
        """As many steps as fit, spread evenly, the last one always among them."""
        room = max(1, (self.width() + GAP) // (SIDE + GAP))
        count = len(self._stages)
        if count <= room:
            return list(self._stages)
        return [self._stages[round(at * (count - 1) / max(room - 1, 1))] for at in range(room)]

    def paintEvent(self, _: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if not self._stages:
            painter.setPen(colours.colour("muted"))
            hint = self.tr("appear here while a face is restored")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, hint)
        for at, stages in enumerate(self._shown()):
            box = QRectF(at * (SIDE + GAP) + 1, 2, SIDE, SIDE)
            painter.drawImage(box, self._picture(stages))
            marked = stages.step == self._step
            painter.setPen(QPen(colours.colour("accent" if marked else "border"), 2 if marked else 1))
            painter.drawRect(box)

    def _picture(self, stages: Stages) -> QImage:
        if stages.step not in self._pictures:
            image = stages.images.get(self._stage, next(iter(stages.images.values())))
            side = round(SIDE * self.devicePixelRatioF())
            smooth = Qt.TransformationMode.SmoothTransformation
            self._pictures[stages.step] = to_qimage(image).scaledToWidth(side, smooth)
        return self._pictures[stages.step]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at, shown = int(event.position().x() // (SIDE + GAP)), self._shown()
        step = shown[at].step if at < len(shown) else None
        self.choose(None if step == self._step else step)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        move = {int(Qt.Key.Key_Left): -1, int(Qt.Key.Key_Right): 1}.get(event.key())
        shown = [stages.step for stages in self._shown()]
        if move is None or not shown:
            super().keyPressEvent(event)
            return
        at = shown.index(self._step) + move if self._step in shown else 0
        self.choose(shown[min(max(at, 0), len(shown) - 1)])


class StageView(Canvas):
    """The stages of one step side by side, large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: list[tuple[str, Picture]] = []
        self.setAccessibleName(self.tr("Stages of a step"))
        self.setAccessibleDescription(
            self.tr("What the network, data consistency and the enhancer made of one step, side by side")
        )

    def show_stages(self, stages: Stages) -> None:
        """Show one step."""
        title = self.tr("step {0} · {1}")
        self._images = [
            (title.format(stages.step, title_of(name)), Picture(rgb)) for name, rgb in stages.images.items()
        ]
        self.set_picture_size(self._images[0][1].size)
        self.zoomed.emit()
        self.update()

    def columns(self) -> int:
        """One for each stage."""
        return max(1, len(self._images))

    def paint_column(self, painter: QPainter, column: int, pane: QRectF, target: QRectF) -> None:
        """See Canvas."""
        caption, picture = self._images[column]
        self.draw_picture(painter, target, picture)
        self.draw_pill(painter, caption, pane, Qt.AlignmentFlag.AlignLeft)
        if column == 0:
            self.draw_pill(painter, self.tr("Esc: back to the picture"), pane, Qt.AlignmentFlag.AlignBottom)


def title_of(stage: str) -> str:
    """A stage in words."""
    words = {"after DC": translate("StepStrip", "after DC"), "after G": translate("StepStrip", "after G")}
    return words.get(stage, "x₀")
