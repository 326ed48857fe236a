"""What to export: format, quality, frames and file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import platformdirs
from PySide6.QtCore import QCoreApplication, QStandardPaths, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from app.widgets.dialogs.parts import column_of, explained_buttons
from app.widgets.named import named
from flair_core.jobs.request import Request
from flair_core.settings.output import OutputOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.session import Session
    from flair_core.settings.look import Look

translate = QCoreApplication.translate
FORMATS = (
    ("h264", ".mp4"),
    ("h265", ".mp4"),
    ("av1", ".mkv"),
    ("prores", ".mov"),
    ("ffv1", ".mkv"),
    ("ffv1-rgb", ".mkv"),
    ("png", ""),
)
MB = 10**6
BYTES_PER_PIXEL = {"prores": 1.0, "ffv1": 2.0, "ffv1-rgb": 3.0, "png": 3.0}
"""Of a written frame, roughly and rather too many."""
USUAL_BYTES = 0.1


class ExportDialog(QDialog):
    """Asks for format, range and file."""

    def __init__(
        self,
        session: Session,
        parent: QWidget | None = None,
        *,
        remembered: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """remembered: the `choices` of an earlier one."""
        super().__init__(parent)
        clip = session.clip
        assert clip is not None
        self._session, self._clip = session, clip
        self.setWindowTitle(self.tr("Export"))
        self.setMinimumWidth(480)
        self._format = QComboBox()
        self._formats = list(_formats(self.tr("PNG images, a folder")))
        for codec, suffix, label in self._formats:
            self._format.addItem(label, (codec, suffix))
        self._range = QComboBox()
        self._range.addItem(self.tr("In to out · {0} frames").format(len(session.span)), session.span)
        if len(session.span) != len(clip):
            self._range.addItem(self.tr("Whole clip · {0} frames").format(len(clip)), range(len(clip)))
        self._path = QLineEdit(str(_unused(_folder_for(clip.path) / f"{clip.path.stem}-restored.mp4")))
        width, height = (
            extent * session.settings.magnification for extent in (clip.info.width, clip.info.height)
        )
        sound = self.tr("copied unchanged") if clip.info.has_audio else self.tr("the clip has none")
        self._make_options(clip.info.bit_depth)
        form = self._form(size=f"{width} × {height}", sound=sound)
        buttons = explained_buttons(self, QDialogButtonBox.StandardButton.Cancel)
        go = buttons.addButton(self.tr("Add to queue"), QDialogButtonBox.ButtonRole.AcceptRole)
        go.setObjectName("primary")
        go.setToolTip(self.tr("It is rendered in the background, after those before it"))
        self._path.setToolTip(self.tr("Where the restored clip is written; it appears when it is complete"))
        self._format.setToolTip(self.tr("Codec and kind of file"))
        self._range.setToolTip(self.tr("Which frames are written"))
        column = column_of(self)
        self._space = named(QLabel(wordWrap=True), "name")
        self._space.hide()
        column.addLayout(form)
        column.addWidget(self._space)
        column.addWidget(buttons)
        self._format.currentIndexChanged.connect(self._change_format)
        self._range.currentIndexChanged.connect(self._check_space)
        self._path.editingFinished.connect(self._check_space)
        self._output_pixels = width * height
        self._offer_encoder()
        self._recall(remembered)
        self._check_space()

    def _form(self, *, size: str, sound: str) -> QFormLayout:
        """What is asked for, and what follows from the clip, one row each."""
        form = QFormLayout()
        form.setSpacing(10)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        rows: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Format"), self._format),
            (self.tr("Depth"), self._depth),
            (self.tr("Quality"), self._quality),
            ("", self._hardware),
            (self.tr("Frames"), self._range),
            (self.tr("Size"), QLabel(size)),
            (self.tr("Sound"), QLabel(sound)),
            ("", self._streams),
            (self.tr("File"), self._path),
            ("", self._burn_in),
            ("", self._credentials),
            ("", self._record),
            ("", self._matte),
        )
        for words, field in rows:
            if field is self._path:
                form.addRow(words, self._path_row())
            else:
                form.addRow(words, field)
            field.setAccessibleName(field.text() if isinstance(field, QCheckBox) else words)
        return form

    def _path_row(self) -> QHBoxLayout:
        browse = QPushButton(self.tr("Choose…"))
        browse.clicked.connect(self._browse)
        browse.setToolTip(self.tr("Choose folder and name of the file"))
        row = QHBoxLayout()
        row.addWidget(self._path, 1)
        row.addWidget(browse)
        return row

    def _make_options(self, depth: int) -> None:
        """How it is encoded, and what is written besides the pictures."""
        self._depth = QComboBox()
        self._depth.addItem(self.tr("As the source · {0} bits").format(depth), None)
        for bits in (8, 10):
            self._depth.addItem(self.tr("{0} bits").format(bits), bits)
        self._depth.setToolTip(
            self.tr(
                "Ten bits keep slow gradients smooth; into eight the result is dithered, so that none band"
            )
        )
        self._quality = QSpinBox(minimum=-1, maximum=51, value=-1)
        self._quality.setSpecialValueText(self.tr("Usual"))
        self._quality.setToolTip(
            self.tr("The encoder's constant quality (CRF): smaller is better and larger")
        )
        self._quality.lineEdit().setTextMargins(6, 0, 0, 0)
        self._hardware = QCheckBox(self.tr("Encode on the graphics card"))
        self._hardware.setToolTip(
            self.tr("Faster; where no card can, the processor does it and the job says so")
        )
        self._streams = QCheckBox(self.tr("Take sound, subtitles and chapters along"))
        self._streams.setChecked(True)
        self._streams.setToolTip(
            self.tr("Copied unchanged and kept in step; without a tick the file is silent")
        )
        self._burn_in = QCheckBox(self.tr("Write the settings into the picture"))
        self._burn_in.setToolTip(
            self.tr("A line of text along the lower edge of every frame, for comparing versions")
        )
        self._credentials = QCheckBox(self.tr("Say in the file that faces were restored"))
        self._credentials.setToolTip(
            self.tr(
                "Program, settings, networks and the source's checksum, in the way of content credentials"
            )
        )
        self._record = QCheckBox(self.tr("Write how it was made beside it"))
        self._record.setChecked(True)
        self._record.setToolTip(self.tr("Settings, seed, networks and checksums, as a small JSON file"))
        self._matte = QCheckBox(self.tr("Write a matte of what was generated"))
        self._matte.setToolTip(self.tr("A second video: white where pixels were generated, black where not"))

    @property
    def _ticks(self) -> dict[str, QCheckBox]:
        """Those that are remembered: writing into the picture is asked for each time."""
        return {
            "hardware": self._hardware,
            "beside": self._streams,
            "credentials": self._credentials,
            "record": self._record,
            "matte": self._matte,
        }

    @property
    def choices(self) -> dict[str, object]:
        """What the next dialog should begin with."""
        return {
            "codec": self._format.currentData()[0],
            "bits": self._depth.currentData(),
            "quality": self._quality.value(),
            **{name: box.isChecked() for name, box in self._ticks.items()},
        }

    def _recall(self, remembered: Mapping[str, object]) -> None:
        codecs = [codec for codec, *_ in self._formats]
        if remembered.get("codec") in codecs:
            self._format.setCurrentIndex(codecs.index(str(remembered["codec"])))
        self._depth.setCurrentIndex(max(self._depth.findData(remembered.get("bits")), 0))
        quality = remembered.get("quality")
        if isinstance(quality, int):
            self._quality.setValue(quality)
        for name, box in self._ticks.items():
            box.setChecked(bool(remembered.get(name, box.isChecked())))

    def _check_space(self) -> None:
        """Warn where the disk is nearly full; an estimate, so nothing is forbidden."""
        folder = Path(self._path.text()).expanduser().absolute().parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            return  # the export itself says what is wrong with the folder
        codec, frames = self._format.currentData()[0], len(self._range.currentData())
        needed = self._output_pixels * frames * BYTES_PER_PIXEL.get(codec, USUAL_BYTES)
        self._space.setText(
            self.tr("Only {0} MB are free there; this export may need about {1} MB.").format(
                f"{free / MB:.0f}", f"{needed / MB:.0f}"
            )
        )
        self._space.setVisible(free < needed)

    def _look(self) -> Look:
        """What is previewed; where shots are still being found, the job itself looks for them, and at each."""
        session = self._session
        own = session.project.look
        known = session.shots_complete or bool(own.shots) or not own.asks(0)
        return session.filled_look if known else own

    def request(self, device: str) -> Request:
        """What was asked for, as a job."""
        session = self._session
        output = Path(self._path.text()).expanduser().absolute()
        span, searched, look = self._range.currentData(), session.searched, self._look()
        within = span.start in searched and span.stop - 1 in searched
        matte = output.with_name(f"{output.stem}-matte{output.suffix}") if self._matte.isChecked() else None
        return Request(
            source=self._clip.path,
            output=output,
            look=look,
            span=span,
            with_streams=self._streams.isChecked(),
            burn_in=self._burn_in.isChecked(),
            credentials=self._credentials.isEnabled() and self._credentials.isChecked(),
            device=device,
            sidecar=self._record.isChecked(),
            matte=matte,
            searched=searched if within else None,
            left_out=session.project.left_out,
            drawn=session.project.drawn,
            strokes=session.project.strokes,
            notes=_said(session, look, span),
            encoding=OutputOptions(
                codec=self._format.currentData()[0],
                bits=self._depth.currentData() if self._depth.isEnabled() else None,
                quality=self._quality.value()
                if self._quality.isEnabled() and self._quality.value() >= 0
                else None,
                hardware=self._hardware.isEnabled() and self._hardware.isChecked(),
            ),
        )

    def _change_format(self) -> None:
        self._path.setText(str(_unused(Path(self._path.text()).with_suffix(self._format.currentData()[1]))))
        self._offer_encoder()
        self._check_space()

    def _offer_encoder(self) -> None:
        """Only what the format has."""
        from flair_core.video import CODECS

        codec = CODECS.get(self._format.currentData()[0])
        self._depth.setEnabled(codec is not None and {8, 10} <= codec.formats.keys())
        self._quality.setEnabled(codec is not None and codec.quality is not None)
        self._hardware.setEnabled(codec is not None and bool(codec.hardware))
        self._credentials.setEnabled(codec is not None)

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Export to"), self._path.text())
        if path:
            self._path.setText(path)
            self._check_space()


def _said(session: Session, look: Look, span: range) -> tuple[str, ...]:
    """What Auto found of the shots of a span, as far as it is in the look already: the job will not ask again."""
    from flair_core.restoration.auto import sentence

    asked = session.look
    return tuple(
        sentence(found, leave_sharp=asked.resolve(found.frames.start).faces.leave_sharp)
        for found in session.found_now
        if asked.asks(found.frames.start)
        and not look.asks(found.frames.start)
        and found.frames.start < span.stop
        and span.start < found.frames.stop
    )


def _folder_for(clip: Path) -> Path:
    """Where an export of it goes at first: its own folder, unless that is no place for a user's files."""
    kept_for_us = platformdirs.user_cache_path("flair-studio", appauthor=False) in clip.parents
    if os.access(clip.parent, os.W_OK) and not kept_for_us:
        return clip.parent
    films = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation))
    return films if films.is_dir() else Path.home()


def _unused(path: Path) -> Path:
    """The path, with a number where a file of that name exists: an earlier export is not written over unasked."""
    stem, number = path.stem, 2
    while path.exists():
        path, number = path.with_name(f"{stem}-{number}{path.suffix}"), number + 1
    return path


def _formats(images: str) -> Iterable[tuple[str, str, str]]:
    """(codec, suffix, words) of every format there is."""
    from flair_core.video import CODECS

    for codec, suffix in FORMATS:
        if codec in CODECS:
            label = translate("video", CODECS[codec].label)
            yield codec, suffix, f"{label} · {suffix[1:]}"
    yield "png", "", images
