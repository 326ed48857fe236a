"""`flair models` as a person uses it."""

import pytest
from safetensors.torch import load_file, save_file

from flair_core import weights
from flair_core.cli import main
from flair_core.interpolation.amt import AMT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "folder", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_the_list_tells_what_to_fetch_and_where(folder, capsys):
    assert main(["models", "list"]) == 0
    told = capsys.readouterr().out
    for name, entry in weights.CHECKPOINTS.items():
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


@pytest.mark.parametrize(
    "argv", [["import", "missing.pt", "--name", "flair-x8"], ["verify", "flair-x8"], ["verify", "no"]]
)
def test_what_is_missing_is_said_in_one_sentence(folder, argv, capsys):
    assert main(["models", *argv]) == 2
    assert capsys.readouterr().err.startswith("flair models: ")
