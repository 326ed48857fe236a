"""The released program's enhancement of frames that are not aligned: crop, G, parse, paste at every step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cheap import FRAMES, make_film
from torch.testing import assert_close

from flair_core import video
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers.base import Unchanged
from flair_core.errors import WeightsError
from flair_core.faces import released
from flair_core.faces.align import inverse, template, transform
from flair_core.faces.detect import Detection
from flair_core.faces.track import Track
from flair_core.jobs import output
from flair_core.kept.cache import Cache
from flair_core.restoration import preview
from flair_core.restoration.clip import restore
from flair_core.restoration.crop import Face
from flair_core.restoration.models import Models, inlays, load_models
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.run import Run
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings, SamplerSettings
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions

CPU = torch.device("cpu")
SIDE = 96
TURNED = np.array([[4.0, -1.2, 150.0], [1.2, 4.0, 20.0]])
"""From a frame to the face in it."""


class Brighter:
    """G: adds light to the crops that it gets, and remembers them."""

    size = 512

    def __init__(self):
        self.seen = []

    def __call__(self, faces):
        self.seen.append(faces)
        return faces + 0.25


class Middle:
    """A parser for which the middle of a crop is skin, the left quarter of it hair, and the rest background."""

    def labels(self, faces):
        labels = np.zeros((len(faces), *faces.shape[-2:]), np.uint8)
        labels[:, 180:330, 180:330] = 1
        labels[:, :, :60] = 14
        return labels


class Eye:
    """Finds what it is told, by the mean of the picture."""

    def __init__(self, faces):
        self._faces = faces

    def detect(self, rgb):
        return self._faces if rgb.mean() < 150 else []


class Window:
    """Takes the condition for the clean image."""

    schedule = NoiseSchedule.log_spaced(100, 0.01, 0.5)
    size, window, own_noise = 64, 3, True

    def predict_noise(self, x_t, t, condition):
        return self.schedule.predict_eps(x_t, condition.c, t)


def landmarks(matrix=TURNED):
    return transform(inverse(matrix), template(released.SIZE))


def detection(matrix, size):
    return Detection(np.array([0.0, 0.0, size, size]), landmarks(matrix), 0.9)


def settings(*, aligned=True, **sampler):
    sampler = {"model": "flair-x8", "policy": "released", "w_tau": 0.5, "steps": 1} | sampler
    return RestorationSettings(
        degradation=DegradationSettings(scale=2),
        sampler=SamplerSettings(**sampler),
        faces=FaceSettings(aligned=aligned, mask="parsenet" if aligned else "landmarks", feather=6),
    )


def frames(count=2, seed=0):
    rough = torch.randn(count, 3, 12, 12, generator=torch.Generator().manual_seed(seed)).mul(0.3)
    return torch.nn.functional.interpolate(rough, (SIDE, SIDE), mode="bicubic").clamp(-0.7, 0.7)


def models(enhancer, detector=None, **others):
    return Models(Window(), enhancer, CPU, released_parser=Middle(), detector=detector, **others)


def test_only_what_the_parser_calls_face_comes_from_the_enhancer():
    x, matrix = frames(), released.affine(landmarks())
    np.testing.assert_allclose(matrix, TURNED, atol=1e-3)
    made = released.Inlaid(Brighter(), Middle().labels, [matrix, matrix])(x)
    changed = (made - x).abs().amax((0, 1))
    centre = transform(inverse(TURNED), np.array([255.0, 255.0])).round().astype(int)
    assert changed[centre[1], centre[0]] == pytest.approx(0.25, abs=0.05)
    far = np.linalg.norm(np.stack(np.meshgrid(range(SIDE), range(SIDE)), -1) - centre, axis=-1) > 60
    assert changed[torch.from_numpy(far)].max() < 1e-3


def test_frames_without_a_face_stay_and_each_frame_is_on_its_own():
    x, matrix = frames(3), released.affine(landmarks())
    enhancer = Brighter()
    made = released.Inlaid(enhancer, Middle().labels, [matrix, None, matrix])(x)
    assert torch.equal(made[1], x[1])
    assert [len(seen) for seen in enhancer.seen] == [2]
    alone = released.Inlaid(Brighter(), Middle().labels, [matrix])(x[2:])
    assert torch.equal(made[2:], alone)
    assert released.Inlaid(enhancer, Middle().labels, [None] * 3)(x) is x


@pytest.mark.parametrize("found", ["tracked", "detected"])
def test_every_step_enhances_the_face_within_x(found):
    """x0 after G is x0 + w m (G(crop) - x0), by the landmarks of the track or of the largest face that is found."""
    chosen, y, enhancer = settings(aligned=found == "detected"), frames()[..., ::2, ::2], Brighter()
    size, tiny = (SIDE, SIDE), np.array([[20.0, 0, 0], [0, 20.0, 0]])
    if found == "tracked":
        face = Face(0, y, size, [TURNED] * 2, chosen, 1, np.stack([landmarks()] * 2))
        detector = None
    else:
        face, detector = Face(0, y, size, None, chosen), Eye([detection(tiny, 9), detection(TURNED, 30)])
    (state,) = FaceRestorer(lambda _: models(enhancer, detector), None, []).steps(face)
    x0, matrix = state.stages["after DC"], released.affine(landmarks())
    expected = x0.lerp(released.Inlaid(Brighter(), Middle().labels, [matrix] * 2)(x0), 0.5)
    assert_close(state.stages["after G"], expected, atol=1e-5, rtol=0)
    assert [len(seen) for seen in enhancer.seen] == [2]


def test_frames_in_which_no_face_is_found_are_restored_without_enhancement():
    bright = frames()[..., ::2, ::2]
    bright[1] = 0.3 * bright[1] + 0.6  # the detector takes it for another scene
    enhancer = Brighter()
    restorer = FaceRestorer(lambda _: models(enhancer, Eye([detection(TURNED, 30)])), None, [])
    (state,) = restorer.steps(Face(0, bright, (SIDE, SIDE), None, settings()))
    changed = (state.stages["after G"] - state.stages["after DC"]).abs().amax((1, 2, 3))
    assert changed[0] > 0.1
    assert changed[1] == 0


def test_regions_get_their_share():
    face = Face(0, frames()[..., ::2, ::2], (SIDE, SIDE), None, settings(w_eyes=0.0, w_mouth=0.0, w_skin=0.0))
    restorer = FaceRestorer(lambda _: models(Brighter(), Eye([detection(TURNED, 30)])), None, [])
    (state,) = restorer.steps(face)
    assert torch.equal(state.stages["after G"], state.stages["after DC"])


def test_when_it_applies():
    assert inlays(settings(aligned=False))
    assert inlays(settings())
    assert not inlays(settings(policy="paper"))
    assert not inlays(settings(model="starter"))
    assert not inlays(settings(w_tau=0.0))
    assert not inlays(settings(tau=1)), "G is never called"
    aligned = settings()
    assert not inlays(replace(aligned, faces=replace(aligned.faces, mask="landmarks")))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A computer without any model but the network itself."""
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path)
    monkeypatch.setattr("flair_core.restoration.models._denoiser", lambda *_: Window())
    monkeypatch.setattr("flair_core.kept.fingerprints.weights_hash", lambda _: None)


