"""What the application remembers about its user, apart from projects."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import platformdirs

from app.project import write_atomically

RECENT = 8
THEMES = ("dark", "light", "system")
DEVICES = ("auto", "cpu", "cuda", "mps")


def folder() -> Path:
    """Where preferences, the queue and recovered projects lie."""
    return platformdirs.user_config_path("flair-studio", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Kept in preferences.json."""

    theme: str = "dark"
    device: str = "auto"
    recent: tuple[str, ...] = ()
    """Projects and clips, the last one first."""

    def opened(self, path: Path) -> Preferences:
        """With `path` first among the recent files."""
        name = str(path)
        return replace(self, recent=(name, *(other for other in self.recent if other != name))[:RECENT])


def load() -> Preferences:
    """What was saved; defaults where nothing usable was."""
    try:
        data = json.loads((folder() / "preferences.json").read_text(encoding="utf-8"))
        known = {entry.name for entry in fields(Preferences)}
        loaded = Preferences(**{key: value for key, value in data.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return Preferences()
    theme = loaded.theme if loaded.theme in THEMES else "dark"
    device = loaded.device if loaded.device in DEVICES else "auto"
    return replace(loaded, theme=theme, device=device, recent=tuple(map(str, loaded.recent)))


def save(preferences: Preferences) -> None:
    """Keep them; a folder that can't be written is no reason to stop."""
    try:
        write_atomically(folder() / "preferences.json", json.dumps(asdict(preferences), indent=2) + "\n")
    except OSError:
        return
