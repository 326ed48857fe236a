from __future__ import annotations

import weakref

import face_films as films
import numpy as np
import pytest
import skimage.data

from flair_core.errors import ShapeError
from flair_core.faces import align
from flair_core.faces.detect import Detection, face_box, load_detector
from flair_core.faces.mask import ELLIPSE_AXES
from flair_core.faces.shots import marked, shot_around
from flair_core.faces.smooth import Belief, smoothed
from flair_core.faces.track import Track, track_faces
from flair_core.faces.tracker import LOOK_BACK
from flair_core.frames import Frame

N = 20


@pytest.fixture(scope="module")
def detector():
    return load_detector()


def eyes(points):
    return np.hypot(*(points[..., 1, :] - points[..., 0, :]).T)


def drift(track, truths):
    """Where the tracked crops of 256 pixels show the true corners of the face, per frame (n, 4, 2)."""
    moved = []
    for index, matrix in enumerate(truths):
        true = align.similarity(films.landmarks(matrix), 256)
        corners = align.transform(align.inverse(true), align.outline(256, 256))
        moved.append(align.transform(align.similarity(track.at(index), 256), corners))
    return np.array(moved)


def test_one_face_is_one_steady_track(detector):
    path = [
        films.place(130 + 4 * i, 120 + 6 * np.sin(i / 3), 1 + 0.01 * i, 4 * np.sin(i / 4)) for i in range(N)
    ]
    seen = []
    frames = films.film([films.picture((False, m)) for m in path])
    (track,) = track_faces(frames, detector, progress=seen.append)
    assert seen == list(range(1, N + 1))
    assert (track.id, track.first, len(track)) == (0, 0, N)
    truth = np.array([films.landmarks(m) for m in path])
    error = np.linalg.norm(track.landmarks - truth, axis=2).mean(axis=1) / eyes(truth)
    assert error.max() < 0.15
    jitter = np.sqrt(np.mean(np.diff(drift(track, path), axis=0) ** 2) * 2)
    assert jitter < 0.6  # pixels of the aligned crop
    assert (track.score > 0.3).all()
    centre = track.landmarks.mean(axis=1)
    assert (track.boxes[:, :2] < centre).all()
    assert (track.boxes[:, 2:] > centre).all()


def test_faces_that_cross_keep_their_identity(detector):
    left = [films.place(50 + 11 * i, 110, 0.9) for i in range(N)]
    right = [films.place(270 - 11 * i, 130, 0.9) for i in range(N)]
    pictures = [films.picture((True, b), (False, f)) for b, f in zip(left, right, strict=True)]
    tracks = track_faces(films.film(pictures), detector)
    assert len(tracks) == 2
    for path in (left, right):
        ends = [films.landmarks(path[i]).mean(axis=0) for i in (0, N - 1)]
        (own,) = [t for t in tracks if np.hypot(*(t.at(0).mean(axis=0) - ends[0])) < 10]
        assert np.hypot(*(own.at(N - 1).mean(axis=0) - ends[1])) < 10
    behind = min(tracks, key=lambda track: track.at(0).mean(axis=0)[0])
    assert (behind.score[8:12] == 0).any()


def test_a_gap_is_bridged(detector):
    where = films.place(160, 120)
    pictures = [films.picture((False, where)) for _ in range(N)]
    for rgb in pictures[8:13]:
        rgb[:] = films.picture()
    (track,) = track_faces(films.film(pictures), detector)
    assert len(track) == N
    assert (track.score[9:12] == 0).all()
    assert np.linalg.norm(track.landmarks - films.landmarks(where), axis=2).max() < 0.15 * eyes(track.at(0))


def test_a_face_that_leaves_ends_its_track(detector):
    path = [films.place(220 + 14 * i, 120) for i in range(N)]
    (track,) = track_faces(films.film([films.picture((False, m)) for m in path]), detector)
    assert track.first == 0
    assert 3 <= len(track) <= 9  # its centre is outside from frame 8 on


