"""Estimated degradations against the known ones that made the footage."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from flair_core import cli, video
from flair_core.degradations import degrade
from flair_core.errors import MediaError
from flair_core.estimation import estimate_degradation, estimate_shots
from flair_core.estimation.compression import Compression, jpeg_quality
from flair_core.estimation.noise import noise_level
from flair_core.estimation.reader import SCALES, read_blur, read_enlargement, usual_scale
from flair_core.estimation.resampling import enlargement_traces
from flair_core.estimation.spectrum import BANDS, EDGES, SECTORS, Kernel, grid, log_power, prior, response
from flair_core.faces.track import Track
from flair_core.frames import Frame, VideoInfo, to_float, to_uint8
from flair_core.jobs.degrade import read_sidecar
from flair_core.settings.groups import DegradationSettings
from flair_core.settings.output import OutputOptions

LUMA = np.array([0.299, 0.587, 0.114])
UNCOMPRESSED = Compression(None, (0, 0), 1.0)
SHARED = Path(__file__).parents[2] / "shared"


def face(side: int = 256, seed: int = 0) -> np.ndarray:
    """A random grey picture with the power spectrum of an average face."""
    k = np.fft.fftfreq(side) * side
    radius = np.maximum(np.hypot(k[:, None], k), 2)
    middle = np.sqrt(EDGES[1:] * EDGES[:-1])
    power = np.interp(np.log(radius), np.log(middle), prior().mean.mean(1), left=prior().mean.mean(1)[0])
    white = np.fft.fft2(np.random.default_rng(seed).normal(size=(side, side)))
    grey = np.fft.ifft2(white * np.exp(power / 2)).real
    grey = 128 + grey * min(1, 55 / grey.std())
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None].repeat(3, -1)


def moving(picture: np.ndarray, count: int = 6) -> np.ndarray:
    """A slow pan over a picture."""
    return np.stack([np.roll(picture, i // 2, 1) for i in range(count)])


def degraded(clean: np.ndarray, **settings) -> list[Frame]:
    y = to_uint8(degrade(to_float(clean), DegradationSettings(**settings), torch.Generator().manual_seed(0)))
    return [Frame(rgb, i, i, 1) for i, rgb in enumerate(y)]


def pixels(frames: list[Frame]) -> list[np.ndarray]:
    return [frame.rgb for frame in frames]


# Compression


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_jpeg_quality_is_read_off_the_lattice(quality):
    found = jpeg_quality(pixels(degraded(moving(astronaut()[:128, 64:256], 2), scale=1, jpeg=quality)))
    assert abs(found.quality - quality) <= 1
    assert found.offset == (0, 0)


def test_the_files_of_another_encoder_are_read_too():
    _, file = cv2.imencode(".jpg", astronaut()[:200, :200, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 68])
    decoded = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
    assert abs(jpeg_quality([decoded]).quality - 68) <= 1


def test_blocks_are_found_where_a_crop_left_them():
    frames = [
        frame[3:, 5:] for frame in pixels(degraded(moving(astronaut()[:160, 64:256], 2), scale=1, jpeg=60))
    ]
    found = jpeg_quality(frames)
    assert found.offset == (5, 3)
    assert abs(found.quality - 60) <= 1


def test_the_lattice_is_found_where_noise_was_cut_off_at_black_and_white():
    picture = astronaut()[:256, 64:320].astype(int)
    harsh = np.clip((picture - 128) * 2 + 100, 0, 255).astype(np.uint8)
    frames = pixels(degraded(moving(harsh), scale=1, noise=20 / 255, jpeg=79))
    assert np.mean((np.stack(frames) == 0).any(-1)) > 0.2
    found = jpeg_quality(frames)
    assert (found.quality, found.offset) == (79, (0, 0))


@pytest.mark.parametrize("sigma", [None, 3.0])
def test_what_was_never_compressed_is_not_called_so(sigma):
    blur = {} if sigma is None else {"kernel": "gaussian", "blur_sigma": sigma}
    assert (
        jpeg_quality(pixels(degraded(moving(astronaut()[:128, 64:256], 2), scale=1, **blur))).quality is None
    )


# Noise


@pytest.mark.parametrize("std", [1.5, 6, 20])
@pytest.mark.parametrize("scale", [1, 4])
def test_noise_is_told_from_texture(std, scale):
    frames = pixels(degraded(moving(astronaut()[:256, 64:320]), scale=scale, noise=std / 255))
    assert noise_level(frames, UNCOMPRESSED).std == pytest.approx(std, rel=0.15)


def test_clean_footage_has_no_noise():
    smooth = degraded(moving(astronaut()[:128, 64:192]), scale=1, kernel="gaussian", blur_sigma=2.0)
    assert noise_level(pixels(smooth), UNCOMPRESSED).std < 0.5
    assert noise_level([astronaut()] * 3, UNCOMPRESSED).std == 0


@pytest.mark.parametrize(("std", "quality"), [(12.75, 60), (6, 85), (0, 60)])
def test_noise_is_found_under_jpeg(std, quality):
    frames = pixels(degraded(moving(astronaut()[:256, 64:320]), scale=2, noise=std / 255, jpeg=quality))
    found = noise_level(frames, jpeg_quality(frames)).std
    assert found == pytest.approx(std, rel=0.15, abs=1.5 if std == 0 else 0)


# Spectra


def test_white_noise_has_its_variance_as_power():
    for side in (64, 256):
        noise = np.random.default_rng(0).normal(0, 3, (8, side, side))
        power, count = log_power(list(noise))
        seen = count > 20
        np.testing.assert_allclose(np.exp(power[seen]), 9, rtol=0.4)
        assert np.exp(power[seen]).mean() == pytest.approx(9, rel=0.03)


@pytest.mark.parametrize(
    ("kernel", "settings"),
    [
        (Kernel("bicubic"), {}),
        (
            Kernel("gaussian", 3.0, 0.5, 30),
            {"kernel": "gaussian", "blur_sigma": 3.0, "blur_ratio": 0.5, "angle": 30},
        ),
        (Kernel("motion", 11.0, 1.0, -40), {"kernel": "motion", "motion_length": 11.0, "angle": -40}),
    ],
)
@pytest.mark.parametrize("scale", [2, 4])
def test_the_spectrum_of_degraded_noise_is_predicted(kernel, settings, scale):
    """White noise through the real operator: |H|² folded, divided by s², in every cell of the lower bands."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(0, 0.3, (6, 3, 256, 256)))
    y = degrade(x, DegradationSettings(scale=scale, **settings), torch.Generator()).numpy()
    power, count = log_power([frame[0] for frame in y])
    points = grid(256 // scale, scale)
    predicted = points.mean(0.09 * response(kernel, points).sum(1) / scale**2)
    clear = (count > 60) & (predicted > 1e-2 * np.nanmax(predicted))  # below, neighbours leak in
    np.testing.assert_allclose(np.exp(power)[clear] / predicted[clear], 1, atol=0.45)
    assert np.mean(np.exp(power)[clear] / predicted[clear]) == pytest.approx(1, abs=0.06)


# What the networks read


def portrait() -> np.ndarray:
    return cv2.resize(astronaut()[20:212, 128:320], (256, 256), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("quality", [70, 90])
def test_compressed_blocks_tell_a_sharp_face_from_a_soft_one_and_a_movement(quality):
    kinds = {}
    for name, blur in {
        "sharp": {},
        "soft": {"kernel": "gaussian", "blur_sigma": 2.5},
        "moved": {"kernel": "motion", "motion_length": 13.0, "angle": 30.0},
        "moved the other way": {"kernel": "motion", "motion_length": 13.0, "angle": -30.0},
    }.items():
        lumas = [rgb @ LUMA for rgb in pixels(degraded(portrait()[None], scale=1, jpeg=quality, **blur))]
        kinds[name] = read_blur(lumas, [(0, 0)], 0.0, quality).kernel
    assert [kernel.kind for kernel in kinds.values()] == ["bicubic", "gaussian", "motion", "motion"]
    assert kinds["soft"].length == pytest.approx(2.5, rel=0.2)
    assert kinds["moved"].angle == pytest.approx(30, abs=12)
    assert kinds["moved the other way"].angle == pytest.approx(-30, abs=12)  # blocks' powers are the same


def test_the_less_is_left_of_a_blur_the_less_sure_it_is():
    def sure(noise: float, quality: int) -> float:
        y = degraded(portrait()[None], scale=2, kernel="gaussian", blur_sigma=2.0, noise=noise, jpeg=quality)
        return read_blur([rgb @ LUMA for rgb in pixels(y)], [(0, 0)], 255 * noise, quality).exact

    assert sure(0.0, 90) > sure(0.03, 60) > sure(0.09, 40)


def test_enlargement_is_read_off_the_spectrum():
    rng = np.random.default_rng(0)
    small = cv2.resize(portrait(), (128, 128), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (256, 256), interpolation=cv2.INTER_CUBIC)
    for picture, factor in ((portrait(), 1), (small, 1), (large, 2)):
        chances = read_enlargement([picture @ LUMA + rng.normal(0, 0.3, picture.shape[:2])])
        assert sum(chances.values()) == pytest.approx(1)
        assert max(chances, key=lambda one: chances[one]) == factor


def test_faces_are_read_at_the_size_nearest_to_the_usual_one():
    assert [usual_scale(side) for side in (16, 64, 100, 128, 256, 400)] == [16, 4, 2, 2, 1, 1]
    assert usual_scale(1000) == min(SCALES)


# All together


@pytest.mark.parametrize(("scale", "sigma", "quality"), [(1, 2.6, 63), (2, 1.6, 77), (2, 3.5, 85)])
def test_the_blur_of_a_compressed_photograph_is_estimated(scale, sigma, quality):
    settings = {"scale": scale, "kernel": "gaussian", "blur_sigma": sigma, "jpeg": quality}
    found = estimate_degradation(degraded(moving(portrait()), **settings)).settings
    assert (found.kernel, found.jpeg) == ("gaussian", quality)
    assert found.blur_sigma == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 4, "kernel": "gaussian", "blur_sigma": 3.0, "noise": 8 / 255},
        {"scale": 1, "kernel": "gaussian", "blur_sigma": 2.0},
        {"scale": 2, "kernel": "gaussian", "blur_sigma": 3.5, "blur_ratio": 0.5, "angle": 60.0},
        {"scale": 2, "kernel": "motion", "motion_length": 13.0, "angle": -35.0, "noise": 3 / 255},
        {"scale": 2, "kernel": "gaussian", "blur_sigma": 3.5, "noise": 5 / 255, "jpeg": 85},
    ],
)
def test_what_was_done_is_estimated(settings):
    found = estimate_degradation(degraded(moving(face()), **settings))
    true, d = DegradationSettings(**settings), found.settings
    assert (d.scale, d.kernel, found.enlarged) == (true.scale, true.kernel, 1)
    if true.kernel == "gaussian":
        assert d.blur_sigma == pytest.approx(true.blur_sigma, rel=0.2)
    else:
        assert d.motion_length == pytest.approx(true.motion_length, rel=0.2)
    if true.blur_ratio < 1 or true.kernel == "motion":
        assert abs((d.angle - true.angle + 90) % 180 - 90) < 12
    assert d.noise == pytest.approx(true.noise, rel=0.15, abs=0.003)
    assert (d.jpeg is None) == (true.jpeg is None)
    assert all(0 <= value <= 1 for value in found.confidence.values())


