from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, sampled_from

from flair_core.errors import ShapeError
from flair_core.faces import align


def similarity(zoom, degrees, x, y):
    angle = np.radians(degrees)
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([linear, [[x], [y]]])


def waves(width, height, period, matrix=None):
    """A smooth picture, and what it looks like through the inverse of a map: its exact values there."""
    y, x = np.mgrid[:height, :width].astype(float)
    points = np.stack([x, y], -1)
    if matrix is not None:
        points = align.transform(align.inverse(matrix), points)
    phase = points @ np.array([[1.0, 0.3, -0.6], [0.2, -1.0, 0.9]])
    return 0.5 + 0.4 * np.cos(2 * np.pi * phase / period)


@given(floats(0.05, 20), floats(-180, 180), floats(-900, 900), floats(-900, 900), sampled_from([256, 512]))
def test_similarity_finds_the_true_map(zoom, degrees, x, y, size):
    matrix = similarity(zoom, degrees, x, y)
    landmarks = align.transform(align.inverse(matrix), align.template(size))
    np.testing.assert_allclose(align.similarity(landmarks, size), matrix, atol=1e-6, rtol=1e-9)


def test_similarity_is_the_least_squares_fit():
    rng = np.random.default_rng(0)
    landmarks = align.template(256) + rng.normal(0, 5, (5, 2))
    matrix = align.similarity(landmarks, 256)

    def error(m):
        return np.square(align.transform(m, landmarks) - align.template(256)).sum()

    for step in (similarity(1.001, 0, 0, 0), similarity(1, 0.05, 0, 0), similarity(1, 0, 0.1, -0.1)):
        linear = step[:, :2] @ matrix[:, :2]
        other = np.hstack([linear, align.transform(step, matrix[:, 2])[:, None]])
        assert error(matrix) < error(other)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), 7.0), np.zeros((4, 2))])
def test_similarity_refuses_what_is_no_face(points):
    with pytest.raises(ShapeError, match="five"):
        align.similarity(points, 256)


def test_template_sizes_show_the_same_face():
    np.testing.assert_allclose((align.template(256) + 0.5) * 2 - 0.5, align.template(512))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_identity_crop_is_the_frame(dtype):
    rgb = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (64, 64, 3), endpoint=True).astype(dtype)
    face = align.crop(rgb, np.eye(2, 3), 64)
    exact = rgb.astype(float).transpose(2, 0, 1) / np.iinfo(dtype).max * 2 - 1
    np.testing.assert_allclose(face.numpy(), exact, atol=2e-6)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact(turns):
    rgb = np.random.default_rng(turns).random((48, 48, 3)).astype(np.float32)
    matrix = similarity(1, 90 * turns, 0, 0)
    matrix[:, 2] = 23.5 - matrix[:, :2] @ (23.5, 23.5)
    turned = align.warp_affine(rgb, matrix, 48, 48)
    np.testing.assert_allclose(turned, np.rot90(rgb, -turns), atol=1e-5)


@pytest.mark.parametrize("zoom", [0.4, 1, 3.7])
def test_sampling_is_exact_between_pixels(zoom):
    matrix = similarity(zoom, 23, 0, 0)
    matrix[:, 2] = 31.87 - matrix[:, :2] @ (160.37, 159.61)
    period = 16 / min(1, zoom)  # far from what the target can't hold
    found = align.warp_affine(waves(320, 320, period).astype(np.float32), matrix, 64, 64)
    np.testing.assert_allclose(found, waves(64, 64, period, matrix), atol=5e-3)


def test_shrinking_does_not_alias():
    """Stripes finer than the crop's pixels turn grey; broad ones stay."""
    x = np.arange(400)
    fine = np.broadcast_to(0.5 + 0.5 * np.cos(2 * np.pi * x / 2.3)[None, :, None], (400, 400, 3))
    broad = np.broadcast_to(0.5 + 0.5 * np.cos(2 * np.pi * x / 40)[None, :, None], (400, 400, 3))
    matrix = similarity(0.25, 0, 0.4, 0.4)
    assert align.warp_affine(fine.astype(np.float32), matrix, 96, 96)[:, 6:-6].std() < 0.01
    assert align.warp_affine(broad.astype(np.float32), matrix, 96, 96)[:, 6:-6].std() > 0.95 * broad.std()


@pytest.mark.parametrize("x", [-500.0, -128.0, 300.0])
def test_a_face_beside_the_frame_is_its_mirror_image(x):
    rgb = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    face = align.crop(rgb, similarity(1, 0, x, 0), 64)
    assert np.isfinite(face.numpy()).all()
    assert face.std() > 0.3