def test_the_parser_is_demanded_only_where_it_is_needed(empty):
    needs = settings(aligned=False, enhancer="none")
    with pytest.raises(WeightsError, match=r"flair models get parsenet.*set the enhancement w_τ to 0"):
        load_models(needs, CPU)
    for chosen in (
        settings(aligned=False, w_tau=0.0, enhancer="codeformer"),
        settings(aligned=False, tau=1, enhancer="codeformer"),
        settings(w_tau=0.0),
        settings(aligned=False, enhancer="none", policy="paper"),
    ):
        assert load_models(chosen, CPU).released_parser is None


def test_the_cache_tells_landmarks_and_detectors_apart():
    y = frames()[..., ::2, ::2]
    keys = set()
    for moved in (0, 3):
        face = Face(
            0, y, (SIDE, SIDE), [TURNED] * 2, settings(aligned=False), 1, np.stack([landmarks()] * 2) + moved
        )
        keys.add(FaceRestorer(lambda _: models(Unchanged()), None, [])._key(face, None))
    whole = Face(0, y, (SIDE, SIDE), None, settings())
    for name in ("a", "b"):
        seen = models(Unchanged(), Eye([]), weights={"embedded": name})
        keys.add(FaceRestorer(lambda _, seen=seen: seen, None, [])._key(whole, None))
    assert len(keys) == 4


@pytest.mark.parametrize("aligned", [False, True])
def test_a_film_goes_through_and_its_preview_is_what_is_written(aligned, tmp_path):
    clip, look = make_film(tmp_path / "clip.mkv"), Look(settings(aligned=aligned))
    tracks = [] if aligned else [Track.fixed((20, 10, 70, 60), 1, 5)]
    enhancer, kept = Brighter(), Cache(tmp_path / "cache")
    loaded = models(enhancer, Eye([detection(np.array([[5.0, 0, 0], [0, 5.0, 0]]), 40)]) if aligned else None)
    with video.open_source(clip) as source:
        out = output.open_output(
            tmp_path / "a.mkv", source, look.settings, range(FRAMES), options=OutputOptions(codec="lossless")
        )
        with out as sink:
            what = Run(source, tracks, look, lambda _: loaded)
            list(restore(what, sink, range(FRAMES), cache=kept))
            sink.commit()
        *_, last = preview.preview(what, 2, cache=kept)
    assert enhancer.seen
    with video.open_source(tmp_path / "a.mkv") as result:
        np.testing.assert_array_equal(result[2].rgb, last.frame)
