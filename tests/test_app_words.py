"""Every word that a user sees goes through tr(), so that it can be translated."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

APP = Path(__file__).parents[1] / "app"
SHOWN_BY = {
    *("setText", "setToolTip", "setWindowTitle", "setPlaceholderText", "setStatusTip", "setInformativeText"),
    *("setAccessibleName", "setAccessibleDescription", "setSpecialValueText", "setSuffix", "setTitle"),
    *("addAction", "addMenu", "addTab", "addItem", "say", "note", "show_preview", "set_captions"),
    *("QAction", "QLabel", "QPushButton", "QCheckBox", "QToolButton", "QRadioButton", "QGroupBox"),
}
PROGRAM = "FLAIR Studio"
SHOWN_AS = {"toolTip", "text", "windowTitle", "specialValueText", "placeholderText", "suffix"}


def literals(node):
    """The words written out in an expression, other than inside of a call that may translate them."""
    if isinstance(node, ast.Call):
        # "…{}".format(…) shows its own words; whatever else is called answers for itself.
        inner = (
            node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "format" else None
        )
        yield from literals(inner) if inner is not None else ()
    elif isinstance(node, ast.Constant):
        words = re.sub(rf"<[^>]*>|{PROGRAM}", "", node.value) if isinstance(node.value, str) else ""
        if re.search(r"[A-Za-z]{4}", words):
            yield words
    elif isinstance(node, ast.IfExp):
        yield from [*literals(node.body), *literals(node.orelse)]
    elif isinstance(node, ast.BinOp | ast.JoinedStr | ast.BoolOp):
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def untranslated(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            shown = [*node.args] if name in SHOWN_BY else []
            shown += [keyword.value for keyword in node.keywords if keyword.arg in SHOWN_AS]
            yield from (f"{node.lineno}: {words}" for each in shown for words in literals(each))


@pytest.mark.parametrize("path", sorted(APP.rglob("*.py")), ids=lambda path: path.stem)
def test_words_on_the_screen_can_be_translated(path):
    assert not list(untranslated(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "code",
    [
        'label.setText("Nothing here")',
        'QLabel("Nothing here", self)',
        'QComboBox(toolTip="Choose one")',
        'label.setText(f"Frame {index}")',
        'label.setText("Frame {0}".format(index))',
        'self.banner.say("Done" if done else self.tr("Failed"))',
    ],
)
def test_words_that_can_not_are_found(code):
    assert list(untranslated(code))
    assert not list(untranslated(re.sub(r'f?("[^"]+")', r"self.tr(\1)", code)))
