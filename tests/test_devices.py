"""Several devices share a job: the result is that of one, whatever happens to the others."""

import contextlib
import re
import threading
import time
from functools import partial

import pytest
import torch
from cheap import BOXES, SETTINGS, Counting, make_film, models, sampler
from test_video_windows import FRAMES, RELEASED, SHOTS, TRACKS, Mixing

from flair_core import video
from flair_core.errors import DeviceError
from flair_core.jobs.output import open_output
from flair_core.jobs.request import Request
from flair_core.jobs.run import run
from flair_core.kept.cache import Cache
from flair_core.restoration import clip, crop
from flair_core.restoration.crop import Face
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.run import Run
from flair_core.runtime import devices
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.look import Look, Shot
from flair_core.settings.output import OutputOptions


class Slow(Mixing):
    """Takes its time, so that another device gets its share."""

    def __init__(self, seconds=0.01, fails_after=None, error=None):
        super().__init__(error=error)
        self.seconds, self.fails_after = seconds, fails_after

    def predict_noise(self, x_t, t, condition):
        time.sleep(self.seconds)
        if self.fails_after is not None and self.windows >= self.fails_after:
            raise self._error
        return super().predict_noise(x_t, t, condition)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", FRAMES)


def export(film, look, networks, cache=None, tracks=TRACKS):
    """The file, and the notes, as devices with these networks make it."""
    out = film.with_name("out.mp4")
    loads = [partial(lambda made_by, _: made_by, models(network)) for network in networks]
    workers = [partial(FaceRestorer, load, name=f"Device {at}") for at, load in enumerate(loads)]
    with (
        video.open_source(film) as source,
        open_output(out, source, look.settings, range(FRAMES), options=OutputOptions(codec="h264")) as sink,
    ):
        steps = clip.restore(
            Run(source, tracks, look, loads[0]), sink, range(FRAMES), cache=cache, workers=workers
        )
        done = list(steps)
        sink.commit()
    assert [step.index for step in done if step.frame is not None] == list(range(FRAMES))
    return out.read_bytes(), [note for step in done for note in step.notes]


