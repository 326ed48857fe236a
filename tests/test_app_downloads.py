"""The page of models fetches, takes in files, and says what went wrong, over a site on this computer."""

import hashlib
import http.server
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox, QPushButton

from app.downloads import Downloads
from app.widgets.models import ModelsDialog
from flair_core.checkpoints import catalogue

YUNET = Path(__file__).parents[2] / "shared" / "models" / "yunet_n_640_640.onnx"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """`site(content)` publishes it as YuNet; after half of it `site.gate` has to be opened."""
    gate = threading.Event()
    gate.set()
    held = {}

    class Published(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = held["content"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2
            try:
                self.wfile.write(content[:half])
                gate.wait()
                self.wfile.write(content[half:])
            except ConnectionError:
                return

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Published)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path / "models")

    def publish(content, port=server.server_port):
        held["content"] = content
        entry = replace(
            catalogue.CHECKPOINTS["yunet"],
            url=f"http://127.0.0.1:{port}/yunet.onnx",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        monkeypatch.setattr(
            "flair_core.checkpoints.catalogue.CHECKPOINTS", {**catalogue.CHECKPOINTS, "yunet": entry}
        )

    publish.gate = gate
    yield publish
    gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(qtbot, site):
    """The page over a YuNet of 2 MB that is none."""
    site(bytes(2**21))
    downloads = Downloads()
    dialog = ModelsDialog(downloads)
    qtbot.addWidget(dialog)
    yield dialog
    downloads.close()


def button(page, name):
    """The newest one: older cards are deleted later."""
    return [one for one in page.findChildren(QPushButton) if one.accessibleName() == name][-1]


def agree(monkeypatch, told):
    """Press Download in the question, and keep what it said."""

    def answer(box):
        told.append(box.informativeText())
        go = next(one for one in box.buttons() if one.text() == "Download")
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _: go)

    monkeypatch.setattr(QMessageBox, "exec", answer)


def test_a_download_tells_its_terms_and_is_kept(qtbot, page, site, monkeypatch, tmp_path):
    if not YUNET.is_file():
        pytest.skip(f"no YuNet file at {YUNET}")
    site(YUNET.read_bytes())
    page.refresh()
    told, heard = [], []
    agree(monkeypatch, told)
    page._downloads.advanced.connect(lambda *news: heard.append(news))
    with qtbot.waitSignal(page._downloads.ended, timeout=30000) as ended:
        button(page, "Download yunet").click()
    entry = catalogue.CHECKPOINTS["yunet"]
    assert all(part in told[0] for part in (entry.licence, entry.sha256, entry.url))
    assert ended.args == ["yunet", ""]
    assert heard[-1] == ("yunet", entry.size, entry.size)
    assert (tmp_path / "models" / "yunet.onnx").read_bytes() == YUNET.read_bytes()
    assert page._said.text() == ""


def test_a_download_can_be_cancelled_and_leaves_nothing(qtbot, page, site, tmp_path):
    site.gate.clear()
    with qtbot.waitSignal(page._downloads.advanced):
        page.download("yunet")
    assert page._bars["yunet"].maximum() == 2048
    button(page, "Cancel the download of yunet").click()
    with qtbot.waitSignal(page._downloads.ended, timeout=30000):
        site.gate.set()
    assert "Cancelled" in page._said.text()
    assert list((tmp_path / "models").iterdir()) == []
    assert not page._downloads.running("yunet")
    assert button(page, "Download yunet").isEnabled()


def test_what_arrives_damaged_or_not_at_all_is_explained(qtbot, page, site, tmp_path):
    with qtbot.waitSignal(page._downloads.ended, timeout=30000):
        page.download("yunet")
    assert "no YuNet model" in page._said.text()
    site(b"never", port=9)
    with qtbot.waitSignal(page._downloads.ended, timeout=30000):
        page.download("yunet")
    assert "can't be reached" in page._said.text()
    assert "Check the network" in page._said.text()
    assert list((tmp_path / "models").iterdir()) == []


def test_dropped_files_are_imported_by_their_names(qtbot, page, tmp_path):
    wanted = []
    page.import_wanted.connect(lambda *news: wanted.append(news))
    for name in ("VQFR_v2.pth", "holiday.jpg"):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(tmp_path / name))])
        page.dropEvent(
            QDropEvent(
                QPointF(5, 5),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
        )
    assert wanted == [(tmp_path / "VQFR_v2.pth", "vqfr")]
    assert "holiday.jpg" in page._said.text()
