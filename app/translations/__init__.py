"""Puts the window's words into the user's language: <language>.qm in this folder, and Qt's own.

`python -m app.translations` renews <language>.ts from the program's words, and <language>.qm from these.
"""

from __future__ import annotations

from importlib.resources import files

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from app.preferences import LANGUAGES

SOURCE = "en"
"""The language in which the program is written."""


def spoken(language: str) -> str:
    """One of LANGUAGES; for "system" the first of those that the user's system prefers."""
    if language != "system":
        return language
    preferred = (name.split("-")[0] for name in QLocale.system().uiLanguages())
    return next((name for name in preferred if name in LANGUAGES), SOURCE)


def apply(language: str) -> None:
    """Translate what is shown from now on into one of LANGUAGES, or "system"."""
    app = QCoreApplication.instance()
    assert app is not None
    for former in app.findChildren(QTranslator):
        app.removeTranslator(former)
        former.deleteLater()
    # Numbers are written as in the paper, whatever the language: next to the formulas a comma would look odd.
    QLocale.setDefault(QLocale.c())
    language = spoken(language)
    if language == SOURCE:
        return
    of_qt = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    for file in (f"{of_qt}/qtbase_{language}.qm", str(files(__package__) / f"{language}.qm")):
        translator = QTranslator(app)
        if translator.load(file):
            app.installTranslator(translator)
