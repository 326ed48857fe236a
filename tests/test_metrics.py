"""Metrics against independent implementations and closed forms."""

import http.server
import json
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.linalg
import skimage.metrics
import torch
import torchmetrics
import torchvision
from skimage.data import astronaut
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.kid import poly_mmd

from flair_core import cli, video
from flair_core.checkpoints import metrics, store
from flair_core.errors import ShapeError, WeightsError
from flair_core.faces.detect import Detection
from flair_core.frames import Frame, VideoInfo
from flair_core.jobs.degrade import degrade_clip
from flair_core.metrics import distributions, fidelity, i3d, perceptual, suite
from flair_core.metrics.distributions import ClipFeatures, FrameFeatures, frechet_distance, kernel_distance
from flair_core.metrics.fidelity import psnr, ssim
from flair_core.metrics.identity import identity_similarity
from flair_core.metrics.meters import Pair
from flair_core.metrics.region import region
from flair_core.metrics.suite import Evaluation, Setup
from flair_core.metrics.temporal import WarpingError
from flair_core.motion import dense_flow, pull, visible
from flair_core.settings.groups import DegradationSettings
from flair_core.settings.output import OutputOptions

CPU = torch.device("cpu")
SHARED = Path(__file__).parents[2] / "shared"


def picture(side: int = 128) -> np.ndarray:
    return cv2.resize(astronaut()[20:276, 96:352], (side, side), interpolation=cv2.INTER_AREA)


def noisy(frame: np.ndarray, std: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, std, frame.shape)
    return np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)


def write(path: Path, frames: list[np.ndarray]) -> Path:
    height, width = frames[0].shape[:2]
    info = VideoInfo(width, height, Fraction(25), Fraction(1, 25), len(frames))
    with video.open_sink(
        path, like=info, width=width, height=height, options=OutputOptions(codec="lossless")
    ) as sink:
        for index, rgb in enumerate(frames):
            sink.write(Frame(rgb, index, index, 1))
        sink.commit()
    return path


# PSNR and SSIM


@pytest.mark.parametrize("std", [1, 8, 40])
def test_psnr_and_ssim_agree_with_other_libraries(std):
    clean = picture()
    worse = noisy(clean, std)
    assert psnr(worse, clean) == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(clean, worse), abs=1e-9
    )
    planes = [torch.from_numpy(frame).permute(2, 0, 1)[None].double() for frame in (worse, clean)]
    _, each = structural_similarity_index_measure(
        *planes, data_range=255.0, sigma=1.5, kernel_size=11, return_full_image=True
    )
    expected = float(
        each[..., 5:-5, 5:-5].mean()
    )  # torchmetrics also counts windows that reach over the border
    assert ssim(worse, clean) == pytest.approx(expected, abs=1e-9)


def test_ssim_by_hand():
    """Wang et al. 2004, formula (13), at the one pixel whose window fits."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 11, 11, 3)).astype(np.uint8)
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window)[..., None] / window.sum() ** 2
    x, y = a.astype(float), b.astype(float)
    mx, my = (window * x).sum((0, 1)), (window * y).sum((0, 1))
    vx, vy = (window * x**2).sum((0, 1)) - mx**2, (window * y**2).sum((0, 1)) - my**2
    cov = (window * x * y).sum((0, 1)) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(a, b) == pytest.approx(value.mean(), abs=1e-9)


def shared_frames(count: int, side: int = 192) -> list[np.ndarray]:
    """Frames of a real clip, smaller."""
    clips = sorted((SHARED / "data/clips").glob("*.mp4"))
    if not clips:
        pytest.skip(f"there are no clips in {SHARED / 'data/clips'}")
    with video.open_source(clips[0]) as clip:
        return [
            cv2.resize(frame.rgb, (side, side), interpolation=cv2.INTER_AREA)
            for frame in clip.frames(0, count)
        ]


def test_psnr_and_ssim_agree_with_scikit_image_on_real_footage():
    """Footage made eight times smaller and enlarged again: errors with structure."""
    for clean in shared_frames(3):
        small = cv2.resize(clean, (24, 24), interpolation=cv2.INTER_AREA)
        worse = cv2.resize(small, (192, 192), interpolation=cv2.INTER_CUBIC)
        expected = skimage.metrics.peak_signal_noise_ratio(clean, worse, data_range=255)
        assert psnr(worse, clean) == pytest.approx(expected, abs=1e-9)
        expected = skimage.metrics.structural_similarity(
            clean,
            worse,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ssim(worse, clean) == pytest.approx(expected, abs=1e-9)


def test_only_the_region_counts():
    clean = picture()
    mask = np.zeros(clean.shape[:2], bool)
    mask[32:96, 32:96] = True
    spoilt = np.where(mask[..., None], noisy(clean, 5), 255 - clean).astype(np.uint8)
    inside = psnr(noisy(clean, 5)[32:96, 32:96], clean[32:96, 32:96])
    assert psnr(spoilt, clean, mask) == pytest.approx(inside)
    well_inside = cv2.erode(mask.astype(np.uint8), np.ones((11, 11))) > 0
    assert ssim(spoilt, clean, well_inside) == pytest.approx(
        ssim(noisy(clean, 5), clean, well_inside), abs=1e-9
    )


# Distances of distributions


@pytest.mark.parametrize("samples", [300, 40])
def test_frechet_distance_is_the_formula(samples):
    """With more samples than features, and with fewer: the covariances are singular then."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(samples, 64)), 1.5 * rng.normal(size=(samples + 7, 64)) + 0.3
    (mean_a, cov_a), (mean_b, cov_b) = ((f.mean(0), np.cov(f, rowvar=False)) for f in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b + 1e-12 * np.eye(64)).real
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_of_known_gaussians():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(200_000, 3)), 2 * rng.normal(size=(200_000, 3)) + (1, 0, 0)
    assert frechet_distance(a, b) == pytest.approx(1 + 3, rel=0.02)  # |Δμ|² + Σ (σ_a − σ_b)²


