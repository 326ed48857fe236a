"""The window in another language: every word translated, everything in its place."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt, QTranslator
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QGroupBox,
    QLabel,
    QMenu,
    QWidget,
)

from app import preferences, translations
from app.translations.__main__ import renew
from app.widgets.controls import Number
from app.widgets.dialogs import CrashDialog, ExportDialog, JobLog, PreferencesDialog, ShortcutsDialog
from app.widgets.elided import Elided
from app.widgets.models import ModelsDialog
from flair_core.jobs.request import Request
from flair_core.settings.look import Look

HERE = Path(translations.__file__).parent
LANGUAGES = [name for name in preferences.LANGUAGES if name != translations.SOURCE]
ENGLISH = re.compile(
    r"\b([Tt]he|of|and|with|this|that|from|are|[Ww]hat|[Hh]ow|for|by|your|[Ww]here|not|[Hh]ere)\b"
)
NAMES = re.compile(r"https?://\S+|„[^“]*“|[\w./-]+/[\w./-]+|<[^>]*>")
"""Addresses, what is quoted, paths, marks."""
UNCHANGED = {"Export", "Format"}


def messages(path):
    """(context, source): translation; None where it is not finished."""
    found = {}
    for context in ET.parse(path).getroot().iter("context"):
        for message in context.iter("message"):
            translation = message.find("translation")
            text = None if translation.get("type") else translation.text
            found[context.findtext("name"), message.findtext("source")] = text
    return found


@pytest.fixture(params=LANGUAGES)
def language(request, qapp):
    yield request.param
    translations.apply(translations.SOURCE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_program_is_translated(language, tmp_path):
    renewed = tmp_path / f"{language}.ts"
    shutil.copy(HERE / renewed.name, renewed)
    renew([renewed])
    now, kept = messages(renewed), messages(HERE / renewed.name)
    remedy = "run python -m app.translations and translate what is unfinished"
    assert [key for key, text in now.items() if not text] == [], remedy
    assert now == kept, remedy


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_agree_with_their_sources(language):
    for (_, source), text in messages(HERE / f"{language}.ts").items():
        for part in (r"\{[^}]*\}", "&", "\n", "…$", r"\.$", r"\(\*.*\)$", "https?://[^ ]*", "^ *", "["):
            pattern = re.escape(part) if part == "[" else part
            assert sorted(re.findall(pattern, source)) == sorted(re.findall(pattern, text)), (source, text)


def test_what_was_compiled_is_what_was_translated(language):
    translator = QTranslator()
    assert translator.load(str(HERE / f"{language}.qm"))
    for (context, source), text in messages(HERE / f"{language}.ts").items():
        assert translator.translate(context, source) == text


def test_the_system_chooses_unless_the_user_does(monkeypatch):
    assert translations.spoken("en") == "en"
    for preferred, spoken in ((["pt-BR", "de-AT", "en"], "de"), (["pt-BR", "fr"], "en")):
        system = SimpleNamespace(uiLanguages=lambda preferred=preferred: preferred)
        monkeypatch.setattr(translations.QLocale, "system", lambda system=system: system)
        assert translations.spoken("system") == spoken


@pytest.mark.parametrize("name", [translations.SOURCE, *LANGUAGES])
def test_no_two_entries_of_a_menu_answer_to_the_same_letter(qtbot, request, qapp, name):
    translations.apply(name)
    request.addfinalizer(lambda: translations.apply(translations.SOURCE))
    bar = request.getfixturevalue("window").actions_.bar
    for actions in [bar.actions(), *(menu.menu().actions() for menu in bar.actions())]:
        letters = [re.search("&(.)", action.text()) for action in actions]
        keys = [letter[1].lower() for letter in letters if letter]
        assert len(keys) == len(set(keys)), [action.text() for action in actions]


@pytest.fixture
def spoken(language, request, qtbot, tmp_path):
    """The window in the language at 1280 × 800, and its dialogs."""
    translations.apply(language)
    window = request.getfixturevalue("opened")
    window.resize(1280, 800)
    source, output = window.session.clip.path, tmp_path / "aus.mp4"
    window.queue.add(Request(source=source, output=output, look=Look(), span=range(2)))
    qtbot.waitUntil(lambda: not window.queue.open)
    window.banner.hide()
    window.welcome.show_recent([str(window.session.clip.path)])
    dialogs = (
        ExportDialog(window.session, window),
        PreferencesDialog(preferences.load(), window),
        ShortcutsDialog(window.actions_.groups, window),
        CrashDialog("", window),
        JobLog(window.queue.jobs[0], "…", window),
        ModelsDialog(window.downloads, window),
    )
    for dialog in dialogs:
        dialog.show()
    QApplication.processEvents()
    return window, dialogs


def words_of(root):
    for widget in [root, *root.findChildren(QWidget)]:
        yield from (
            widget.toolTip(),
            widget.accessibleName(),
            widget.accessibleDescription(),
            widget.windowTitle(),
        )
        if isinstance(widget, QAbstractButton | QLabel):
            yield widget.text()
        if isinstance(widget, QGroupBox | QMenu):
            yield widget.title()
        if isinstance(widget, QComboBox):
            yield from (widget.itemText(at) for at in range(widget.count()))
        yield from (action.text() for action in widget.actions())


def test_nothing_in_the_window_stays_english(spoken, language):
    window, dialogs = spoken
    known = messages(HERE / f"{language}.ts")
    english = {source for (_, source), text in known.items() if text != source} - UNCHANGED
    patterns = [
        re.compile(".+".join(map(re.escape, re.split(r"\{[^}]*\}", one)))) for one in english if len(one) > 9
    ]
    shown = {words for root in (window, *dialogs) for words in words_of(root) if words}
    assert len(shown) > 200
    of_the_core = window.queue.jobs[0].notes
    for words in shown:
        plain = re.sub("|".join(map(re.escape, of_the_core)), "", words)
        assert plain not in english
        assert not any(pattern.fullmatch(plain) for pattern in patterns), plain
        assert not ENGLISH.search(NAMES.sub("", plain)), plain


def test_nothing_is_cut_off(spoken):
    window, dialogs = spoken
    assert (window.width(), window.height()) == (1280, 800)
    for root in (window, *dialogs):
        assert root.width() <= 1280, f"{root.windowTitle()} is {root.width()} wide"
        assert root.height() <= 800
        for widget in root.findChildren(QWidget):
            if not isinstance(widget, QAbstractButton | QLabel) or isinstance(widget, Elided):
                continue
            if widget.isVisible() and widget.text() and not getattr(widget, "wordWrap", bool)():
                assert widget.width() >= widget.sizeHint().width(), widget.text()
    window.resize(1024, 640)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1024, 640), "a small screen"
    for row in window.timeline.rows:
        metrics = window.timeline.fontMetrics()
        assert metrics.horizontalAdvance(row.name()) * 10 / 12 < 62, row.name()


def test_numbers_are_written_as_in_the_paper_and_typed_as_one_likes(qtbot, language):
    translations.apply(language)
    number = Number()
    qtbot.addWidget(number)
    number.setRange(0, 10)
    for typed in ("0.5", "0,5"):
        number.setValue(9)
        number.selectAll()
        qtbot.keyClicks(number, typed)
        qtbot.keyClick(number, Qt.Key.Key_Return)
        assert (number.value(), number.text()) == (0.5, "0.50")
