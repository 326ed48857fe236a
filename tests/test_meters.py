"""Meters of what networks leave behind, on pictures in which it is known how much of it there is."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from flair_core.checkpoints import metrics as weights
from flair_core.errors import WeightsError
from flair_core.metrics import artefacts, distributions, features, identity, suite
from flair_core.metrics.meters import Pair
from flair_core.metrics.suite import Evaluation, Setup
from flair_core.metrics.temporal import Shimmer

CPU = torch.device("cpu")
FACES = Path(__file__).parents[2] / "shared" / "data" / "faces_val"
ROWS, COLUMNS = np.mgrid[:256, :256]


@cache
def scene() -> np.ndarray:
    return np.ascontiguousarray(astronaut()[:256, 96:352])


@cache
def faces() -> np.ndarray:
    if not (FACES / "index.csv").is_file():
        pytest.skip(f"there are no faces in {FACES}")
    from flair_core.training.data import load_faces

    return load_faces(FACES)


def levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blurred(frame: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(frame, (0, 0), sigma)


def noisy(frame: np.ndarray, std: float, seed: int = 0) -> np.ndarray:
    return levels(frame + np.random.default_rng(seed).normal(0, std, frame.shape))


def woven(frame: np.ndarray, amplitude: float, period: float, colours: tuple[int, int, int]) -> np.ndarray:
    waves = np.cos(2 * np.pi * COLUMNS / period) * np.cos(2 * np.pi * ROWS / period)
    return levels(frame + amplitude * waves[..., None] * colours)


# Mesh


@pytest.mark.parametrize("period", [2, 4, 5.3, 8])
@pytest.mark.parametrize("colours", [(1, 1, 1), (1, 0, -1)])
def test_a_stronger_mesh_has_a_higher_peak(period, colours):
    found = [artefacts.mesh(woven(scene(), a, period, colours), scene()) for a in (0, 2, 4, 8, 16)]
    assert found[0] == 1
    assert all(more > less for less, more in pairwise(found[1:]))
    assert found[-1] > 4
    if colours == (1, 0, -1):  # pictures have little fine colour: a coloured mesh shows long before
        assert found[1] > 2


def test_a_mesh_of_known_strength_on_grain_stands_as_high_above_it():
    """A wave of amplitude a has a²/4 (Σh)² in its bin, grain of variance v has v Σh² in all; three bins averaged."""
    std, a = 4.0, 2.0
    grey = np.full((256, 256, 3), 128)
    clean = noisy(grey, std)
    made = noisy(grey + a * np.cos(2 * np.pi * COLUMNS / 4)[..., None], std)
    h = artefacts.HANN
    # Of brightness (R + G + B) / √3: three times the power of a wave that all have, as much of grain that is their own.
    spread = np.abs(np.fft.fft(np.hanning(65)[:-1]))[[-1, 0, 1]] ** 2
    wave = 3 * (a / 2 * h.sum()) ** 2 * (spread.sum() / spread[1]) ** 2 / 9
    unseen = (artefacts.UNSEEN / 2 * h.sum()) ** 2
    ground = (std**2 + 1 / 12) * (h**2).sum() + unseen
    assert artefacts.mesh(made, clean) == pytest.approx(1 + wave / ground, rel=0.25)


@pytest.mark.parametrize(
    "worse",
    [
        lambda x: blurred(x, 1),
        lambda x: blurred(x, 4),
        lambda x: noisy(x, 5),
        lambda x: np.roll(x, 2, 1),
        lambda x: cv2.resize(cv2.resize(x, (64, 64), interpolation=cv2.INTER_AREA), (256, 256)),
        lambda x: levels(0.8 * x + 20),
    ],
    ids=["blurred", "very blurred", "grainy", "moved", "enlarged", "paler"],
)
def test_what_is_no_mesh_has_none(worse):
    assert 1 <= artefacts.mesh(worse(scene()), scene()) < 1.2


def test_a_mesh_outside_of_the_mask_does_not_count():
    mask = np.zeros((256, 256), bool)
    mask[:, :96] = True
    half = scene().copy()
    half[:, 160:] = woven(scene(), 8, 4, (1, 0, -1))[:, 160:]
    assert artefacts.mesh(half, scene()) > 4
    assert artefacts.mesh(half, scene(), mask) == 1
    assert artefacts.mesh(half, scene(), np.zeros((256, 256), bool)) is None
    assert artefacts.mesh(half[:60], scene()[:60]) is None


# Halo


def step(low: float = 80, high: float = 160) -> np.ndarray:
    """A disc with an edge a few pixels wide."""
    distance = np.hypot(ROWS - 128, COLUMNS - 128) - 70
    return (low + (high - low) / (1 + np.exp(distance)))[..., None] * np.ones(3)


@pytest.mark.parametrize("height", [0, 5, 20, 60])
@pytest.mark.parametrize("sides", ["dark", "pale", "both"])
def test_a_halo_is_as_high_as_it_was_drawn(height, sides):
    distance = np.hypot(ROWS - 128, COLUMNS - 128) - 70
    dark = (np.abs(distance - 4.5) < 1)[..., None] * height
    pale = (np.abs(distance + 4.5) < 1)[..., None] * height
    drawn = step() - dark * (sides != "pale") + pale * (sides != "dark")
    found, share = artefacts.halo(levels(drawn), levels(step()))
    assert found == pytest.approx(height, abs=1 + 0.02 * height)
    assert share == pytest.approx(found / 80, abs=0.03)


def test_soft_and_moved_edges_have_no_halo_but_sharpened_ones():
    clean = scene()
    sharpened = levels(2.0 * clean - blurred(clean.astype(float), 2))
    assert artefacts.halo(blurred(clean, 3), clean)[0] < 0.1
    moved = clean.copy()
    moved[:, 1:] = clean[:, :-1]
    assert artefacts.halo(moved, clean)[0] < 0.5
    assert artefacts.halo(sharpened, clean)[0] > 10
    assert artefacts.halo(clean, np.full_like(clean, 128)) is None
    assert artefacts.halo(clean, clean, np.zeros((256, 256), bool)) is None


# Grain


@pytest.mark.parametrize("true", [1.0, 3.0])
@pytest.mark.parametrize("made", [1.0, 3.0, 9.0])
def test_grain_is_the_ratio_of_the_stds(true, made):
    """Half of the scene is flat, the other half full of edges that are no grain."""
    ground = np.full((256, 256, 3), 120.0)
    ground[:, 128:] = scene()[:, 128:]
    found = artefacts.grain(noisy(ground, made, 1), noisy(ground, true, 2))
    expected = np.sqrt((made**2 + 1 / 12) / (true**2 + 1 / 12))
    assert found == pytest.approx(expected, rel=0.05)


def test_less_grain_than_rounding_counts_as_rounding():
    flat = np.full((128, 128, 3), 120, np.uint8)
    assert artefacts.grain(flat, flat) == 1
    assert artefacts.grain(noisy(flat, 2), flat) == pytest.approx(np.sqrt((4 + 1 / 12) * 12), rel=0.05)
    assert artefacts.grain(flat, noisy(flat, 2)) == pytest.approx(1 / np.sqrt((4 + 1 / 12) * 12), rel=0.05)


def test_black_bars_are_no_flat_places():
    frame = noisy(np.full((128, 128, 3), 120), 2)
    frame[:64] = 0
    other = noisy(frame, 4, 1)
    other[:64] = 0
    assert artefacts.grain(other, frame) == pytest.approx(np.sqrt((20 + 1 / 6) / (4 + 1 / 12)), rel=0.07)
    assert artefacts.grain(frame, np.zeros_like(frame)) is None


# Shimmer


def test_errors_that_stay_do_not_shimmer_but_flicker_does():
    """A still scene: a constant error has no shimmer, one of ±d has (2d)² in three colours."""
    clean = np.clip(scene(), 20, 235)
    found = []
    for sign in (1, -1):
        meter = Shimmer()
        for i in range(4):
            meter.add(Pair(clean, levels(clean + 5.0 * sign**i)))
        found.append(meter.result())
    assert found[0] == 0
    assert found[1] == pytest.approx(3 * (10 / 255) ** 2, rel=1e-3)


# Networks


@cache
def network() -> features.LiteNetwork:
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra bench")
    try:
        return features.LiteNetwork(CPU)
    except WeightsError as error:
        pytest.skip(str(error))


def test_the_feature_distance_grows_with_blur():
    distance = features.feature_distance(network())
    found = [distance(Pair(scene(), blurred(scene(), s))) for s in (0.7, 1.5, 3, 6)]
    assert distance(Pair(scene(), scene())) == pytest.approx(0, abs=1e-6)
    assert found == sorted(found)
    assert found[0] > 0.01
    assert found[-1] < 2
    outside = np.zeros((256, 256), bool)
    assert distance(Pair(scene(), blurred(scene(), 3), outside)) is None
    assert distance(Pair(scene()[:32, :32], scene()[:32, :32])) is None


def test_the_feature_distance_by_hand():
    """Level by level with hooks on the published network, places one after the other."""
    published, pair = network()._network, Pair(scene()[:64, :64], blurred(scene(), 2)[:64, :64])
    seen = {}
    hooks = [
        published._blocks[i].register_forward_hook(lambda _, __, out, i=i: seen.update({i: out}))
        for i in features.LEVELS
    ]
    x = torch.from_numpy(np.stack([pair.clean, pair.restored])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        published.extract_features(x)
    for hook in hooks:
        hook.remove()
    expected = []
    for out in seen.values():
        a, b = out.double().flatten(2).permute(0, 2, 1).numpy()
        a, b = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in (a, b))
        expected.append(np.mean([((u - v) ** 2).sum() for u, v in zip(a, b, strict=True)]))
    assert [out.shape[-1] for out in seen.values()] == [32, 16, 8, 4]
    assert features.feature_distance(network())(pair) == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_paired_kernel_distance_by_hand():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(7, 5))
    b = a + rng.normal(size=(7, 5))
    k = lambda u, v: (u @ v / 5 + 1) ** 3
    each = [
        k(a[i], a[j]) + k(b[i], b[j]) - k(a[i], b[j]) - k(a[j], b[i])
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    assert distributions.paired_kernel_distance(a, b) == pytest.approx(np.mean(each), rel=1e-9)
    assert distributions.paired_kernel_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert np.isnan(distributions.paired_kernel_distance(a[:1], b[:1]))


def test_kid_is_near_0_for_halves_of_one_set_and_large_for_blurred_ones():
    described = [
        np.concatenate([network()(part) for part in np.array_split(frames, 6)]).astype(float)
        for frames in (faces()[:48], np.stack([blurred(face, 1) for face in faces()[:48]]))
    ]
    halves = abs(distributions.kernel_distance(described[0][::2], described[0][1::2]))
    soft = distributions.kernel_distance(described[0][::2], described[1][1::2])
    paired = distributions.paired_kernel_distance(*described)
    assert halves < 0.01
    assert soft > 0.04
    assert paired == pytest.approx(soft, rel=0.3)


@cache
def same_person():
    pytest.importorskip("dlib", reason="needs the extra bench")
    try:
        return identity.identity_distance(identity.places())
    except WeightsError as error:
        pytest.skip(str(error))


def test_two_persons_are_further_apart_than_a_face_and_its_blurred_self():
    distance, two = (
        same_person(),
        [face for face in faces()[:6] if identity.places().of(face) is not None][:2],
    )
    for face in two:
        assert distance(Pair(face, face)) == 0
    soft = [distance(Pair(face, blurred(face, 2))) for face in two]
    apart = distance(Pair(*two))
    assert max(soft) < 0.4
    assert apart > 0.6


def test_identity_knows_whom_it_sees_anywhere_in_a_frame():
    """A face turned, made smaller and moved is cut out as before: it is still the same person."""
    distance = same_person()
    face = faces()[0]
    turned = cv2.warpAffine(
        face, cv2.getRotationMatrix2D((128, 128), 15, 0.8), (256, 256), borderMode=cv2.BORDER_REPLICATE
    )
    plain, other = (Pair(frame, blurred(frame, 1.5)) for frame in (face, turned))
    assert distance(other) == pytest.approx(distance(plain), abs=0.1)
    assert distance(Pair(np.full_like(face, 128), face)) is None


def test_landmarks_move_as_far_as_the_picture():
    error = identity.landmark_error(identity.places())
    clean = np.ascontiguousarray(astronaut()[:320, 64:384])
    moved = np.roll(clean, (3, 4), (0, 1))
    eyes = identity.places().of(clean)[:2]
    assert error(Pair(clean, moved)) == pytest.approx(100 * 5 / np.linalg.norm(eyes[1] - eyes[0]), rel=0.2)
    assert error(Pair(clean, clean)) == 0
    assert error(Pair(clean, np.full_like(clean, 128))) is None
    assert error(Pair(np.full_like(clean, 128), clean)) is None


def test_a_missing_package_skips_its_metrics_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    features._network.cache_clear()
    names = ["features", "features_kid", "identity_distance"]
    skipped = Evaluation([*names, "mesh"], Setup(CPU)).skipped
    assert list(skipped) == names
    assert all("flair-studio[bench]" in reason for reason in skipped.values())


def test_another_file_than_expected_is_refused():
    changed = weights.PackageFile("numpy", "numpy", "__init__.py", "0" * 64)
    with pytest.raises(WeightsError, match="install numpy again"):
        changed.path()


def test_the_clean_clip_scores_as_the_truth_does():
    names = ["mesh", "halo", "halo_worst", "grain", "shimmer", "landmarks"]
    evaluation = Evaluation(names, Setup(CPU))
    for _ in range(2):
        evaluation.add(Pair(scene(), scene()))
    expected = dict.fromkeys(names, 0) | {"mesh": 1, "grain": 1}
    assert evaluation.scores() == pytest.approx(expected, abs=1e-9)
    assert set(names) < set(suite.METRICS)


# The benchmark


def test_better_and_worse_are_told_from_chance():
    """Pictures differ far more from each other than the two ways do: each is compared with itself."""
    from benchmarks.quality import Row, compared, told

    rng = np.random.default_rng(0)
    pictures, chance = rng.normal(30, 3, 12), rng.normal(0, 0.01, 12)
    ratio = np.exp(rng.normal(0, 0.01, 12))
    plain = {
        "psnr": pictures,
        "features": pictures,
        "mesh": 1.5 * ratio,
        "grain": 0.5 * ratio,
        "halo": pictures,
    }
    ours = {
        "psnr": pictures - 0.1 + chance,
        "features": pictures - 0.1 + chance,
        "mesh": 1.2 * ratio[::-1],
        "grain": 2.4 * ratio[::-1],
        "halo": pictures + (chance - chance.mean()),
    }
    ways = [
        Row({name: v.mean() for name, v in row.items()}, {n: list(v) for n, v in row.items()}, {})
        for row in (ours, plain)
    ]
    signs = compared(*ways)
    assert signs == {"psnr": "-", "features": "+", "mesh": "+", "grain": "-", "halo": "="}
    assert "better in Features, Mesh; worse in PSNR, Grain; no sure difference in Halo" in told(signs)