def test_kernel_distance_agrees_with_torchmetrics():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(50, 16)), rng.normal(size=(50, 16)) + 0.2
    expected = float(poly_mmd(torch.from_numpy(a), torch.from_numpy(b)))
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_by_hand():
    """Bińkowski et al. 2018, the unbiased estimate, pair by pair."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(7, 5)), rng.normal(size=(9, 5)) + 0.5

    def k(u, v):
        return (sum(x * y for x, y in zip(u, v, strict=True)) / 5 + 1) ** 3

    within_a = np.mean([k(u, v) for i, u in enumerate(a) for j, v in enumerate(a) if i != j])
    within_b = np.mean([k(u, v) for i, u in enumerate(b) for j, v in enumerate(b) if i != j])
    between = np.mean([k(u, v) for u in a for v in b])
    assert kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * between, rel=1e-9)


def test_fid_and_fvd_of_real_footage_are_the_formula_of_its_features():
    """From frames to the number, with random projections for networks: pieces of 4 frames, one every 2."""
    frames = shared_frames(24, 32)
    spoilt = [noisy(frame, 30, seed) for seed, frame in enumerate(frames)]
    rng = np.random.default_rng(5)

    def expected(clean, restored):
        (m, s), (n, c) = ((f.mean(0), np.cov(f, rowvar=False)) for f in (clean, restored))
        return ((m - n) ** 2).sum() + np.trace(s + c - 2 * scipy.linalg.sqrtm(s @ c).real)

    for length, stride in ((1, 1), (4, 2)):
        projection = rng.normal(size=(length * 32 * 32 * 3, 6)) / 1e3

        def extract(stacks, projection=projection):
            return stacks.reshape(len(stacks), -1) @ projection

        starts = range(0, len(frames) - length + 1, stride)
        pieces = [
            np.stack([extract(np.stack(clip[at : at + length])[None])[0] for at in starts])
            for clip in (frames, spoilt)
        ]
        meter = (
            FrameFeatures(extract, frechet_distance)
            if length == 1
            else ClipFeatures(extract, frechet_distance, length, stride)
        )
        for clean, restored in zip(frames, spoilt, strict=True):
            meter.add(Pair(clean, restored))
        assert meter.result() == pytest.approx(expected(*pieces), rel=1e-5)


def test_pieces_overlap_and_never_span_two_clips():
    seen = []

    def extract(pieces: np.ndarray) -> np.ndarray:
        seen.append(pieces[0, :, 0, 0, 0].tolist())
        return pieces.reshape(len(pieces), -1)[:, :2].astype(float)

    meter = ClipFeatures(extract, frechet_distance, 4, 2)
    for clip in (range(7), range(10, 15)):
        for value in clip:
            frame = np.full((2, 2, 3), value, np.uint8)
            meter.add(Pair(frame, frame))
        meter.cut()
    assert seen == [[0, 1, 2, 3], [2, 3, 4, 5], [10, 11, 12, 13]]
    assert meter.result() == pytest.approx(0, abs=1e-9)


# Warping error


def test_noise_on_a_still_clip_has_the_warping_error_of_its_variance():
    """Nothing moves, so neighbours differ by two independent draws: 3 colours · 2 σ²."""
    clean, std = picture(), 4.0
    meter = WarpingError()
    for seed in range(6):
        meter.add(Pair(clean, noisy(np.clip(clean, 20, 235), std, seed)))
    assert meter.result() == pytest.approx(6 * (std**2 + 1 / 12) / 255**2, rel=0.05)


def test_motion_is_no_warping_error_but_flicker_is():
    scene = picture(256)
    moving = [scene[40:200, 40 + 2 * i : 200 + 2 * i] for i in range(4)]
    flickering = [
        np.clip(frame.astype(int) + 6 * (-1) ** i, 0, 255).astype(np.uint8) for i, frame in enumerate(moving)
    ]
    errors = []
    for clip in (moving, flickering):
        meter = WarpingError()
        for clean, restored in zip(moving, clip, strict=True):
            meter.add(Pair(clean, restored))
        errors.append(meter.result())
    still = WarpingError()
    for clean in moving:
        still.add(Pair(moving[0], clean))  # as if nothing had moved
    steady, flicker = errors
    assert steady < still.result() / 10
    assert flicker - steady == pytest.approx(3 * (12 / 255) ** 2, rel=0.15)


def test_a_flow_leads_from_here_to_there():
    scene = picture(256)
    here, there = (
        scene[40:168, 40:168],
        scene[43:171, 45:173],
    )  # the view moves right and down, the scene left and up
    flow = dense_flow(here, there)
    np.testing.assert_allclose(np.median(flow, (0, 1)), (-5, -3), atol=0.1)
    inner = np.s_[24:-24, 24:-24]
    assert np.abs(pull(there, flow).astype(int) - here)[inner].mean() < 2


def test_what_will_be_covered_is_not_counted():
    """A textured square moves 8 pixels to the right over a still, textured ground."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (128, 160, 3)).astype(np.uint8), (0, 0), 1.5)
    ground = cv2.normalize(ground, None, 0, 255, cv2.NORM_MINMAX)
    square = 255 - cv2.flip(ground, 1)[:48, :48]
    frames = []
    for left in (40, 48):
        frame = ground.copy()
        frame[40:88, left : left + 48] = square
        frames.append(frame)
    counted = visible(dense_flow(*frames), dense_flow(*frames[::-1]))
    assert counted[50:78, 50:80].mean() > 0.8  # the square itself
    assert counted[:30].mean() > 0.9  # the ground
    assert counted[44:84, 90:95].mean() < 0.2  # the ground just before it


