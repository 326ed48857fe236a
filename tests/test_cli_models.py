"""`flair models` as a person uses it."""

import pytest
from safetensors.torch import load_file, save_file

from flair_core.checkpoints import catalogue
from flair_core.cli import main
from flair_core.interpolation.amt import AMT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_the_list_tells_what_to_fetch_and_where(folder, capsys):
    assert main(["models", "list"]) == 0
    told = capsys.readouterr().out
    for name, entry in catalogue.CHECKPOINTS.items():
        assert f"{name}\n" in told
        assert entry.licence in told
    assert "Google Drive" in told
    assert str(folder) in told


def test_a_file_that_fits_is_kept_and_verified_until_it_changes(folder, tmp_path, capsys):
    published = tmp_path / "mine.safetensors"
    save_file(AMT().state_dict(), published)
    assert main(["models", "import", str(published)]) == 2
    assert "Say with --name which one it is" in capsys.readouterr().err
    assert main(["models", "import", str(published), "--name", "amt"]) == 0
    kept = folder / "amt.safetensors"
    assert capsys.readouterr().out.strip() == str(kept)
    assert main(["models", "verify", "amt"]) == 0
    state = load_file(kept)
    next(iter(state.values())).add_(1)
    save_file(state, kept)
    assert main(["models", "verify", "amt"]) == 2
    assert "has changed since it was imported" in capsys.readouterr().err


def test_a_fresh_installation_has_nothing_to_complain_of(folder, capsys):
    assert main(["models", "verify"]) == 0
    assert "starter-video: unchanged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [["import", "missing.pt", "--name", "flair-x8"], ["verify", "flair-x8"], ["verify", "no"]]
)
def test_what_is_missing_is_said_in_one_sentence(folder, argv, capsys):
    assert main(["models", *argv]) == 2
    assert capsys.readouterr().err.startswith("flair models: ")


def test_the_licence_is_shown_before_a_download(folder, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or "n")
    monkeypatch.setattr("flair_core.importing.download", lambda *_: pytest.fail("nobody agreed"))
    assert main(["models", "get", "codeformer"]) == 2
    told = capsys.readouterr().err
    entry = catalogue.CHECKPOINTS["codeformer"]
    for part in (entry.licence, entry.sha256, entry.url, f"{entry.size:,}"):
        assert part in told
    assert len(asked) == 1


def test_a_download_goes_on_when_one_agrees(folder, monkeypatch, capsys):
    monkeypatch.setattr(
        "flair_core.importing.download", lambda name, progress: progress(10, 20) or folder / name
    )
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["models", "get", "yunet"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "yunet")
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("was agreed to"))
    assert main(["models", "get", "yunet", "--yes"]) == 0
