from __future__ import annotations

import cv2
import face_films
import numpy as np
import pytest
import torch

from flair_core.errors import ShapeError
from flair_core.faces import align, mask, paste

FEATHER = 18


def frame(dtype=np.uint8):
    rgb = face_films.picture((False, face_films.place(150, 120)))
    return (
        (rgb.astype(dtype) * 257 if dtype == np.uint16 else rgb / 255).astype(dtype)
        if dtype != np.uint8
        else rgb
    )


def matrix(zoom=1.3, roll=20.0, x=150.0, y=120.0, size=256):
    """From the frame to a crop around (x, y) in which a pixel of the frame is `zoom` pixels wide."""
    back = cv2.getRotationMatrix2D((0, 0), roll, 1 / zoom)
    back[:, 2] = np.array([x, y]) - back[:, :2] @ np.full(2, size / 2 - 0.5)
    return align.inverse(back)


def weight(m, shape, soft, upscale=1):
    back = paste.enlarged_map(align.inverse(m), upscale)
    return cv2.warpAffine(soft, back, (shape[1] * upscale, shape[0] * upscale))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("upscale", [1, 2, 4])
def test_an_unchanged_face_changes_nothing(dtype, upscale):
    rgb, m = frame(dtype), matrix()
    result = paste.paste(rgb, align.crop(rgb, m, 256), m, mask.elliptical(256, FEATHER), upscale)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, paste.enlarged_frame(rgb, upscale))


@pytest.mark.parametrize("zoom", [0.4, 1.0, 3.0])
def test_a_face_stored_with_eight_bits_changes_less_than_one_level(zoom):
    rgb, m = frame(), matrix(zoom)
    face = (align.crop(rgb, m, 256) * 127.5).round() / 127.5
    difference = np.abs(paste.paste(rgb, face, m, mask.elliptical(256, FEATHER)).astype(int) - rgb)
    assert difference.mean() < 1
    assert difference.max() <= 1


@pytest.mark.parametrize("roll", [0, 37, 90, 180, -120])
def test_only_pixels_under_the_mask_change(roll):
    rgb, m, soft = frame(), matrix(roll=roll), mask.elliptical(256, FEATHER)
    result = paste.paste(rgb, -align.crop(rgb, m, 256), m, soft)
    outside = weight(m, rgb.shape, soft) == 0
    np.testing.assert_array_equal(result[outside], rgb[outside])
    assert np.abs(result.astype(int) - rgb)[~outside].mean() > 30


def test_at_equal_scale_the_face_arrives_exactly():
    rgb = frame()
    m = np.array([[1.0, 0, -40], [0, 1, -10]])
    face = torch.rand(3, 200, 200, generator=torch.Generator().manual_seed(0)) * 2 - 1
    soft = mask.elliptical(200, 4)
    result = paste.paste(rgb, face, m, soft)[10:210, 40:240]
    exact = (face.numpy().transpose(1, 2, 0) + 1) * 127.5
    core = soft == 1
    np.testing.assert_allclose(result[core], exact[core], atol=0.51)


def test_a_frame_finer_than_the_crop_keeps_its_detail():
    rng = np.random.default_rng(0)
    rgb = np.clip(rng.normal(128, 30, (300, 300, 3)), 0, 255).astype(np.uint8)
    m = matrix(0.4, 0, 150, 150, 128)
    result = paste.paste(rgb, align.crop(rgb, m, 128) + 0.2, m, mask.elliptical(128, 8))
    core = weight(m, rgb.shape, mask.elliptical(128, 8)) == 1
    added = result[core].astype(float) - rgb[core]
    np.testing.assert_allclose(added[(result[core] < 255)], 0.2 * 127.5, atol=1.5)


def test_no_seam():
    """Where the mask ends, a brighter face rises as gently as its feather allows."""
    rgb = np.full((300, 300, 3), 100, np.uint8)
    m = matrix(1, 0, 150, 150)
    soft = mask.elliptical(256, FEATHER)
    added = paste.paste(rgb, align.crop(rgb, m, 256) + 0.2, m, soft)[..., 0].astype(float) - 100
    steps = np.hypot(*np.gradient(added))
    assert added.max() == pytest.approx(25.5, abs=1)
    # A smooth ramp is at most 1.5 times as steep as a straight one; half a level is rounding.
    assert steps.max() < 1.5 * added.max() / FEATHER + 0.75


def test_blending_is_in_linear_light():
    rgb = np.zeros((64, 64, 3), np.float32)
    half = np.full((64, 64), 0.5, np.float32)
    result = paste.paste(rgb, torch.ones(3, 64, 64), np.eye(2, 3), half)
    np.testing.assert_allclose(result[8:-8, 8:-8], 0.7354, atol=1e-3)  # sRGB of half the light of white


@pytest.mark.parametrize("upscale", [2, 4])
def test_a_sharp_face_lands_in_the_enlarged_frame(upscale):
    sharp = frame(np.float32)
    small = cv2.resize(sharp, None, fx=1 / upscale, fy=1 / upscale, interpolation=cv2.INTER_AREA)
    m = matrix(1, 8, 150, 120)
    to_small = m[:, :2] * upscale, m[:, :2] @ np.full(2, (upscale - 1) / 2) + m[:, 2]
    soft = mask.elliptical(256, FEATHER)
    result = paste.paste(small, align.crop(sharp, m, 256), np.column_stack(to_small), soft, upscale)
    core = weight(m, sharp.shape, soft) == 1
    error = np.abs(result - sharp)[core].mean()
    assert error < 0.35 * np.abs(paste.enlarged_frame(small, upscale) - sharp)[core].mean()


@pytest.mark.parametrize(("x", "y"), [(0, 0), (319, 120), (150, -60), (-400, 0), (150, 2000)])
def test_faces_partly_or_wholly_outside(x, y):
    rgb, m = frame(), matrix(x=x, y=y)
    result = paste.paste(rgb, -align.crop(rgb, m, 256), m, mask.elliptical(256, FEATHER))
    assert result.shape == rgb.shape
    visible = (weight(m, rgb.shape, mask.elliptical(256, FEATHER)) > 0).any()
    assert (result != rgb).any() == visible


def test_several_faces_share_a_frame():
    rgb = frame()
    canvas, soft = paste.enlarged_frame(rgb, 1), mask.elliptical(64, 4)
    left, right = matrix(1, 0, 60, 120, 64), matrix(1, 0, 250, 120, 64)
    for m in (left, right):
        paste.paste_into(canvas, rgb, -align.crop(rgb, m, 64), m, soft)
    for m in (left, right):
        alone = paste.paste(rgb, -align.crop(rgb, m, 64), m, soft)
        under = weight(m, rgb.shape, soft) > 0
        np.testing.assert_array_equal(canvas[under], alone[under])


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ShapeError, match="mask"):
        paste.paste(frame(), torch.zeros(3, 256, 256), matrix(), mask.elliptical(128, 8))
