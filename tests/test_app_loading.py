"""Loading the core while a window is in use."""

import gc
import importlib
import linecache
import sys
import threading

from app import loading


def test_nothing_is_imported_while_libraries_load(monkeypatch):
    """The loader takes one at a time; an import that waits for it would keep the window waiting, too."""
    order = []
    monkeypatch.setattr(loading, "_load_libraries", lambda: order.append("libraries"))
    monkeypatch.setattr(loading, "_load_plots", lambda: order.append("plots"))
    with loading.while_window_in_use():
        assert order[0] == "libraries"
    assert order == ["libraries", "plots"]


def test_afterwards_all_is_as_before(monkeypatch):
    """Also when an import fails: the collector of garbage is on again and no thread is left."""
    monkeypatch.setattr(loading, "_load_libraries", lambda: None)
    monkeypatch.setattr(loading, "_load_plots", lambda: None)
    interval, threads = sys.getswitchinterval(), threading.active_count()
    try:
        with loading.while_window_in_use():
            assert not gc.isenabled()
            raise ImportError
    except ImportError:
        pass
    finally:
        sys.setswitchinterval(interval)
    assert gc.isenabled()
    assert threading.active_count() == threads


def test_the_source_of_what_is_imported_is_not_read(monkeypatch, tmp_path):
    """PySide would read it all, hold the interpreter's lock meanwhile, and keep it in memory."""
    monkeypatch.setattr(loading, "_load_libraries", lambda: None)
    monkeypatch.setattr(loading, "_load_plots", lambda: None)
    monkeypatch.syspath_prepend(tmp_path)
    interval = sys.getswitchinterval()
    source = tmp_path / "module_without_a_reader.py"
    source.write_text("VALUE = 1\n")
    with loading.while_window_in_use():
        assert importlib.import_module(source.stem).VALUE == 1
        exec(f"import {source.stem}")  # PySide watches the statement
    sys.setswitchinterval(interval)
    assert str(source) not in linecache.cache
