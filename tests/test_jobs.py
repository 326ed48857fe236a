"""Render jobs: the list survives everything, and so does the work."""

import contextlib
import dataclasses
import errno
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from cheap import BOXES, FRAMES, SETTINGS, WINDOWS, Counting, models

from flair_core import video
from flair_core.errors import JobError, MediaError, SettingsError
from flair_core.jobs.burn_in import in_words
from flair_core.jobs.queue import INTERRUPTED, Jobs, State
from flair_core.jobs.request import Request
from flair_core.jobs.run import run
from flair_core.kept.cache import Cache
from flair_core.settings.drawn import DrawnFace, Stroke
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions

LOSSLESS = OutputOptions(codec="lossless")
DRAWN = tuple(DrawnFace(*face) for face in BOXES)


def request(output, source="in.mp4", **values):
    values = {"look": Look(SETTINGS), "device": "cpu", "drawn": DRAWN} | values
    return Request(source=Path(source), output=Path(output), **values)


@pytest.fixture
def counting(monkeypatch):
    """The network that every job gets."""
    denoiser = Counting()
    monkeypatch.setattr(
        "flair_core.restoration.models.load_models", lambda settings, device: models(denoiser)
    )
    return denoiser


def do(jobs, wanted, cache, watch=lambda progress: None):
    """Add a job and do it; what it said."""
    job = jobs.add(wanted)
    with contextlib.closing(run(jobs, job, cache)) as steps:
        return [note for progress in steps if watch(progress) or True for note in progress.notes]


# The list


def test_a_request_comes_back_as_it_was(jobs):
    wanted = request(
        "/out.mp4",
        span=range(3, 9),
        encoding=OutputOptions(codec="h265", bits=10, quality=20, hardware=True),
        credentials=True,
        sidecar=False,
        matte=Path("/m.mkv"),
        left_out=frozenset({4, 2}),
        strokes=(Stroke(-1, ((0.5, 0.5),), 0.1),),
        notes=("Frames 0 to 9: already sharp.",),
    )
    jobs.add(wanted)
    (job,) = Jobs(jobs.path).list()
    assert job.request == wanted
    assert (job.state, job.done, job.total, job.error) == (State.QUEUED, 0, 0, "")


def test_jobs_wait_in_an_order_that_can_be_changed(jobs):
    a, b, c = (jobs.add(request(name)).id for name in "abc")
    assert jobs.next().id == a
    jobs.move(c, 0)
    assert [job.id for job in jobs.list()] == [c, a, b]
    jobs.move(c, 99)
    assert [job.id for job in jobs.list()] == [a, b, c]
    jobs.pause(a)
    jobs.cancel(b)
    assert jobs.next().id == c
    jobs.retry(a)
    assert jobs.next().id == a
    jobs.cancel(a)
    jobs.cancel(c)
    assert jobs.next() is None
    assert jobs.clear() == 3
    assert jobs.list() == ()


def test_what_makes_no_sense_is_refused(jobs):
    id = jobs.add(request("a")).id
    with pytest.raises(JobError, match="no job 99"):
        jobs.pause(99)
    with pytest.raises(JobError, match=f"Job {id} is queued; only one that is paused"):
        jobs.retry(id)
    jobs.cancel(id)
    with pytest.raises(JobError, match="is cancelled"):
        jobs.cancel(id)


def test_another_job_for_an_unfinished_output_takes_its_place(jobs):
    first = jobs.add(request("a"))
    jobs.add(request("b"))
    again = jobs.add(request("a", encoding=OutputOptions(codec="h265")))
    assert [job.request.encoding.codec for job in jobs.list()] == ["h265", None]
    assert again.id == first.id
    jobs.finish(first.id, ())
    assert jobs.add(request("a")).id != first.id


def test_two_programs_do_not_do_the_same_job(jobs):
    id = jobs.add(request("a")).id
    with jobs.working_on(id):
        with pytest.raises(JobError, match="being worked on"), jobs.working_on(id):
            pass
        with pytest.raises(JobError, match="being worked on"):
            Jobs(jobs.path).add(request("a"))
        assert jobs.state(id) is State.RUNNING
    assert jobs.state(id) is State.PAUSED


