"""The panel of all settings, built from what flair_core.settings says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from app.widgets.controls import ChoiceControl, Control, control_for
from app.widgets.estimator import Estimator
from app.widgets.key_button import KEY_SIDE, KeyButton
from app.widgets.named import named
from app.widgets.schedule_plot import SchedulePlot
from app.widgets.scopes import Scopes
from flair_core.checkpoints import catalogue, store
from flair_core.settings.fields import fields
from flair_core.settings.groups import GROUPS, WITH_FIDELITY
from flair_core.settings.look import KEYFRAMED, Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from app.session import Session
    from flair_core.settings.look import Look

OF_PARSERS = ("hair", "neck", "glasses", "occluders")
SECTIONS = (
    ("Sampler", "sampler", ("model", "steps", "rho", "samples", "seed", "policy")),
    ("Data consistency", "sampler", ("gamma", "gamma_curve")),
    (
        "Enhancement",
        "sampler",
        (
            "enhancer",
            "fidelity",
            "w_tau",
            "w_curve",
            "tau",
            "w_eyes",
            "w_mouth",
            "w_skin",
            "null_space_lock",
            "monochrome",
        ),
    ),
    (
        "Degradation",
        "degradation",
        ("scale", "kernel", "blur_sigma", "blur_ratio", "motion_length", "angle", "noise", "jpeg"),
    ),
    (
        "Faces",
        "faces",
        ("aligned", "detector", "upscale", "feather", "mask", *OF_PARSERS, "match_colour", "grain"),
    ),
    ("Footage", "footage", ("deinterlace", "rate")),
)
ONLY_WITH_KERNEL = {
    "blur_sigma": ("gaussian",),
    "blur_ratio": ("gaussian",),
    "motion_length": ("motion",),
    "angle": ("gaussian", "motion"),
    "noise": ("bicubic", "gaussian", "motion"),
    "jpeg": ("bicubic", "gaussian", "motion"),
}


class Parameters(QFrame):
    """Shows the session's settings and edits them."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._session = session
        self.controls: dict[tuple[str, str], Control] = {}
        self.keys: dict[str, KeyButton] = {}
        self.scopes = Scopes(session)
        self._shown: tuple[object, ...] | None = None
        self.schedule = SchedulePlot()
        self.estimator = Estimator()
        inner = named(QWidget(), "inner")
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(10, 4, 8, 10)
        self._column.setSpacing(3)
        for title, group, names in SECTIONS:
            self._add_section(title, group, names)
        self._column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(inner)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        frame = QVBoxLayout(self)
        frame.setContentsMargins(1, 1, 1, 1)
        frame.setSpacing(0)
        frame.addWidget(self.scopes)
        frame.addWidget(scroll)
        for signal in (
            session.project_changed,
            session.scope_changed,
            session.shots_changed,
            session.faces_changed,
        ):
            signal.connect(self._follow)
        session.index_changed.connect(self._follow)
        session.clip_changed.connect(lambda: self.estimator.refresh(session.clip is not None))
        self._show()

    def _add_section(self, title: str, group: str, names: tuple[str, ...]) -> None:
        if self._column.count():
            self._column.addSpacing(8)
        text = QCoreApplication.translate("settings", title)
        self._column.addWidget(named(QLabel(text.upper()), "heading"))
        known = fields(GROUPS[group])
        for name in names:
            control = self.controls[group, name] = control_for(known[name])
            words = QCoreApplication.translate("settings", known[name].help.label)
            control.changed.connect(
                lambda value, name=name, words=words: self._edit(group, name, value, words)
            )
            control.reset.clicked.connect(
                lambda _, name=name, words=words: self._session.reset_setting(
                    name, self.tr("Reset {0}").format(words)
                )
            )
            if name in KEYFRAMED:
                key = self.keys[name] = KeyButton(words)
                key.clicked.connect(
                    lambda _, name=name, words=words: self._session.toggle_key(
                        name, self.tr("Keyframe of {0}").format(words)
                    )
                )
                control.row.addWidget(key)
            else:
                aside = control.aside or QWidget()
                aside.setFixedWidth(KEY_SIDE)
                control.row.addWidget(aside)
            self._column.addWidget(control)
        if title == "Enhancement":
            self._column.addWidget(self.schedule)
            self.schedule.shaped.connect(
                lambda name, curve: self.controls["sampler", name].changed.emit(curve)
            )
        if title == "Degradation":
            self._column.addWidget(self.estimator)

    def offer(self, choices: Mapping[str, Sequence[str]], lacking: Collection[str]) -> None:
        """Offer the networks by the setting's name; of those that are lacking, how to get them."""
        how = {name: self._how_to_get(name) for name in lacking}
        for (_, name), control in self.controls.items():
            if name in choices and isinstance(control, ChoiceControl):
                control.set_choices(choices[name], how)
        self._show()

    def _how_to_get(self, name: str) -> str:
        entry = catalogue.CHECKPOINTS[name]
        source = QCoreApplication.translate("weights", entry.source)
        return self.tr(
            "{0} is not on this computer. To get it, {1}. Then choose “Models…” in the menu and import the file, "
            "which puts it into {2}."
        ).format(entry.file, source, store.folder())

    def _edit(self, group: str, name: str, value: object, words: str) -> None:
        self._session.edit_setting(group, name, value, self.tr("Change {0}").format(words))

    def _follow(self) -> None:
        """The playhead has moved: settings may be others there."""
        if self._shown != self._state():
            self._show()

    def _state(self) -> tuple[object, ...]:
        session = self._session
        look, scope = session.look, session.scope
        place = session.index if look.keyed(scope) else look.shot_at(session.index).start
        return look.seen_from(scope, session.index), look, scope, place, session.faces_here

    def _show(self) -> None:
        session = self._session
        look, scope = session.look, session.scope
        settings, own = look.seen_from(scope, session.index), look.own(scope)
        self._shown = self._state()
        narrower = self._narrower(look, scope)
        for (group, name), control in self.controls.items():
            control.set_value(getattr(getattr(settings, group), name))
            control.setEnabled(name not in scope.fixed)
            control.mark(scope.kind != "clip" and name in own.names, narrower.get(name, ""))
        for name, key in self.keys.items():
            lane = own.lane(name)
            key.show_state(
                lane is not None, lane is not None and session.index in [k.frame for k in lane.keys]
            )
        for name, kernels in ONLY_WITH_KERNEL.items():
            self.controls["degradation", name].setVisible(settings.degradation.kernel in kernels)
        for name in ("gamma", "gamma_curve"):  # without effect where nobody knows what A is
            control = self.controls["sampler", name]
            control.setEnabled(control.isEnabled() and settings.degradation.known)
        self.controls["sampler", "fidelity"].setVisible(settings.sampler.enhancer in WITH_FIDELITY)
        for name in OF_PARSERS:
            self.controls["faces", name].setVisible(settings.faces.mask != "landmarks")
        for name in ("detector", "upscale", "feather", "match_colour", "grain"):
            control = self.controls["faces", name]
            control.setEnabled(control.isEnabled() and not settings.faces.aligned)

    def _narrower(self, look: Look, scope: Scope) -> dict[str, str]:
        """Settings that narrower scopes decide at the playhead, and which one does."""
        index, found = self._session.index, dict[str, str]()
        if scope.kind == "clip":
            shot = look.own(Scope("shot", look.shot_at(index).start))
            found |= dict.fromkeys(shot.names, self.tr("This shot has a value of its own."))
        if scope.kind != "face":
            for number in self._session.faces_here:
                names = look.own(Scope("face", number)).names
                found |= dict.fromkeys(names, self.tr("A face in this frame has a value of its own."))
        return found
