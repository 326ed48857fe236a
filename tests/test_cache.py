"""The cache: what is kept comes back whole or not at all, and nothing is restored twice."""

import dataclasses
import errno
import os
import re
import shutil
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from cheap import (
    FRAMES,
    HEIGHT,
    SETTINGS,
    TRACKS,
    WIDTH,
    WINDOWS,
    Counting,
    degradation,
    faces,
    models,
    sampler,
)
from hypothesis import given
from hypothesis import strategies as st

from flair_core import video
from flair_core.errors import DeviceError
from flair_core.jobs.output import open_output
from flair_core.kept.cache import FULL, RESERVE, REST, Cache, key
from flair_core.restoration.clip import restore
from flair_core.restoration.preview import preview
from flair_core.restoration.run import Run
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions

ARRAYS = {"x0": np.arange(24, dtype=np.uint16).reshape(2, 3, 4), "none": np.zeros((0, 5))}
ONE_MIB = {"x": np.zeros(1 << 20, np.uint8)}


@pytest.fixture
def kept(tmp_path):
    return Cache(tmp_path / "cache")


def entries(cache):
    return sorted(path for path in cache.folder.glob("*/*") if path.is_file())


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_arrays_come_back_as_they_were(kept):
    assert kept.get("a" * 64) is None
    kept.put("a" * 64, ARRAYS)
    found = Cache(kept.folder).get("a" * 64)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_keys_tell_contents_apart(a, b):
    one, other = np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)
    assert (key(a=one, b=other) == key(a=other, b=one)) == (a == b)


def test_keys_tell_types_shapes_and_names_apart():
    x = np.zeros(4, np.uint8)
    variants = [
        {"x": x},
        {"y": x},
        {"x": x.reshape(2, 2)},
        {"x": x.view(np.uint32)},
        {"x": [0, 0, 0, 0]},
        {"x": "0000"},
        {"x": None},
        {"x": x, "y": None},
    ]
    assert len({key(**parts) for parts in variants}) == len(variants)
    assert key(a=1, b={"c": 2, "d": 3}) == key(b={"d": 3, "c": 2}, a=1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
        lambda data: bytes([data[0] ^ 128]) + data[1:],
    ],
)
def test_a_damaged_entry_is_a_missing_one(kept, damage):
    kept.put("a" * 64, ARRAYS)
    (path,) = entries(kept)
    path.write_bytes(damage(path.read_bytes()))
    assert kept.get("a" * 64) is None
    kept.put("a" * 64, ARRAYS)
    np.testing.assert_array_equal(kept.get("a" * 64)["x0"], ARRAYS["x0"])