def test_a_face_that_enters_is_followed_back(detector):
    path = [films.place(-60 + 14 * i, 120) for i in range(N)]
    (track,) = track_faces(films.film([films.picture((False, m)) for m in path]), detector)
    assert track.first <= 9  # whole from frame 8 on
    assert track.first + len(track) == N


def test_a_cut_ends_every_track(detector):
    before = [films.picture((False, films.place(100 + i, 120))) for i in range(8)]
    other = skimage.data.coffee()[:240, :320].copy()
    after = films.picture((True, films.place(200, 100)))
    inside = (slice(50, 150), slice(150, 250))
    other[inside] = after[inside]
    tracks = track_faces(films.film(before + [other] * 8), detector)
    assert [(t.first, len(t)) for t in tracks] == [(0, 8), (8, 8)]
    assert list(shot_starts(films.film(before + [other] * 8, first=3))) == [3, 11]


def shot_starts(frames):
    return (frame.index for frame, starts in marked(frames) if starts)


def test_movement_and_flashes_are_no_cuts():
    wide = films.picture((False, films.place(200, 120)), size=(640, 240))
    pan = [wide[:, 16 * i : 16 * i + 320] for i in range(20)]
    flash = np.clip(pan[-1] * 0.6 + 90, 0, 255).astype(np.uint8)
    assert list(shot_starts(films.film([*pan, flash, pan[-1], pan[-1]]))) == [0]


def test_frames_keep_their_own_numbers(detector):
    rgb = films.picture((False, films.place(160, 120)))
    deep = [rgb.astype(np.uint16) * 257] * 4
    (track,) = track_faces(films.film(deep, first=100), detector)
    assert (track.first, len(track)) == (100, 4)
    assert track.covers(103)
    assert not track.covers(104)
    np.testing.assert_array_equal(track.at(102), track.landmarks[2])


def test_no_face_no_track(detector):
    assert track_faces([], detector) == []
    assert track_faces(films.film([films.picture()] * 6), detector) == []
    assert track_faces(films.film([np.zeros((120, 160, 3), np.uint8)] * 3), detector) == []


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (16, 240)])
def test_frames_too_small_for_a_face(detector, size):
    assert track_faces(films.film([films.picture(size=size)] * 3), detector) == []


def test_tiny_and_half_faces_do_no_harm(detector):
    tiny, half = films.place(100, 60, 0.08), films.place(0, 180, 0.8)
    tracks = track_faces(films.film([films.picture((False, tiny), (True, half))] * 4), detector)
    assert all(np.isfinite(track.landmarks).all() for track in tracks)


