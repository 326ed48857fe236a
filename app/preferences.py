"""What the application remembers about its user, apart from projects."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import platformdirs

from flair_core.runtime import files

RECENT = 8
THEMES = ("dark", "light", "system")
LANGUAGES = {"en": "English", "de": "Deutsch"}
"""By their names in app/translations; each as its speakers call it."""
DEVICES = ("auto", "all", "cpu", "cuda", "mps")
AUTOSAVES = (5, 15, 60, 300)
"""Seconds from one autosave to the next."""
AMPLIFIED = (2, 4, 8, 16, 32)
"""Times that a difference is shown brighter."""

CHOICES = {
    "language": ("system", *LANGUAGES),
    "theme": THEMES,
    "device": DEVICES,
    "autosave": AUTOSAVES,
    "amplified": AMPLIFIED,
}
"""The values that each preference may take."""


def folder() -> Path:
    """Where preferences, the queue and recovered projects lie."""
    return platformdirs.user_config_path("flair-studio", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Kept in preferences.json."""

    language: str = "system"
    theme: str = "dark"
    device: str = "auto"
    autosave: int = 15
    amplified: int = 8
    recent: tuple[str, ...] = ()
    """Projects and clips, the last one first."""
    window: str = ""
    """Size and place of the window, as Qt writes it, in hexadecimal digits."""
    groups: tuple[str, ...] = ()
    """Groups of settings that are open in the panel."""
    export: dict[str, object] = field(default_factory=dict)
    """What was chosen in the export dialog last."""

    def opened(self, path: Path) -> Preferences:
        """With `path` first among the recent files."""
        name = str(path)
        return replace(self, recent=(name, *(other for other in self.recent if other != name))[:RECENT])

    @property
    def usual_folder(self) -> str:
        """Where files are asked for at first: the folder of the one opened last; empty where there is none."""
        return next((str(path.parent) for path in map(Path, self.recent) if path.parent.is_dir()), "")


def load() -> Preferences:
    """What was saved; defaults where nothing usable was."""
    try:
        data = json.loads((folder() / "preferences.json").read_text(encoding="utf-8"))
        known = {entry.name for entry in fields(Preferences)}
        loaded = Preferences(**{key: value for key, value in data.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return Preferences()
    usual = Preferences()
    for name, values in CHOICES.items():
        if getattr(loaded, name) not in values:
            loaded = replace(loaded, **{name: getattr(usual, name)})
    if not isinstance(loaded.export, dict):
        loaded = replace(loaded, export={})
    if not isinstance(loaded.window, str):
        loaded = replace(loaded, window="")
    if not isinstance(loaded.groups, list | tuple):
        loaded = replace(loaded, groups=())
    return replace(loaded, recent=tuple(map(str, loaded.recent)), groups=tuple(map(str, loaded.groups)))


def save(preferences: Preferences) -> None:
    """Keep them; a folder that can't be written is no reason to stop."""
    text = json.dumps(asdict(preferences), indent=2) + "\n"
    with contextlib.suppress(OSError):
        # Not durable: the window would wait for the disk.
        files.write_text(folder() / "preferences.json", text, durable=False)
