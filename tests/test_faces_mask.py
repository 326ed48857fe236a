from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from flair_core.faces import match
from flair_core.faces.align import template
from flair_core.faces.mask import (
    elliptical,
    eyes_and_mouth,
    feathered,
    from_landmarks,
    from_weights,
    painted,
    steadied,
)
from flair_core.settings.drawn import Stroke


@pytest.mark.parametrize("size", [64, 256])
def test_strokes_are_painted_in_their_order_and_fade_inwards(size):
    masks = np.stack([elliptical(size, 8)] * 2)
    line = Stroke(0, ((0.2, 0.5), (0.8, 0.5)), 0.1)
    added = painted(np.zeros_like(masks), [line], 4)
    y = (np.arange(size) + 0.5) / size
    middle = added[0][:, size // 2]
    assert (middle[abs(y - 0.5) > 0.1 + 1 / size] == 0).all(), "no wider than the brush"
    assert (middle[abs(y - 0.5) < 0.02] == 1).all()
    assert (np.diff(middle[: size // 2]) >= 0).all()
    erased = painted(masks, [line, line._replace(erases=True)], 4)
    assert erased[0][size // 2, size // 2] == 0
    assert painted(erased, [line], 4)[1][size // 2, size // 2] == 1
    np.testing.assert_array_equal(painted(masks, [], 4), masks)
    beside = Stroke(0, ((-3.0, -3.0),), 0.1)
    np.testing.assert_array_equal(painted(masks, [beside], 4), masks)
    point = painted(np.zeros_like(masks), [Stroke(0, ((0.5, 0.5),), 0.1)], 0)
    assert point[0].sum() == pytest.approx(np.pi * (0.1 * size - 0.4) ** 2, rel=0.1)  # half faded at its rim


@pytest.mark.parametrize("size", [64, 256, 512])
@pytest.mark.parametrize("feather", [0, 18, 64])
def test_ellipse(size, feather):
    soft = elliptical(size, feather)
    assert soft.shape == (size, size)
    assert soft.dtype == np.float32
    assert soft.min() == 0
    assert soft.max() <= 1
    border = np.concatenate([soft[0], soft[-1], soft[:, 0], soft[:, -1]])
    assert (border == 0).all()
    np.testing.assert_allclose(soft, soft[:, ::-1], atol=1e-6)
    if feather <= size / 14:
        x, y = np.rint(template(size)).astype(int).T
        assert (soft[y, x] == 1).all()


def test_feather_is_as_wide_as_asked_and_never_grows():
    inside = np.zeros((100, 100), bool)
    inside[20:80, 20:80] = True
    soft = feathered(inside, 10)
    assert (soft[~inside] == 0).all()
    row = soft[50, 20:50]
    assert (np.diff(row) >= 0).all()
    assert np.argmax(row == 1) in (9, 10, 11)


def test_landmarks_of_the_average_face_give_the_average_mask():
    ours, average = from_landmarks(template(256), 256, 10), elliptical(256, 10)
    assert np.abs(ours - average).mean() < 0.02


def test_mask_follows_turned_landmarks():
    points = template(256)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    soft = from_landmarks((points - 128) @ turn + 128, 256, 10)
    y, x = np.nonzero(soft > 0.5)
    spread = np.cov(np.stack([x, y]))
    longest = np.linalg.eigh(spread)[1][:, 1]
    assert np.degrees(np.arctan2(longest[0], longest[1])) % 180 == pytest.approx(150, abs=3)


def test_weights_fade_inwards_at_every_level():
    weights = np.zeros((128, 128), np.float32)
    weights[30:100, 30:100] = 1
    weights[40:60, 40:60] = 0.5  # glasses
    weights[70:90, 50:80] = 0  # a hand before the mouth
    soft = from_weights(weights, 4)
    assert (soft <= weights + 1e-6).all()
    assert soft[35, 70] == soft[65, 65] == 1
    assert soft[50, 50] == 0.5
    assert (np.abs(np.diff(soft, axis=0)) < 0.4).all()


@pytest.mark.parametrize("size", [64, 256])
def test_eyes_and_mouth_are_where_the_landmarks_are(size):
    eyes, mouth = eyes_and_mouth(template(size), size)
    left, right, nose, *corners = np.rint(template(size)).astype(int)
    assert eyes[left[1], left[0]] > 0.95
    assert eyes[right[1], right[0]] > 0.95
    middle = np.mean(corners, axis=0).astype(int)
    assert mouth[middle[1], middle[0]] > 0.95
    assert eyes[nose[1], nose[0]] < 0.2
    assert mouth[nose[1], nose[0]] < 0.2
    assert (eyes + mouth).max() < 1.05


def test_steadied_masks_flicker_less_and_keep_what_stands_still():
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.normal(128, 60, (64, 64)), (0, 0), 2).clip(0, 255).astype(np.uint8)
    flicker = np.stack([np.roll(elliptical(64, 4), rng.integers(-2, 3), axis=1) for _ in range(20)])
    steady = steadied(flicker, np.repeat(picture[None], 20, axis=0))
    assert np.abs(np.diff(steady, axis=0)).mean() < 0.4 * np.abs(np.diff(flicker, axis=0)).mean()
    still = np.repeat(elliptical(64, 4)[None], 5, axis=0)
    np.testing.assert_allclose(steadied(still, np.repeat(picture[None], 5, axis=0)), still, atol=1e-5)
    np.testing.assert_array_equal(steadied(still[:1], picture[None]), still[:1])


def test_steadied_masks_go_with_the_face():
    """A hand moves through the crop: its neighbours' masks are led to where it is, not smeared."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.normal(128, 400, (128, 128)), (0, 0), 3).clip(0, 255).astype(np.uint8)
    moved = np.stack([np.roll(scene, 3 * i, axis=1) for i in range(5)])
    masks = np.stack([np.roll(elliptical(128, 4), 3 * i, axis=1) for i in range(5)])
    led = np.abs(steadied(masks, moved) - masks)[2].mean()
    smeared = np.abs(steadied(masks, np.repeat(scene[None], 5, axis=0)) - masks)[2].mean()
    assert led < 0.35 * smeared


def smooth_face(size=128):
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    return 0.6 * torch.stack([torch.sin(3 * x) * y, torch.cos(4 * y), (x * y > 0.1).float() - 0.5])


def test_colour_matches_and_detail_stays():
    face = smooth_face() * 0.5
    observed = face + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    found = match.with_colour_of(face, observed)
    np.testing.assert_allclose(found, observed, atol=1e-4)
    stripes = 0.1 * torch.cos(torch.arange(128) * torch.pi)
    kept = match.with_colour_of(face + stripes, face) - face
    assert (kept[..., 8:-8] - stripes[8:-8]).abs().max() < 0.02