@pytest.mark.parametrize(("scale", "how"), [(2, cv2.INTER_LINEAR), (4, cv2.INTER_CUBIC)])
def test_enlarged_footage_is_seen_through(scale, how):
    small = degraded(moving(face()), scale=scale, noise=2 / 255)
    large = [Frame(cv2.resize(f.rgb, (256, 256), interpolation=how), f.index, f.pts) for f in small]
    found = estimate_degradation(large)
    assert (found.enlarged, found.settings.scale) == (scale, scale)
    assert found.settings.noise == pytest.approx(2 / 255, rel=0.5)  # interpolation has averaged some away


def test_traces_of_interpolation_survive_grain():
    """Where grain covers what the spectrum would tell; a blur of the same strength has none."""
    rng = np.random.default_rng(0)

    def grainy(frames: list[np.ndarray]) -> list[np.ndarray]:
        return [
            (frame + rng.normal(0, 4, frame.shape)).clip(0, 255).astype(np.uint8) @ LUMA for frame in frames
        ]

    small = pixels(degraded(moving(face()), scale=4))
    large = [cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_CUBIC) for rgb in small]
    blurred = pixels(degraded(moving(face()), scale=1, kernel="gaussian", blur_sigma=2.5))
    assert enlargement_traces(grainy(large)) == 4
    assert enlargement_traces(grainy(blurred)) is None
    assert enlargement_traces(grainy(list(moving(face())))) is None