LOOKS = {
    "paper": Look(sampler(steps=2, gamma=0.3)),
    "shots": SHOTS,
    "released": Look(RELEASED),
    "released shots": Look(RELEASED, shots=(Shot(0), Shot(9))),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
class TestTheFileIsThatOfOneDevice:
    def test_when_two_share_it(self, film, look):
        alone, _ = export(film, look, [Mixing()])
        for seconds in (0.01, 0.03):
            first, second = Slow(), Slow(seconds)
            assert export(film, look, [first, second]) == (alone, [])
            assert first.windows
            assert second.windows

    @pytest.mark.parametrize(
        "error", [torch.cuda.OutOfMemoryError("CUDA out of memory."), RuntimeError("CUDA error: lost")]
    )
    def test_when_one_fails_on_the_way(self, film, look, error):
        alone, _ = export(film, look, [Mixing()])
        for failing in (0, 1):
            networks = [Slow(), Slow()]
            networks[failing] = Slow(fails_after=1, error=error)
            file, notes = export(film, look, networks, tracks=TRACKS)
            assert re.match(f"Device {failing} failed .* the others went on", notes[-1])
            if isinstance(error, torch.cuda.OutOfMemoryError):
                assert all("Memory did not suffice" in note for note in notes[:-1])
            assert file == alone

    def test_with_what_one_device_kept(self, film, look, tmp_path):
        kept = Cache(tmp_path)
        alone, _ = export(film, look, [Slow()], kept)
        networks = [Slow(), Slow()]
        assert export(film, look, networks, kept)[0] == alone
        assert sum(network.windows for network in networks) == 0


class Single(Slow):
    window, own_noise = 1, False


def test_frames_that_are_restored_one_by_one_are_shared_too(film):
    alone, _ = export(film, LOOKS["shots"], [Single()])
    networks = [Single(), Single(0.02)]
    assert export(film, LOOKS["shots"], networks) == (alone, [])
    assert all(network.windows for network in networks)


def test_when_all_fail_the_error_of_the_last_is_raised(film):
    broken = [Slow(fails_after=1, error=RuntimeError(f"lost {at}")) for at in range(2)]
    with pytest.raises(RuntimeError, match="lost"):
        export(film, LOOKS["paper"], broken)


def test_only_a_few_windows_are_begun_ahead_and_closing_ends_them_within_a_step(film, monkeypatch):
    begun, threads = [], threading.active_count()
    faces = crop.faces_in
    monkeypatch.setattr("flair_core.restoration.clip.faces_in", lambda *args: begun.append(1) or faces(*args))
    monkeypatch.setattr("flair_core.restoration.clip.PULSE", 0.05)
    network = Slow(0.2)
    look = Look(sampler(steps=100))
    with (
        video.open_source(film) as source,
        open_output(
            film.with_name("out.mkv"),
            source,
            look.settings,
            range(FRAMES),
            options=OutputOptions(codec="ffv1"),
        ) as sink,
    ):
        workers = [partial(FaceRestorer, lambda _: models(network)) for _ in range(2)]
        with contextlib.closing(
            clip.restore(
                Run(source, TRACKS, look, lambda _: models(network)), sink, range(FRAMES), workers=workers
            )
        ) as steps:
            pulse = next(steps)
            assert (pulse.done, pulse.frame) == (0, None)
            steps.close()
    assert len(begun) <= 2 + 2
    assert threading.active_count() == threads


def test_a_job_names_its_devices(film, tmp_path, jobs, monkeypatch):
    networks = iter([Slow(), Slow(), Slow()])
    made = []

    def load(settings, device):
        made.append(next(networks))
        return models(made[-1], starter="ab" * 32)

    monkeypatch.setattr("flair_core.restoration.models.load_models", load)
    outputs, cpu = [], torch.device("cpu")
    monkeypatch.setattr(devices, "several", lambda names: [cpu] * len(names.split(",")))
    for names in ("cpu", "cpu,other"):
        output = tmp_path / str(len(outputs)) / "out.mkv"
        output.parent.mkdir()
        drawn = tuple(DrawnFace(box, 0, FRAMES - 1) for box, _, _ in BOXES)
        look = Look(sampler(steps=2))
        wanted = Request(source=film, output=output, look=look, device=names, drawn=drawn)
        for _ in run(jobs, jobs.add(wanted), Cache(tmp_path / names)):
            pass
        outputs.append([path.read_bytes() for path in sorted(output.parent.iterdir())])
    assert outputs[0] == outputs[1], "the record, too"
    assert all(network.windows for network in made)


def test_devices_are_named_by_kind_and_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    cards = [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert devices.several("cuda:0,cuda:1") == devices.several("all") == cards
    assert devices.several("cuda:1, cpu") == [cards[1], torch.device("cpu")]
    assert devices.pick("all") == cards[0]
    for names, said in (
        ("cuda:2", "this computer has 2, from cuda:0 to cuda:1"),
        ("cuda,cuda:0", "names a device twice"),
        ("cpu:1", "There is no device 'cpu:1'"),
        ("gpu", "choose one of auto, all, cpu"),
        ("cuda:0,", "There is no device ''"),
    ):
        with pytest.raises(DeviceError, match=said):
            devices.several(names)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.several("all") == devices.several("auto")
    with pytest.raises(DeviceError, match="offers PyTorch no cuda"):
        devices.several("cuda:0,cuda:1")


def test_unlike_devices_are_named_together():
    assert devices.described(["B", "A", "B"]) == "A + B"
    face_of = partial(FaceRestorer, lambda _: models(Counting()), None, [])
    y = torch.zeros(1, 3, 32, 32)
    face = Face(0, y, (64, 64), None, SETTINGS)
    here = devices.describe(torch.device("cpu"))
    alone, like, unlike = (face_of(device=device)._key(face, None) for device in ("", here, "A + B"))
    assert alone == like != unlike
