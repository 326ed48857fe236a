"""Files appear whole or not at all."""

import os

import pytest

from flair_core.runtime import files


def test_a_text_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    path, flushed = tmp_path / "folder" / "a.json", []
    monkeypatch.setattr(os, "fsync", flushed.append)
    files.write_text(path, "one – α")
    files.write_text(path, "two", durable=False)
    assert path.read_text(encoding="utf-8") == "two"
    assert len(flushed) == 1
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def torn(write):
        with files.replacing(path) as partial:
            write(partial)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        torn(lambda partial: partial.write_bytes(b"half"))
    with pytest.raises(OSError, match="No such file"), files.replacing(path):
        pass
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