def test_a_tracked_face_is_measured_at_its_own_size():
    """A blurred face of 128 pixels in a sharp wide frame: scale 2, and twice its blur at 256 pixels."""
    y = pixels(degraded(moving(face(128)), scale=1, kernel="gaussian", blur_sigma=1.5))
    frames = []
    for i, rgb in enumerate(y):
        frame = np.random.default_rng(0).integers(0, 256, (200, 320, 3)).astype(np.uint8)
        frame[40:168, 100 + i : 228 + i] = rgb
        frames.append(Frame(frame, i, i))
    from flair_core.faces.align import FFHQ_512

    landmarks = np.stack([(FFHQ_512 + 0.5) / 4 - 0.5 + (100 + i, 40) for i in range(len(y))])
    track = Track(0, 0, landmarks, np.zeros((len(y), 4)), np.ones(len(y)))
    found = estimate_degradation(frames, tracks=[track]).settings
    assert (found.scale, found.kernel) == (2, "gaussian")
    assert found.blur_sigma == pytest.approx(3.0, rel=0.2)


def test_a_known_scale_is_kept_and_is_the_unit_of_the_blur():
    frames = degraded(moving(face(128)), scale=1, kernel="gaussian", blur_sigma=1.5)
    found = estimate_degradation(frames, scale=4).settings
    assert found.scale == 4
    assert found.blur_sigma == pytest.approx(6.0, rel=0.2)