def test_many_threads_may_add_jobs(jobs):
    threads = [
        threading.Thread(target=lambda i=i: Jobs(jobs.path).add(request(f"{i}.mp4"))) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(job.request.output) for job in jobs.list()) == [f"{i}.mp4" for i in range(8)]


HOLD = """
import sys, time
from pathlib import Path
from flair_core.jobs.queue import Jobs
with Jobs(Path(sys.argv[1])).working_on(int(sys.argv[2])):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_program_leaves_a_paused_job(jobs):
    id = jobs.add(request("a")).id
    command = [sys.executable, "-c", HOLD, str(jobs.path), str(id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert jobs.get(id).state is State.RUNNING
        process.kill()
    job = jobs.get(id)
    assert (job.state, job.error) == (State.PAUSED, INTERRUPTED)
    jobs.retry(id)
    assert jobs.next().id == id


def test_a_list_of_another_version_is_told_or_left_out(jobs):
    jobs.add(request("a"))
    jobs.add(request("b"))
    with contextlib.closing(sqlite3.connect(jobs.path)) as database:
        database.execute("""UPDATE jobs SET request = '{"sauce": "in.mp4"}' WHERE id = 1""")
        database.commit()
        assert [job.id for job in jobs.list()] == [2]
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(JobError, match="newer version"):
        Jobs(jobs.path)


def test_a_damaged_list_is_told(tmp_path):
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(JobError, match=r"can't be used .* delete it"):
        Jobs(path)


def test_the_cache_keeps_what_unfinished_jobs_have_done(jobs):
    now = time.time()
    assert jobs.kept_since() >= now
    a, b = jobs.add(request("a")), jobs.add(request("b"))
    assert jobs.kept_since() == a.created
    jobs.finish(a.id, ())
    assert jobs.kept_since() == b.created


# The work


def test_a_job_tells_how_far_it_is_and_is_done(film, tmp_path, jobs, counting, monkeypatch):
    monkeypatch.setattr("flair_core.jobs.run.REPORT_EVERY", 0)
    seen = []
    do(
        jobs,
        request(tmp_path / "out.mp4", film),
        Cache(tmp_path / "c"),
        lambda _: seen.append(jobs.list()[0]),
    )
    assert {job.state for job in seen} == {State.RUNNING}
    assert [job.done for job in seen][-FRAMES:] == list(range(1, FRAMES + 1))
    (job,) = jobs.list()
    assert (job.state, job.done, job.total, job.error, job.notes) == (State.DONE, FRAMES, FRAMES, "", ())
    assert (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("change", ["pause", "cancel"])
def test_a_running_job_can_be_stopped_from_elsewhere(film, tmp_path, jobs, counting, monkeypatch, change):
    monkeypatch.setattr("flair_core.jobs.run.REPORT_EVERY", 0)
    wanted, cache = request(tmp_path / "out.mp4", film), Cache(tmp_path / "cache")

    def stop(progress):
        if progress.stage == "restore" and progress.done == 4:
            getattr(Jobs(jobs.path), change)(1)

    do(jobs, wanted, cache, stop)
    assert jobs.state(1) is {"pause": State.PAUSED, "cancel": State.CANCELLED}[change]
    assert not list(tmp_path.glob("out*"))
    jobs.retry(1)
    list(run(jobs, jobs.next(), cache))
    assert jobs.state(1) is State.DONE
    # The window that was being restored ahead of the file may have been torn, and is restored again.
    assert counting.windows - WINDOWS in (0, 1)


def test_closing_pauses_and_leaves_nothing(film, tmp_path, jobs, counting):
    steps = run(jobs, jobs.add(request(tmp_path / "out.mp4", film)), Cache(tmp_path / "cache"))
    next(steps)
    steps.close()
    assert jobs.get(1).state is State.PAUSED
    assert not list(tmp_path.glob("out*"))


def test_a_full_disk_fails_the_job_and_loses_nothing(film, tmp_path, jobs, counting, monkeypatch):
    wanted, cache = request(tmp_path / "out", film), Cache(tmp_path / "cache")
    written = video.sink.write_png

    def full(path, rgb):
        if path.stem == "000005":
            raise OSError(errno.ENOSPC, "No space left on device")
        written(path, rgb)

    with monkeypatch.context() as patch:
        patch.setattr(video.sink, "write_png", full)
        with pytest.raises(MediaError, match=r"The disk is full, so .*out was not written. Free space"):
            do(jobs, wanted, cache)
    (job,) = jobs.list()
    assert job.state is State.FAILED
    assert "disk is full" in job.error
    assert not list(tmp_path.glob("out*"))
    jobs.retry(job.id)
    list(run(jobs, jobs.next(), cache))
    assert counting.windows == WINDOWS
    assert len(list((tmp_path / "out").iterdir())) == FRAMES


def as_folder(film, folder):
    folder.mkdir()
    with video.open_source(film) as source:
        for frame in source.frames():
            cv2.imwrite(str(folder / f"{frame.index:03d}.png"), frame.rgb[..., ::-1])
    return folder


def test_a_source_that_vanishes_is_waited_for(film, tmp_path, jobs, counting):
    folder = as_folder(film, tmp_path / "frames")
    wanted, cache = request(tmp_path / "out.mp4", folder), Cache(tmp_path / "cache")

    def vanish(progress):
        if progress.stage == "restore" and progress.done == 4:
            folder.rename(tmp_path / "elsewhere")

    with pytest.raises(MediaError, match=r"frames vanished while it was read. Bring it back and run again"):
        do(jobs, wanted, cache, vanish)
    assert jobs.list()[0].state is State.FAILED
    assert not list(tmp_path.glob("out*"))
    (tmp_path / "elsewhere").rename(folder)
    do(jobs, wanted, cache)
    assert counting.windows <= WINDOWS + 1
    assert jobs.list()[0].state is State.DONE


def test_a_source_that_changes_meanwhile_is_refused(film, tmp_path, jobs, counting):
    def grow(progress):
        if progress.stage == "restore" and progress.done == 4:
            with film.open("ab") as file:
                file.write(b"more")

    with pytest.raises(MediaError, match="changed while it was read"):
        do(jobs, request(tmp_path / "out.mp4", film), Cache(tmp_path / "cache"), grow)
    assert not list(tmp_path.glob("out*"))


def test_an_unreadable_image_is_held_and_noted(film, tmp_path, jobs, counting):
    folder = as_folder(film, tmp_path / "frames")
    (folder / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    do(jobs, request(tmp_path / "out", folder, drawn=(), span=range(2, 5)), Cache(tmp_path / "cache"))
    (job,) = jobs.list()
    assert any("003.png" in note for note in job.notes)
    out = [cv2.imread(str(path)) for path in sorted((tmp_path / "out").iterdir())]
    np.testing.assert_array_equal(out[0], out[1])
    assert (out[1] != out[2]).any()


def test_a_range_beyond_the_clip_is_refused(film, tmp_path, jobs, counting):
    with pytest.raises(SettingsError, match="Frames 5 to 9 were asked for, but the clip has frames 0 to 6"):
        do(jobs, request(tmp_path / "out.mp4", film, span=range(5, 10)), Cache(tmp_path / "cache"))


def test_faces_are_searched_once_even_when_interrupted(tmp_path, jobs, counting, monkeypatch):
    from flair_core.jobs.demo import make_demo
    from flair_core.restoration import find

    looked, load = [], find.load_detector

    def counted(name):
        detector = load(name)
        detect = detector.detect
        detector.detect = lambda rgb: looked.append(1) or detect(rgb)
        return detector

    monkeypatch.setattr("flair_core.restoration.find.load_detector", counted)
    film, cache = make_demo(tmp_path), Cache(tmp_path / "cache")
    wanted = request(tmp_path / "out.mp4", film, drawn=(), span=range(9))

    def interrupt(progress):
        if progress.done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do(jobs, wanted, cache, interrupt)
    assert len(looked) == 1
    stages = []
    do(jobs, wanted, cache, lambda progress: stages.append(progress.stage))
    assert len(looked) == 2  # frames 0 and 8
    assert "find faces" in stages
    first = (tmp_path / "out.mp4").read_bytes()
    stages.clear()
    do(
        jobs,
        dataclasses.replace(wanted, output=tmp_path / "again.mp4"),
        cache,
        lambda p: stages.append(p.stage),
    )
    assert "find faces" not in stages
    assert (tmp_path / "again.mp4").read_bytes() == first


def test_a_log_tells_what_happened_and_goes_with_its_job(tmp_path, film, jobs, counting):
    do(jobs, request(tmp_path / "out.mkv", film, encoding=LOSSLESS), Cache(tmp_path / "cache"))
    (job,) = jobs.list()
    lines = [line.split("  ", 1)[1] for line in jobs.read_log(job.id).splitlines()]
    assert (lines[0], lines[-1]) == ("started", "done")
    assert any("restore, 7 frames" in line for line in lines)
    assert jobs.clear() == 1
    assert jobs.read_log(job.id) == ""


def test_settings_are_written_into_the_picture_on_request_only_there(tmp_path, film, jobs, counting):
    frames = []
    for name, burn_in in (("plain", False), ("stamped", True)):
        output = tmp_path / f"{name}.mkv"
        do(jobs, request(output, film, encoding=LOSSLESS, burn_in=burn_in), Cache(tmp_path / "cache"))
        with video.open_source(output) as source:
            frames.append(source[2].rgb)
    line = 14
    np.testing.assert_array_equal(frames[0][:-line], frames[1][:-line])
    strip = frames[1][-line:]
    assert strip.max() > 150, "light letters"
    assert np.median(strip) < np.median(frames[0][-line:]), "on a dark ground"
    assert "K 2" in in_words(SETTINGS)


def test_sound_may_stay_away(tmp_path, jobs, counting):
    from clips import Clip, make

    source = make(tmp_path / "clip.mkv", Clip(suffix=".mkv", frames=5, sound=("pcm_s16le",)))
    for beside in (True, False):
        output = tmp_path / f"{beside}.mkv"
        do(jobs, request(output, source, drawn=(), with_streams=beside), Cache(tmp_path / "cache"))
        with video.open_source(output) as written:
            assert written.info.has_audio is beside


def test_a_brush_changes_what_is_replaced_and_nothing_is_restored_anew(tmp_path, film, jobs, counting):
    cache, frames = Cache(tmp_path / "cache"), []
    whole = Stroke(-1, ((0.0, 0.5), (1.0, 0.5)), 1.0, erases=True)
    for name, strokes in (("plain", ()), ("erased", (whole,))):
        output = tmp_path / f"{name}.mkv"
        do(jobs, request(output, film, encoding=LOSSLESS, drawn=DRAWN[:1], strokes=strokes), cache)
        with video.open_source(output) as source:
            frames.append(np.stack([frame.rgb for frame in source.frames()]))
        windows = counting.windows
        assert windows == 4, "painted masks use the faces that were restored before"
    with video.open_source(film) as source:
        original = np.stack([frame.rgb for frame in source.frames()])
    assert (frames[0] != original).any()
    np.testing.assert_array_equal(frames[1], original)


def test_kills_at_random_moments_change_nothing(tmp_path):
    from benchmarks.kills import Bench

    bench = Bench(tmp_path)
    chance, kills = random.Random(0), 0
    while kills < 5:
        trial = bench.trial(f"job {kills}", 5 - kills, chance)
        assert trial.same
        assert trial.windows <= bench.windows + trial.kills
        kills += max(trial.kills, 1)