def test_warping_error_by_hand():
    """Section 5.3 and Ruder et al. 2016, pixel by pixel, on real footage and a flow of OpenCV's."""
    frames = shared_frames(4, 48)
    restored = [noisy(frame, 6, seed) for seed, frame in enumerate(frames)]
    meter, errors = WarpingError(), []
    for clean, made in zip(frames, restored, strict=True):
        meter.add(Pair(clean, made))
    for n in range(3):
        there, back = dense_flow(frames[n], frames[n + 1]), dense_flow(frames[n + 1], frames[n])
        slope_y, slope_x = np.gradient(there, axis=(0, 1))
        total = counted = 0
        for y in range(48):
            for x in range(48):
                u, v = map(float, there[y, x])
                if not (0 <= x + u <= 47 and 0 <= y + v <= 47):
                    continue
                returned, length = between_pixels(back, x + u, y + v), u**2 + v**2
                apart = (u + returned[0]) ** 2 + (v + returned[1]) ** 2
                if apart > 0.01 * (length + (returned**2).sum()) + 0.5:
                    continue
                if (slope_x[y, x] ** 2).sum() + (slope_y[y, x] ** 2).sum() > 0.01 * length + 0.002:
                    continue
                moved = between_pixels(restored[n + 1].astype(float), x + u, y + v)
                total += (((restored[n][y, x] - moved) / 255) ** 2).sum()
                counted += 1
        errors.append(total / counted)
    assert meter.result() == pytest.approx(np.mean(errors), rel=0.02)  # OpenCV moves by 32nds of a pixel


def between_pixels(image: np.ndarray, x: float, y: float) -> np.ndarray:
    left, top = min(int(x), image.shape[1] - 2), min(int(y), image.shape[0] - 2)
    right, below = x - left, y - top
    above = (1 - right) * image[top, left] + right * image[top, left + 1]
    under = (1 - right) * image[top + 1, left] + right * image[top + 1, left + 1]
    return (1 - below) * above + below * under