def test_a_codecs_error_is_not_taken_for_detail():
    """It stands still from frame to frame, so that no noise is found, and lies where a blur left nothing."""
    y = degraded(moving(portrait()), scale=4, kernel="gaussian", blur_sigma=3.6)
    error = np.random.default_rng(0).normal(0, 1.0, y[0].rgb.shape)
    coded = [Frame(np.clip(np.rint(f.rgb + error), 0, 255).astype(np.uint8), f.index, f.pts) for f in y]
    found = estimate_degradation(coded).settings
    assert (found.kernel, found.blur_ratio) == ("gaussian", pytest.approx(1, abs=0.1))
    assert found.blur_sigma == pytest.approx(3.6, rel=0.1)


@pytest.mark.parametrize("quality", [None, 90])
def test_blur_of_a_large_face_is_in_pixels_of_the_whole_frame(quality):
    large = cv2.resize(portrait(), (512, 512), interpolation=cv2.INTER_CUBIC)
    frames = degraded(moving(large), scale=1, kernel="gaussian", blur_sigma=5.0, jpeg=quality)
    found = estimate_degradation(frames).settings
    assert (found.scale, found.kernel) == (1, "gaussian")
    assert found.blur_sigma == pytest.approx(5.0, rel=0.25)


def test_every_shot_has_its_own_estimate():
    scene = cv2.resize(astronaut()[20:276, 96:352], (256, 256))
    first = degraded(moving(scene), scale=2, noise=3 / 255)
    second = degraded(moving(255 - scene[::-1, ::-1]), scale=2, noise=15 / 255)
    frames = [Frame(f.rgb, i, i) for i, f in enumerate([*first, *second])]
    one, two = estimate_shots(frames, scale=2)
    assert (one.frames, two.frames) == (range(6), range(6, 12))
    assert one.settings.noise == pytest.approx(3 / 255, rel=0.2)
    assert two.settings.noise == pytest.approx(15 / 255, rel=0.2)


def test_too_little_to_look_at_is_refused():
    with pytest.raises(MediaError, match="no frames"):
        estimate_degradation([])
    with pytest.raises(MediaError, match="12 pixels"):
        estimate_degradation([Frame(np.zeros((12, 40, 3), np.uint8), 0, 0)])


def test_the_prior_is_a_distribution():
    assert prior().mean.shape == (BANDS, SECTORS)
    eigenvalues = np.linalg.eigvalsh(prior().covariance)
    assert eigenvalues.min() > -0.01  # stored in half precision
    assert np.diff(prior().mean.mean(1)).max() < 0


def test_estimate_writes_what_restore_reads(tmp_path, capsys):
    y = degraded(moving(face()), scale=2, kernel="gaussian", blur_sigma=3.0, noise=6 / 255)
    path = tmp_path / "y.mkv"
    info = VideoInfo(128, 128, Fraction(25), Fraction(1, 25), len(y))
    with video.open_sink(
        path, like=info, width=128, height=128, options=OutputOptions(codec="lossless")
    ) as sink:
        for frame in y:
            sink.write(frame)
        sink.commit()
    assert cli.main(["estimate", str(path), "--aligned", "--json", "--write"]) == 0
    shot = json.loads(capsys.readouterr().out.splitlines()[0])
    assert shot["frames"] == [0, 5]
    written = read_sidecar(path)
    assert written == DegradationSettings(**shot["degradation"])
    assert (written.scale, written.kernel) == (2, "gaussian")
    assert cli.main(["estimate", str(path), "--aligned"]) == 0
    assert "Gaussian blur" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["clip_02", "clip_07"])
def test_real_faces(name):
    path = SHARED / f"data/clips/{name}.mp4"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    with video.open_source(path) as source:
        clean = np.stack(
            [cv2.resize(f.rgb, (256, 256), interpolation=cv2.INTER_AREA) for f in source.frames(0, 6)]
        )
    found = estimate_degradation(
        degraded(clean, scale=4, kernel="gaussian", blur_sigma=3.0, noise=0.03)
    ).settings
    assert (found.scale, found.kernel) == (4, "gaussian")
    assert found.blur_sigma == pytest.approx(3.0, rel=0.2)
    assert found.noise == pytest.approx(0.03, rel=0.15)
