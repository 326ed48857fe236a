"""JPEG's E and D, eq. (10) and (11); cv2's codec as an independent witness."""

from __future__ import annotations

import cv2
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d, interpolate
from torch.testing import assert_close

from flair_core.degradations import Jpeg, JpegDegradation, build
from flair_core.frames import to_float, to_uint8
from flair_core.settings.groups import DegradationSettings

QUALITIES = st.integers(5, 100)


def picture(height: int, width: int, seed: int = 0, count: int = 1) -> torch.Tensor:
    """Smooth colourful images (count, 3, H, W) in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, max(height // 8, 2), max(width // 8, 2), generator=generator)
    return interpolate(coarse.double(), (height, width), mode="bicubic", align_corners=False).clamp(-1, 1)


@given(QUALITIES, st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_coding_again_changes_nothing(quality, rows, columns, seed):
    """E(D(E(x))) = E(x), above eq. (11)."""
    jpeg = Jpeg(quality)
    once = jpeg.encode(picture(16 * rows, 16 * columns, seed))
    for again, before in zip(jpeg.encode(jpeg.decode(*once)), once, strict=True):
        assert_close(again, before, rtol=0, atol=0)


@given(QUALITIES, st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_any_size_keeps_its_shape_and_its_inner_blocks(quality, height, width):
    """Continuing the image to whole units changes nothing in the units that are whole already."""
    x = picture(height, width)
    recoded = Jpeg(quality).recode(x)
    assert recoded.shape == x.shape
    rows, columns = height // 16 * 16, width // 16 * 16
    if rows and columns:
        inner = Jpeg(quality).recode(x[..., :rows, :columns])
        assert_close(recoded[..., :rows, :columns], inner, rtol=0, atol=1e-9)


def test_frames_of_a_batch_are_coded_one_by_one():
    jpeg, x = Jpeg(40), picture(32, 48, count=3)
    assert_close(jpeg.recode(x), torch.cat([jpeg.recode(frame[None]) for frame in x]), rtol=0, atol=1e-9)


def test_better_quality_is_closer():
    x = picture(64, 64)
    errors = [(Jpeg(quality).recode(x) - x).square().mean().item() for quality in (5, 20, 50, 80, 95)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("quality", [10, 60, 90])
def test_brightness_is_coded_as_by_libjpeg(quality):
    """Coefficients agree, but for the few near a rounding tie: libjpeg computes in integers."""
    grey = to_uint8(0.9 * picture(64, 64)[0, :1].expand(3, -1, -1))
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    theirs, _ = Jpeg(quality).encode(to_float(cv2.imdecode(data, cv2.IMREAD_COLOR))[None])
    ours, _ = Jpeg(quality).encode(to_float(grey)[None])
    assert (ours - theirs).abs().max() <= 1
    assert (ours != theirs).double().mean() < 0.01


def test_colour_is_decimated_and_repeated():
    """The top left pixel of each 2 × 2 gives its colour, so the mean colour of finer patterns is not kept."""
    x = picture(32, 32)
    x = x.where(torch.ones(32, 32, dtype=torch.bool).index_fill(0, torch.arange(1, 32, 2), False), -x)
    luma, chroma = Jpeg(95).encode(x)
    assert luma.shape == (1, 1, 32, 32)
    assert chroma.shape == (1, 2, 16, 16)
    kept = x[..., ::2, ::2].repeat_interleave(2, -1).repeat_interleave(2, -2)
    _, expected = Jpeg(95).encode(kept)
    assert_close(chroma, expected, rtol=0, atol=0)
    assert avg_pool2d(x, 2).abs().mean() < 0.5 * kept.abs().mean()


@pytest.mark.parametrize("quality", [10, 60, 95])
def test_an_estimate_that_codes_to_y_is_left_alone(quality):
    """Eq. (11): the correction vanishes wherever E(A x0) = y."""
    A, x = build(DegradationSettings(scale=4, jpeg=quality), (64, 64)), picture(64, 64)
    assert isinstance(A, JpegDegradation)
    y = A.forward(x)
    for x0 in (x, A.pinv(y)):
        assert A.correction(x0, y).abs().max() < 1e-9


def test_corrections_lead_towards_the_footage():
    A, x = build(DegradationSettings(scale=2, jpeg=50), (64, 64)), picture(64, 64, seed=1)
    y, x0 = A.forward(x), torch.zeros_like(x)
    before = (A.forward(x0) - y).square().mean()
    after = (A.forward(x0 - A.correction(x0, y)) - y).square().mean()
    assert after < 1e-6 * before


def test_single_precision():
    x = picture(32, 32).float()
    assert Jpeg(70).recode(x).dtype == torch.float32