def test_what_was_used_longest_ago_goes_first(tmp_path):
    old = Cache(tmp_path)
    for name, seconds in (("a", 300), ("b", 200), ("c", 100)):
        old.put(name * 64, ONE_MIB)
        age(tmp_path / (name * 2) / (name * 64), seconds)
    old.get("a" * 64)  # now the newest
    kept = Cache(tmp_path, limit=(7 << 20) // 2, keep_since=time.time() + 60)
    kept.put("d" * 64, ONE_MIB)
    assert {path.name[0] for path in entries(kept)} == {"a", "c", "d"}


def test_what_unfinished_work_needs_stays_above_the_limit(tmp_path):
    Cache(tmp_path).put("a" * 64, ONE_MIB)
    age(tmp_path / "aa" / ("a" * 64), 100)
    kept = Cache(tmp_path, limit=1 << 20, keep_since=time.time() - 50)
    for name in "bcde":
        kept.put(name * 64, ONE_MIB)
    assert {path.name[0] for path in entries(kept)} == set("bcde")


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    for name, seconds in (("new", 1), ("old", 7200)):
        (tmp_path / "aa").mkdir(exist_ok=True)
        path = tmp_path / "aa" / f"{name}.partial"
        path.write_bytes(b"half")
        age(path, seconds)
    kept = Cache(tmp_path)
    kept.put("a" * 64, ARRAYS)
    assert {path.name for path in entries(kept)} == {"new.partial", "a" * 64}


def test_a_full_disk_interrupts_keeping_but_not_the_work(kept, monkeypatch):
    kept.put("a" * 64, ARRAYS)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        kept.put("b" * 64, ARRAYS)
        kept.put("c" * 64, ARRAYS)
    kept.put("d" * 64, ARRAYS)  # too soon
    assert [path.name[0] for path in entries(kept)] == ["a"]
    assert kept.get("a" * 64) is not None
    assert kept.notes == [FULL]
    later = time.monotonic() + REST
    monkeypatch.setattr(time, "monotonic", lambda: later)
    kept.put("e" * 64, ARRAYS)
    assert [path.name[0] for path in entries(kept)] == ["a", "e"]


def test_the_last_of_the_disk_is_left_to_the_output(tmp_path, monkeypatch):
    Cache(tmp_path).put("a" * 64, ONE_MIB)
    age(tmp_path / "aa" / ("a" * 64), 100)
    usage, free = namedtuple("usage", "free"), RESERVE

    def disk_usage(folder):
        return usage(free if (folder / "aa" / ("a" * 64)).exists() else free + (1 << 21))

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    kept = Cache(tmp_path)
    kept.put("b" * 64, ONE_MIB)  # the old entry makes room
    assert [path.name[0] for path in entries(kept)] == ["b"]
    free -= 1 << 30
    kept.put("c" * 64, ONE_MIB)  # nothing does
    assert [path.name[0] for path in entries(kept)] == ["b"]
    assert kept.notes


def test_clearing_tells_what_it_freed(kept):
    kept.put("a" * 64, ONE_MIB)
    assert kept.clear() > 1 << 20
    assert entries(kept) == []


def run(film, out, kept, settings, *, tracks=TRACKS, weights=None, denoiser=None, stop=None):
    """Windows that were restored, the last Progress, and the file."""
    denoiser = denoiser or Counting()
    with (
        video.open_source(film) as source,
        open_output(out, source, settings, range(FRAMES), options=OutputOptions(codec="h264")) as sink,
    ):
        made_by, notes = models(denoiser, **(weights or {})), []
        for progress in restore(
            Run(source, tracks, Look(settings), lambda _: made_by), sink, range(FRAMES), cache=kept
        ):
            notes += progress.notes
            if progress.done == stop:
                return denoiser.windows, notes, b""
        sink.commit()
    return denoiser.windows, notes, out.read_bytes()


def test_nothing_is_restored_twice_and_the_file_is_the_same(film, tmp_path, kept):
    plain = run(film, tmp_path / "plain.mp4", None, SETTINGS)
    first = run(film, tmp_path / "first.mp4", kept, SETTINGS)
    again = run(film, tmp_path / "again.mp4", kept, SETTINGS)
    assert (plain[0], first[0], again[0]) == (WINDOWS, WINDOWS, 0)
    assert plain[2] == first[2] == again[2]


@pytest.mark.parametrize("stop", range(1, FRAMES + 1))
def test_after_an_interruption_at_most_one_window_is_restored_again(film, tmp_path, kept, stop):
    whole = run(film, tmp_path / "whole.mp4", None, SETTINGS)
    begun = run(film, tmp_path / "out.mp4", kept, SETTINGS, stop=stop)
    rest = run(film, tmp_path / "out.mp4", kept, SETTINGS)
    assert begun[0] + rest[0] <= WINDOWS + 1
    assert rest[2] == whole[2]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        (faces(feather=20.0), 0),
        (faces(upscale=2), 0),
        (sampler(enhancer="none"), 0),  # nothing is enhanced anyway
        (sampler(tau=3), 0),
        (sampler(w_eyes=0.5, null_space_lock=True, fidelity=0.5), 0),
        (faces(grain=1.0, match_colour=True), 0),
        (sampler(monochrome="on"), WINDOWS),
        (sampler(w_tau=0.5), WINDOWS),
        (sampler(seed=1), WINDOWS),
        (sampler(steps=3), WINDOWS),
        (sampler(gamma=0.5), WINDOWS),
        (degradation(noise=0.1), WINDOWS),
    ],
)
def test_only_what_depends_on_a_setting_is_restored_again(film, tmp_path, kept, changed, again):
    run(film, tmp_path / "a.mp4", kept, SETTINGS)
    assert run(film, tmp_path / "b.mp4", kept, changed)[0] == again


def test_the_mask_matters_where_faces_are_enhanced(film, tmp_path, kept):
    settings = sampler(w_tau=0.5)
    run(film, tmp_path / "a.mp4", kept, settings)
    softer = dataclasses.replace(settings, faces=faces(feather=20.0).faces)
    assert run(film, tmp_path / "b.mp4", kept, softer)[0] == WINDOWS