# Networks


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_lpips_by_hand(tmp_path):
    """Features of all five stages, unit length per pixel, squared differences weighed per channel, summed."""
    torch.manual_seed(0)
    network = torchvision.models.alexnet(weights=None)
    torch.save(network.state_dict(), tmp_path / "alexnet.pth")
    pair = Pair(picture(), noisy(picture(), 20))
    heads = Path(torchmetrics.__file__).parent / "functional/image/lpips_models/alex.pth"
    heads = torch.load(heads, map_location="cpu", weights_only=True)
    shift, scale = (torch.tensor(v).view(3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    stages = []
    for frame in (pair.clean, pair.restored):
        x = (torch.from_numpy(frame).permute(2, 0, 1) / 127.5 - 1 - shift) / scale
        found = []
        for layer in network.requires_grad_(False).features:
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                found.append(x.clone() / (x.square().sum(0, keepdim=True) + 1e-8).sqrt())
        stages.append(found)
    expected = sum(
        float(((a - b).square() * heads[f"lin{k}.model.1.weight"][0]).sum(0).mean())
        for k, (a, b) in enumerate(zip(*stages, strict=True))
    )
    assert perceptual.lpips(tmp_path / "alexnet.pth", CPU)(pair) == pytest.approx(expected, rel=1e-4)


def test_inception_features_are_those_of_torchmetrics(tmp_path, monkeypatch):
    fidelity = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="extra metrics is not here"
    )
    from torchmetrics.image.fid import NoTrainInceptionV3

    from flair_core.metrics.inception import FrameNetwork

    torch.manual_seed(0)
    torch.save({}, tmp_path / "none.pth")
    with monkeypatch.context() as patch:
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        state = fidelity.FeatureExtractorInceptionV3("i", ["2048"], str(tmp_path / "none.pth")).state_dict()
    torch.save(state, tmp_path / "inception.pth")
    frames = np.stack([picture(96), noisy(picture(96), 20)])
    expected = NoTrainInceptionV3("i", ["2048"], str(tmp_path / "inception.pth"))(
        torch.from_numpy(frames).permute(0, 3, 1, 2)
    )
    found = FrameNetwork(tmp_path / "inception.pth", CPU)(frames)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_i3d_has_the_usual_keys_and_pads_like_tensorflow(tmp_path):
    torch.manual_seed(0)
    network = i3d.I3DNetwork()
    keys = set(network.state_dict())
    assert {
        "Conv3d_1a_7x7.conv3d.weight",
        "Conv3d_1a_7x7.bn.running_var",
        "Mixed_4f.b1b.conv3d.weight",
    } <= keys
    assert {"Mixed_5c.b3b.bn.weight", "logits.conv3d.weight", "logits.conv3d.bias"} <= keys
    padded = i3d.pad_same(torch.ones(1, 1, 16, 224, 9), (7, 7, 3), (2, 2, 1))
    assert padded.shape == (1, 1, 21, 229, 11)
    assert padded[0, 0, :, 100, 5].tolist() == [0] * 2 + [1] * 16 + [0] * 3
    torch.save(network.state_dict(), tmp_path / "i3d.pt")
    piece = np.stack([noisy(picture(64), 3, seed) for seed in range(10)])[None]
    found = i3d.ClipNetwork(tmp_path / "i3d.pt", CPU)(piece)
    assert found.shape == (1, 400)
    assert np.isfinite(found).all()


def test_a_missing_network_skips_its_metrics_and_says_what_to_do(models):
    evaluation = Evaluation(list(suite.METRICS), Setup(CPU))
    for seed in range(3):
        evaluation.add(Pair(picture(64), noisy(picture(64), 5, seed)))
    plain = {"psnr", "ssim", "gmsd", "sharpness", "mesh", "halo", "halo_worst", "grain", "e_warp", "shimmer"}
    of_packages = {"features", "features_kid", "identity_distance", "landmarks"}  # those of test_meters
    assert set(evaluation.scores()) - of_packages == plain
    for name in ("lpips", "fid", "kid", "fvd", "identity"):
        assert str(models) in evaluation.skipped[name]
    assert "--observation" in evaluation.skipped["residual"]


@pytest.fixture
def site(tmp_path):
    """The address under which this computer publishes a folder."""
    (tmp_path / "site").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Quiet, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_files_are_fetched_and_checked(models, site, tmp_path):
    published = tmp_path / "site" / "published.bin"
    published.write_bytes(b"weights")
    right, address = store.sha256_of(published), f"{site}/published.bin"
    assert metrics.WeightsFile("a.bin", address, right[:8]).path(fetch=True).read_bytes() == b"weights"
    with pytest.raises(WeightsError, match=r"holds another file than the b\.bin"):
        metrics.WeightsFile("b.bin", address, "0" * 8).path(fetch=True)
    with pytest.raises(WeightsError, match="can't be reached"):
        metrics.WeightsFile("b.bin", f"{site}/nothing.bin", "").path(fetch=True)
    assert [path.name for path in models.iterdir()] == ["a.bin"]
    with pytest.raises(WeightsError, match="SHA-256"):
        metrics.WeightsFile("a.bin", "", "0" * 8).path(fetch=False)


@pytest.mark.parametrize("content", [b"no weights", None])
def test_damaged_weights_skip_the_metric(models, monkeypatch, content):
    models.mkdir()
    path = models / perceptual.ALEXNET.file
    path.write_bytes(content) if content else torch.save({"features.0.weight": torch.ones(1)}, path)
    monkeypatch.setattr(perceptual, "ALEXNET", metrics.WeightsFile(path.name, "", ""))
    reason = Evaluation(["lpips"], Setup(CPU)).skipped["lpips"]
    assert "does not hold AlexNet" in reason or "holds no weights" in reason


class Finds:
    """A detector that knows where the faces are, by the frame's first level."""

    def __init__(self, faces: dict[int, list[Detection]]) -> None:
        self.faces = faces

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        return self.faces[int(rgb[0, 0, 0])]


FIVE = np.array([[20, 20], [40, 20], [30, 32], [22, 42], [38, 42]], float)


def face(landmarks: np.ndarray) -> Detection:
    return Detection(np.array([10.0, 10, 50, 54]), landmarks, 0.9)


def test_identity_is_the_cosine_of_each_frames_face_at_its_own_landmarks(monkeypatch):
    """SFace's file is not here: block means of the aligned face stand in for its description."""

    class Recognizer:
        def alignCrop(self, bgr, row):
            np.testing.assert_allclose(row[:4], (10, 10, 40, 44))
            assert row[14] == pytest.approx(0.9)
            matrix, _ = cv2.estimateAffinePartial2D(row[4:14].reshape(5, 2), FIVE)
            return cv2.warpAffine(bgr, matrix, (64, 64))

        def feature(self, aligned):
            return aligned[16:48, 16:48].reshape(8, 4, 8, 4, 3).mean((1, 3)).reshape(1, -1)

        def match(self, a, b, kind):
            assert kind == cv2.FaceRecognizerSF_FR_COSINE
            return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))

    monkeypatch.setattr(cv2.FaceRecognizerSF, "create", lambda *_: Recognizer())
    clean = np.ascontiguousarray(picture(64))
    moved = np.roll(clean, (4, 3), (0, 1))
    other = noisy(clean, 60)
    for level, frame in enumerate((clean, moved, other)):
        frame[0, 0, 0] = level
    similarity = identity_similarity(
        Finds({0: [face(FIVE)], 1: [face(FIVE + np.array([3, 4]))], 2: [face(FIVE)]}), Path("none")
    )
    assert similarity(Pair(clean, moved)) == pytest.approx(1, abs=1e-4)
    blocks = [f[16:48, 16:48].reshape(8, 4, 8, 4, 3).mean((1, 3)).ravel() for f in (clean, other)]
    expected = blocks[0] @ blocks[1] / np.linalg.norm(blocks[0]) / np.linalg.norm(blocks[1])
    assert similarity(Pair(clean, other)) == pytest.approx(expected, abs=1e-4)


