"""The panel of all settings, built from what flair_core.settings says about them: first what most people need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from app.widgets.auto import AutoBlock, LeaveSharp
from app.widgets.controls import AutoControl, ChoiceControl, Control, control_for, label_of, tooltip_of
from app.widgets.estimator import Estimator
from app.widgets.key_button import KEY_SIDE, KeyButton
from app.widgets.looks import Looks
from app.widgets.named import named
from app.widgets.schedule_plot import SchedulePlot
from app.widgets.scopes import Scopes
from app.widgets.search import Search, matches
from app.widgets.section import Section
from flair_core.checkpoints import catalogue, store
from flair_core.settings.fields import fields
from flair_core.settings.groups import GROUPS, WITH_FIDELITY
from flair_core.settings.look import KEYFRAMED, Scope
from flair_core.settings.looks import LOOKS, look_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from app.session import Session
    from flair_core.settings.groups import RestorationSettings
    from flair_core.settings.look import Look

OF_PARSERS = ("hair", "neck", "glasses", "occluders")
SIMPLE = (("faces", "strength"), ("faces", "leave_sharp"))
"""Settings that stand above the groups."""
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
        (
            "scale",
            "kernel",
            "enlargement",
            "blur_sigma",
            "blur_ratio",
            "motion_length",
            "angle",
            "noise",
            "jpeg",
        ),
    ),
    (
        "Faces",
        "faces",
        ("aligned", "detector", "upscale", "feather", "mask", *OF_PARSERS, "match_colour", "grain"),
    ),
    ("Footage", "footage", ("deinterlace", "rate")),
)
ONLY_WITH_KERNEL = {
    "enlargement": ("unknown",),
    "blur_sigma": ("gaussian",),
    "blur_ratio": ("gaussian",),
    "motion_length": ("motion",),
    "angle": ("gaussian", "motion"),
    "noise": ("bicubic", "gaussian", "motion"),
    "jpeg": ("bicubic", "gaussian", "motion"),
}


class Parameters(QFrame):
    """Shows the session's settings and edits them."""

    def __init__(self, session: Session, opened: Iterable[str] = (), parent: QWidget | None = None) -> None:
        """opened: titles of the groups that are open."""
        super().__init__(parent)
        self.setObjectName("panel")
        self._session = session
        self.controls: dict[tuple[str, str], Control] = {}
        self.keys: dict[str, KeyButton] = {}
        self.sections: dict[str, Section] = {}
        self.scopes = Scopes(session)
        self._shown: tuple[object, ...] | None = None
        self._useless: set[tuple[str, str]] = set()
        """Settings without any effect at present."""
        self.schedule = SchedulePlot()
        self.estimator = Estimator()
        inner = named(QWidget(), "inner")
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(10, 4, 8, 10)
        self._column.setSpacing(3)
        self._add_simple()
        for title, group, names in SECTIONS:
            self._add_section(title, group, names)
        for title in opened:
            if title in self.sections:
                self.sections[title].open()
        self._column.addStretch(1)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setWidget(inner)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        frame = QVBoxLayout(self)
        frame.setContentsMargins(1, 1, 1, 1)
        frame.setSpacing(0)
        frame.addWidget(self.scopes)
        frame.addWidget(self._scroll)
        for signal in (
            session.project_changed,
            session.scope_changed,
            session.shots_changed,
            session.faces_changed,
            session.found_changed,
            session.index_changed,
            session.clip_changed,
        ):
            signal.connect(self._follow)
        session.clip_changed.connect(lambda: self.estimator.refresh(session.clip is not None))
        self._show()

    @property
    def opened(self) -> tuple[str, ...]:
        """Titles of the groups that are open."""
        return tuple(title for title, section in self.sections.items() if section.is_open)

    # --- arrangement ----------------------------------------------------------------------------

    def _add_simple(self) -> None:
        """Look, strength and Auto, and the field to find all else."""
        self._simple = QWidget()
        column = QVBoxLayout(self._simple)
        column.setContentsMargins(0, 0, 0, 6)
        column.setSpacing(4)
        self._heading = named(QLabel(self.tr("Look").upper()), "heading")
        column.addWidget(self._heading)
        self.looks = Looks()
        column.addWidget(self.looks)
        column.addSpacing(4)
        known = fields(GROUPS["faces"])
        strength = self._connected("faces", control_for(known["strength"]))
        strength.close_up()
        column.addWidget(strength)
        column.addSpacing(4)
        leave_sharp = LeaveSharp(known["leave_sharp"])
        self._connected("faces", leave_sharp)
        self.auto = AutoBlock(leave_sharp)
        column.addWidget(self.auto)
        self._column.addWidget(self._simple)
        self.search = Search()
        self.search.textChanged.connect(self._search)
        self._column.addWidget(self.search)
        self._nothing = named(QLabel(wordWrap=True), "muted")
        self._nothing.setText(self.tr("No setting that has an effect at present is called that."))
        self._column.addWidget(self._nothing)

    def _add_section(self, title: str, group: str, names: tuple[str, ...]) -> None:
        section = self.sections[title] = Section(QCoreApplication.translate("settings", title))
        known = fields(GROUPS[group])
        for name in names:
            section.column.addWidget(self._connected(group, control_for(known[name])))
        if title == "Enhancement":
            section.column.addWidget(self.schedule)
            self.schedule.shaped.connect(
                lambda name, curve: self.controls["sampler", name].changed.emit(curve)
            )
        if title == "Degradation":
            section.column.addWidget(self.estimator)
        self._column.addWidget(section)

    def _connected(self, group: str, control: Control) -> Control:
        """The control, which edits its setting from now on, with its keyframes."""
        name = control.field.name
        words = QCoreApplication.translate("settings", control.field.help.label)
        self.controls[group, name] = control
        control.changed.connect(lambda value: self._edit(group, name, value, words))
        control.reset.clicked.connect(
            lambda: self._session.reset_setting(name, self.tr("Reset {0}").format(words))
        )
        if name in KEYFRAMED:
            key = self.keys[name] = KeyButton(words)
            key.clicked.connect(
                lambda: self._session.toggle_key(name, self.tr("Keyframe of {0}").format(words))
            )
            control.row.addWidget(key)
        else:
            aside = control.aside or QWidget()
            aside.setFixedWidth(KEY_SIDE)
            control.row.addWidget(aside)
        return control

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

    # --- what is shown --------------------------------------------------------------------------

    def _follow(self) -> None:
        """The playhead has moved, or more is known: settings may be others there."""
        if self._shown != self._state():
            self._show()

    def _state(self) -> tuple[object, ...]:
        session = self._session
        look, scope = session.look, session.scope
        place = session.index if look.keyed(scope) else look.shot_at(session.index).start
        here = session.faces_here, session.found_here
        return look.seen_from(scope, session.index), look, scope, place, here

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
        self._show_auto(look, scope)
        self.looks.mark(look_of(settings))
        for name in ("gamma", "gamma_curve"):  # without effect where nobody knows what A is
            control = self.controls["sampler", name]
            control.setEnabled(control.isEnabled() and settings.degradation.known)
        for name in ("detector", "upscale", "feather", "match_colour", "grain"):
            control = self.controls["faces", name]
            control.setEnabled(control.isEnabled() and not settings.faces.aligned)
        self._useless = self._without_effect(settings)
        self._search()

    def _show_auto(self, look: Look, scope: Scope) -> None:
        """What was found of the shot, and that in the place of what it decides."""
        session, found = self._session, self._session.found_here
        around = scope if scope.kind == "face" else Scope("shot", look.shot_at(session.index).start)
        here = look.seen_from(around, session.index)
        by_hand = here.degradation.known or here.degradation.enlargement is not None
        name = look_of(here)
        by_look = name is not None and "enlargement" in LOOKS[name].values
        label = QCoreApplication.translate("looks", LOOKS[name].label) if name and by_look else None
        self.auto.show_found(found, by_hand=by_hand, leave_sharp=here.faces.leave_sharp, look=label)
        enlargement = self.controls["degradation", "enlargement"]
        assert isinstance(enlargement, AutoControl)
        enlargement.show_found(1.0 if found is None else found.enlargement)

    def _narrower(self, look: Look, scope: Scope) -> dict[str, str]:
        """Settings that narrower scopes, or Auto, decide at the playhead, and which one does."""
        session, found = self._session, dict[str, str]()
        index, seen = session.index, session.found_here
        if seen is not None and seen.sharp and look.asks(index) and look.resolve(index).faces.leave_sharp:
            found["strength"] = self.tr("This shot is left as filmed, since Auto found it sharp already.")
        if scope.kind == "clip":
            shot = look.own(Scope("shot", look.shot_at(index).start))
            found |= dict.fromkeys(shot.names, self.tr("This shot has a value of its own."))
        if scope.kind != "face":
            for number in session.faces_here:
                names = look.own(Scope("face", number)).names
                found |= dict.fromkeys(names, self.tr("A face in this frame has a value of its own."))
        return found

    @staticmethod
    def _without_effect(settings: RestorationSettings) -> set[tuple[str, str]]:
        kernel = settings.degradation.kernel
        useless = {
            ("degradation", name) for name, kernels in ONLY_WITH_KERNEL.items() if kernel not in kernels
        }
        if settings.sampler.enhancer not in WITH_FIDELITY:
            useless.add(("sampler", "fidelity"))
        if settings.faces.mask == "landmarks":
            useless |= {("faces", name) for name in OF_PARSERS}
        return useless

    # --- the search -----------------------------------------------------------------------------

    def _search(self) -> None:
        """Show what has an effect and is looked for, and with nothing looked for, all that has."""
        parts = self.search.parts
        any_found = self._search_simple(parts)
        for title, group, names in SECTIONS:
            found = {
                name
                for name in names
                if (group, name) not in self._useless and self._found(parts, group, name)
            }
            for name in names:
                self.controls[group, name].setVisible(name in found)
            self._search_extras(title, parts, found)
            extra = title == "Degradation" and not self.estimator.isHidden()
            self.sections[title].search(bool(found) or extra if parts else None)
            any_found = any_found or bool(found) or extra
        self._nothing.setVisible(bool(parts) and not any_found)

    def _search_simple(self, parts: Sequence[str]) -> bool:
        """Whether anything of the simple part is looked for."""
        looks = [button.text() for button in self.looks.buttons.values()]
        shown = {
            self.looks: matches(parts, self._heading.text(), *looks),
            self.controls["faces", "strength"]: self._found(parts, "faces", "strength"),
            self.auto: self._found(parts, "faces", "leave_sharp") or matches(parts, self.auto.words, "Auto"),
        }
        for widget, is_shown in shown.items():
            widget.setVisible(is_shown)
        self._heading.setVisible(shown[self.looks])
        self._simple.setVisible(any(shown.values()))
        return any(shown.values())

    def _search_extras(self, title: str, parts: Sequence[str], found: Collection[str]) -> None:
        """What stands in a group beside settings."""
        if title == "Enhancement":
            self.schedule.setVisible(not parts or "w_curve" in found)
        if title == "Degradation":
            button = self.estimator.button
            self.estimator.setVisible(matches(parts, button.text(), button.toolTip()))

    def _found(self, parts: Sequence[str], group: str, name: str) -> bool:
        field = self.controls[group, name].field
        return not parts or matches(parts, name, label_of(field), field.help.symbol, tooltip_of(field))