def test_other_weights_or_code_restore_again(film, tmp_path, kept, monkeypatch):
    run(film, tmp_path / "a.mp4", kept, SETTINGS, weights={"starter": "1"})
    assert run(film, tmp_path / "a.mp4", kept, SETTINGS, weights={"starter": "1"})[0] == 0
    assert run(film, tmp_path / "a.mp4", kept, SETTINGS, weights={"starter": "2"})[0] == WINDOWS
    monkeypatch.setattr("flair_core.kept.fingerprints.code_version", lambda *_: "another")
    assert run(film, tmp_path / "a.mp4", kept, SETTINGS, weights={"starter": "1"})[0] == WINDOWS


def test_only_windows_whose_frames_changed_are_restored_again(film, tmp_path, kept):
    run(film, tmp_path / "a.mp4", kept, SETTINGS)
    edited = tmp_path / "edited.mkv"
    with (
        video.open_source(film) as source,
        video.open_sink(
            edited, like=source.info, width=WIDTH, height=HEIGHT, options=OutputOptions(codec="lossless")
        ) as sink,
    ):
        for frame in source.frames():
            rgb = frame.rgb.copy()
            if frame.index == 3:
                rgb[25:30, 20:30] = 255  # inside of the first face
            sink.write(dataclasses.replace(frame, rgb=rgb))
        sink.commit()
    assert run(edited, tmp_path / "b.mp4", kept, SETTINGS)[0] == 1


def test_preview_and_export_share_what_they_restore(film, tmp_path, kept):
    settings, counting = SETTINGS, Counting()
    with video.open_source(film) as source:
        made_by = models(counting)
        what = Run(source, TRACKS[:1], Look(settings), lambda _: made_by)
        steps = list(preview(what, 2, cache=kept))
        (known,) = preview(what, 3, cache=kept)  # of the same window
    assert counting.windows == 1
    assert (known.step, known.steps, known.stages) == (len(steps), len(steps), {})
    assert run(film, tmp_path / "a.mp4", kept, settings, tracks=TRACKS[:1])[0] == WINDOWS - 2 - 1
    with video.open_source(film) as source:
        (after,) = preview(dataclasses.replace(what, source=source), 2, cache=kept)
    np.testing.assert_array_equal(steps[-1].frame, after.frame)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory: you tried to"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
    ],
)
def test_short_memory_halves_the_window_and_goes_on(film, tmp_path, kept, error):
    class Wide(Counting):
        window = 8

    plain = run(film, tmp_path / "a.mp4", None, faces(aligned=True), tracks=[])
    narrow = Wide(room=1, error=error)
    _, notes, file = run(film, tmp_path / "b.mp4", kept, faces(aligned=True), tracks=[], denoiser=narrow)
    assert file == plain[2]
    assert notes == [
        "Memory did not suffice for 7 frames at once; going on with 3 at a time.",
        "Memory did not suffice for 3 frames at once; going on with 1 at a time.",
    ]
    again = Wide(room=1, error=error)
    assert run(film, tmp_path / "b.mp4", kept, faces(aligned=True), tracks=[], denoiser=again)[2] == file
    assert again.windows == 0


def test_a_window_is_no_longer_than_memory_has_room_for(film, tmp_path, kept, monkeypatch):
    class Large(Counting):
        window = 8

        def bytes_for(self, frames, size):
            return 50 + 100 * frames

    plain = run(film, tmp_path / "a.mp4", None, faces(aligned=True), tracks=[])
    monkeypatch.setattr("flair_core.runtime.memory.free", lambda device: 399)
    large = Large(room=3)
    _, notes, file = run(film, tmp_path / "b.mp4", kept, faces(aligned=True), tracks=[], denoiser=large)
    assert file == plain[2]
    (note,) = notes
    assert note.startswith("Memory has room for 3 of 7 frames at once")
    assert large.windows == 3


def test_memory_too_short_for_a_single_frame_is_said_plainly(film, tmp_path, kept):
    said = "does not suffice for 1 faces of 64 × 64 pixels. Close other programs"
    with pytest.raises(DeviceError, match=re.escape(said)):
        run(film, tmp_path / "a.mp4", kept, SETTINGS, denoiser=Counting(room=0))
    assert not list(tmp_path.glob("a.mp4*"))


def test_other_errors_of_the_network_pass(film, tmp_path, kept):
    denoiser = Counting(room=0, error=RuntimeError("shapes"))
    with pytest.raises(RuntimeError, match="shapes"):
        run(film, tmp_path / "a.mp4", kept, SETTINGS, denoiser=denoiser)