# Clips


def test_the_truth_leaves_no_residual(tmp_path):
    clean = [picture(66), np.roll(picture(66), 5, 0)]  # degrading cuts two rows and columns off
    settings = DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=3 / 255)
    path = write(tmp_path / "clean.mkv", clean)
    for _ in degrade_clip(path, tmp_path / "y.mkv", settings):
        pass
    with video.open_source(path) as truth, video.open_source(tmp_path / "y.mkv") as y:
        evaluation = Evaluation(["residual"], Setup(CPU, settings))
        for pair in suite.pairs(truth, truth, y):
            evaluation.add(pair)
    assert evaluation.scores()["residual"] == pytest.approx(3, rel=0.15)


def test_clips_that_do_not_fit_are_refused(tmp_path):
    long, short = ([picture(64)] * n for n in (3, 2))
    with (
        video.open_source(write(tmp_path / "a.mkv", long)) as a,
        video.open_source(write(tmp_path / "b.mkv", short)) as b,
        pytest.raises(ShapeError, match="3 frames"),
    ):
        next(suite.pairs(a, b))
    with pytest.raises(ShapeError, match="64 × 64"):
        Evaluation(["psnr"], Setup(CPU)).add(Pair(picture(64), picture(32)))


def test_the_face_region_holds_the_face(tmp_path):
    scene = astronaut()[:320, 64:384]  # the face is about (160, 112), 120 pixels high
    with video.open_source(write(tmp_path / "a.mkv", [scene] * 3)) as clip:
        mask = region("face", clip)(1)
        ellipse = region("aligned", clip)(1)
        assert region("frame", clip)(1) is None
    assert mask[112, 160]
    assert not mask[:20].any()
    assert 0.02 < mask.mean() < 0.3
    assert ellipse[160, 160]
    assert not ellipse[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_eval_prints_json_for_two_folders_of_clips(tmp_path, capsys, models):
    clean, worse = tmp_path / "clean", tmp_path / "worse"
    clean.mkdir(), worse.mkdir()
    expected = []
    for name in ("a", "b"):
        frames = [picture(64), np.roll(picture(64), len(name), 1)]
        spoilt = [noisy(frame, 5, ord(name)) for frame in frames]
        expected += [psnr(b, a) for a, b in zip(frames, spoilt, strict=True)]
        write(clean / f"{name}.mkv", frames)
        write(worse / f"{name}.mkv", spoilt)
    assert cli.main(["eval", str(clean), str(worse), "--metrics", "psnr,fid", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["scores"] == {"psnr": pytest.approx(np.mean(expected))}
    assert "--fetch" in report["skipped"]["fid"]
    assert [frame["psnr"] for frame in report["frames"]["b.mkv"]] == pytest.approx(expected[2:])


def test_eval_says_what_is_wrong(tmp_path, capsys):
    clip = str(write(tmp_path / "a.mkv", [picture(64)]))
    assert cli.main(["eval", clip, clip, "--metrics", "beauty"]) == 2
    assert "no metric 'beauty'" in capsys.readouterr().err
    assert cli.main(["eval", clip, clip, "--metrics", "psnr"]) == 0
    assert "infinite" in capsys.readouterr().out
    assert cli.main(["eval", clip]) == 2


def test_frame_features_see_grey_outside_of_the_region():
    shown = []
    meter = FrameFeatures(
        lambda frames: shown.append(frames) or frames.mean((1, 2)), distributions.frechet_distance
    )
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    meter.add(Pair(picture(64), 255 - picture(64), mask))
    assert (shown[0][:, ~mask] == 128).all()
    np.testing.assert_array_equal(shown[0][0][mask], picture(64)[mask])


def test_gmsd_by_hand():
    """The published steps with other libraries: 2 × 2 means, Prewitt, c = 170, standard deviation."""
    from scipy.ndimage import prewitt
    from skimage.transform import downscale_local_mean

    clean, restored = picture(), noisy(picture(), 12)
    half = [downscale_local_mean(f @ np.array([0.299, 0.587, 0.114]), (2, 2)) for f in (restored, clean)]
    a, b = (np.hypot(prewitt(x, 0) / 3, prewitt(x, 1) / 3)[1:-1, 1:-1] for x in half)
    expected = np.std((2 * a * b + 170) / (a**2 + b**2 + 170))
    assert fidelity.gradient_deviation(restored, clean) == pytest.approx(expected, rel=1e-9)
    assert fidelity.gradient_deviation(clean, clean) == 0
    inside = np.zeros(clean.shape[:2], bool)
    assert fidelity.gradient_deviation(restored, clean, inside) is None


def test_sharpness_is_the_noise_above_its_mean():
    """White noise of std s has s √(24/25) above a mean of 25; a flat picture has none."""
    flat = np.full((400, 400, 3), 128, np.uint8)
    assert fidelity.sharpness(flat) == 0
    assert fidelity.sharpness(noisy(flat, 10)) == pytest.approx(10 * np.sqrt(24 / 25), rel=0.02)
    assert fidelity.masked_sharpness(Pair(picture(), picture())) == 1
    assert fidelity.masked_sharpness(Pair(flat, flat)) is None
