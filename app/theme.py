"""Colours, style sheet and icons of the two themes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from string import Template

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by their job."""

    window: str
    panel: str
    raised: str
    border: str
    canvas: str
    text: str
    muted: str
    accent: str
    on_accent: str
    chosen: str
    blue: str
    orange: str
    red: str
    handle: str
    """Of a slider."""

    def colour(self, name: str, alpha: float = 1.0) -> QColor:
        """One of them, possibly translucent."""
        colour = QColor(getattr(self, name))
        colour.setAlphaF(alpha)
        return colour


DARK = Theme(
    window="#1a1b1f",
    panel="#212327",
    raised="#2b2d33",
    border="#34363d",
    canvas="#111216",
    text="#e4e5e8",
    muted="#9496a0",
    accent="#4bc4a0",
    on_accent="#0c211b",
    chosen="#24433b",
    blue="#7aa2f7",
    orange="#f0a35e",
    red="#f0716a",
    handle="#e4e5e8",
)
LIGHT = Theme(
    window="#eceef1",
    panel="#f8f9fb",
    raised="#ffffff",
    border="#cdd1d8",
    canvas="#d9dce1",
    text="#1d2127",
    muted="#5c636e",
    accent="#178a69",
    on_accent="#ffffff",
    chosen="#d3ece4",
    blue="#2f62c9",
    orange="#b9660f",
    red="#c43d36",
    handle="#178a69",
)


def current() -> Theme:
    """The theme in use."""
    app = QApplication.instance()
    theme = None if app is None else app.property("theme")
    return theme if isinstance(theme, Theme) else DARK


def apply(name: str) -> None:
    """Give the application a theme: "dark", "light" or "system"."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    system_is_light = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light
    theme = LIGHT if name == "light" or (name == "system" and system_is_light) else DARK
    app.setProperty("theme", theme)
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    shade = "dark" if theme is DARK else "light"
    style = Template((files("resources") / "style.qss").read_text(encoding="utf-8"))
    app.setStyleSheet(
        style.substitute(asdict(theme), arrow=_file(f"arrow-{shade}"), check=_file(f"check-{shade}"))
    )


def _palette(theme: Theme) -> QPalette:
    palette, role = QPalette(), QPalette.ColorRole
    for which, colour in {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.raised,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.PlaceholderText: theme.muted,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Link: theme.accent,
    }.items():
        palette.setColor(which, QColor(colour))
    for which in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(theme.muted))
    return palette


def _file(name: str) -> str:
    return str(files("resources") / "icons" / f"{name}.svg").replace("\\", "/")


def icon(name: str) -> QIcon:
    """A line drawing from resources/icons in the text's colour, grey if disabled, accented if chosen."""
    return _icon(name, current())


@cache
def _icon(name: str, theme: Theme) -> QIcon:
    made = QIcon()
    for mode, state, colour in (
        (QIcon.Mode.Normal, QIcon.State.Off, theme.text),
        (QIcon.Mode.Disabled, QIcon.State.Off, theme.muted),
        (QIcon.Mode.Normal, QIcon.State.On, theme.accent),
    ):
        made.addPixmap(_drawing(name, colour), mode, state)
    return made


def app_icon() -> QIcon:
    """The application's own."""
    return QIcon(_file("flair-studio"))


@cache
def _drawing(name: str, colour: str) -> QPixmap:
    svg = (files("resources") / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    pixmap = QPixmap(48, 48)
    pixmap.setDevicePixelRatio(3)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.replace("currentColor", colour).encode())).render(
        painter, QRectF(0, 0, 16, 16)
    )
    painter.end()
    return pixmap