def test_fifty_faces(detector):
    spots = [(50 + 96 * (i % 10), 55 + 105 * (i // 10)) for i in range(50)]
    crowd = [(i % 2 == 0, films.place(x, y, 0.72)) for i, (x, y) in enumerate(spots)]
    tracks = track_faces(films.film([films.picture(*crowd, size=(960, 528))] * 3), detector)
    found = {spots.index(min(spots, key=lambda s: np.hypot(*(t.at(0).mean(axis=0) - s)))) for t in tracks}
    assert len(found) == len(tracks)
    assert len(found) >= 45


def test_memory_does_not_grow_with_the_clip(detector):
    known, most = [], 0

    class Pixels(np.ndarray):
        """An array that can be counted."""

    def stream():
        nonlocal most
        for index in range(3 * LOOK_BACK):
            rgb = films.picture(size=(64, 48)).view(Pixels)
            known.append(weakref.ref(rgb))
            most = max(most, sum(pixels() is not None for pixels in known))
            yield Frame(rgb, index, index)

    track_faces(stream(), detector)
    assert most <= LOOK_BACK + 2


class Scripted:
    """A detector that returns noisy truth, or nothing."""

    def __init__(self, path, noise, blind=()):
        self.path, self.noise, self.blind, self.calls = path, noise, blind, 0
        self.rng = np.random.default_rng(0)

    def detect(self, rgb):
        index, self.calls = self.calls, self.calls + 1
        if index in self.blind:
            return []
        points = films.landmarks(self.path[8 * index]) + self.rng.normal(0, self.noise, (5, 2))
        return [Detection(face_box(points), points, 0.9)]


def test_any_detector_will_do():
    path = [films.place(150 + 2 * i, 120) for i in range(25)]
    frames = films.film([films.picture((False, m)) for m in path])
    (track,) = track_faces(frames, Scripted(path, noise=2.0, blind={2}))
    assert len(track) == 25
    error = np.linalg.norm(track.landmarks - [films.landmarks(m) for m in path], axis=2).mean()
    assert error < 3


def test_smoother_is_the_least_squares_path():
    """Against a dense solve of the same problem: motions, start and measurements, each with its variance."""
    rng = np.random.default_rng(0)
    angle = 0.1
    motion = np.array(
        [[1.02 * np.cos(angle), -np.sin(angle), 3.0], [np.sin(angle), 1.02 * np.cos(angle), -1.0]]
    )
    motion[:, :2] *= 1.0
    motion[0, 1], motion[1, 0] = -1.02 * np.sin(angle), 1.02 * np.sin(angle)
    start = rng.normal(0, 20, (5, 2))
    beliefs = [Belief.initial(start, 2.0)]
    measured = {}
    for i in range(1, 8):
        beliefs.append(beliefs[-1].moved(motion, 0.5))
        if i % 3 == 0:
            measured[i] = beliefs[-1].points + rng.normal(0, 0.3, (5, 2))
            beliefs[-1].measure(measured[i], 1.5)
    path = smoothed(beliefs)
    rows, values = [], []

    def add(terms, value, noise):
        row = np.zeros((2, 16))
        for i, block in terms.items():
            row[:, 2 * i : 2 * i + 2] = block
        rows.append(row / noise)
        values.append(np.asarray(value).T / noise)

    add({0: np.eye(2)}, start, 2.0)
    for i in range(1, 8):
        add({i: np.eye(2), i - 1: -motion[:, :2]}, np.tile(motion[:, 2], (5, 1)), 0.5)
        if i in measured:
            add({i: np.eye(2)}, measured[i], 1.5)
    dense = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)[0]
    np.testing.assert_allclose(path, dense.reshape(8, 2, 5).transpose(0, 2, 1), atol=1e-8)


def test_drawn_face():
    track = Track.fixed((100, 50, 200, 170), first=7, length=3, id=4)
    assert (track.id, track.first, len(track)) == (4, 7, 3)
    matrix = align.similarity(track.at(9), 256)
    top, bottom = align.transform(matrix, np.array([(150.0, 50.0), (150.0, 170.0)]))
    assert bottom[1] - top[1] == pytest.approx(2 * ELLIPSE_AXES[1] * 256)
    assert top[0] == pytest.approx(127.5, abs=0.5)
    np.testing.assert_array_equal(track.landmarks[0], track.landmarks[2])


@pytest.mark.parametrize(("box", "length"), [((9, 0, 9, 5), 3), ((0, 8, 9, 2), 3), ((0, 0, 9, 9), 0)])
def test_a_drawn_face_needs_room(box, length):
    with pytest.raises(ShapeError):
        Track.fixed(box, 0, length)


def test_a_track_must_fit_together():
    with pytest.raises(ShapeError, match="boxes"):
        Track(0, 0, np.zeros((3, 5, 2)), np.zeros((2, 4)), np.zeros(3))


class Film(list):
    """What is read of a FrameSource."""

    def frames(self, first, last):
        return iter(self[first:last])


def test_the_shot_around_a_frame_ends_at_its_cuts():
    shots = [skimage.data.coffee(), skimage.data.astronaut(), skimage.data.rocket()]
    source = Film(Frame(shots[i // 5], i, i, 1) for i in range(15))
    for index, reach, expected in ((7, 7, range(5, 10)), (0, 3, range(4)), (14, 2, range(12, 15))):
        assert [frame.index for frame in shot_around(source, index, reach)] == list(expected)
