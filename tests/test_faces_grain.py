"""Grain that is measured around a face and given to it: made pictures, of which everything is known."""

from __future__ import annotations

import cv2
import face_films
import numpy as np
import pytest
import skimage.data

from flair_core.faces import align, grain, mask, paste
from flair_core.frames import deepened

SIDE = 400
SOFT = mask.elliptical(256, 18)
GREY = np.ones((3, 3)) + 1e-6 * np.eye(3)
COLOUR = np.array([(1.0, 0.3, 0.2), (0.3, 0.8, 0.4), (0.2, 0.4, 1.6)])
FACE = slice(165, 235)
"""Rows and columns well within the mask."""


def matrix(zoom=1.6, x=200.0, y=200.0):
    """From the frame to a face of 256 pixels around (x, y)."""
    return np.array([(zoom, 0, 127.5 - zoom * x), (0, zoom, 127.5 - zoom * y)])


def scene():
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return np.stack([60 + 0.3 * x, 80 + 0.2 * y, 100 + 0.1 * y], axis=-1)


def noise(size=0.0, covariance=GREY, seed=0):
    """(SIDE, SIDE, 3): Gaussian noise of std 1 in grains of that size, with the given covariance of colours."""
    white = np.random.default_rng(seed).standard_normal((SIDE, SIDE, 3))
    if size:
        white = cv2.GaussianBlur(white, (0, 0), size)
    return white / white.std() @ np.linalg.cholesky(covariance).T


def eight(picture):
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def pasted(footage, clean, amount=1.0, seed=0, upscale=1, m=None):
    """The footage with its face replaced by the clean one; before and after grain was added."""
    m = matrix() if m is None else m
    rgb = deepened(footage)
    canvas = paste.enlarged_frame(rgb, upscale)
    paste.paste_into(canvas, rgb, align.crop(clean, m, 256), m, SOFT)
    before = canvas.copy()
    if amount:
        grain.add_into(canvas, rgb, SOFT, m, amount, np.random.SeedSequence([seed, 3, 1]))
    return before, canvas


def found(footage, clean, **how):
    """What lies over the clean picture within the face, in levels, and what was added."""
    before, after = pasted(eight(footage), eight(clean), **how)
    return (after / 257 - clean)[FACE, FACE], (after.astype(float) - before)[FACE, FACE] / 257


def neighbours(picture, distance):
    picture = picture - picture.mean()
    return (picture[:, distance:] * picture[:, :-distance]).mean() / picture.var()


@pytest.mark.parametrize("size", [0, 0.7, 1.3])
@pytest.mark.parametrize("level", [3, 8])
def test_a_clean_face_gets_grain_as_strong_and_as_coarse(size, level):
    made = level * noise(size)
    lies, _ = found(scene() + made, scene())
    assert (lies @ grain.LUMA).std() == pytest.approx(level, rel=0.15)
    for distance in (1, 2, 4):
        assert neighbours(lies[..., 1], distance) == pytest.approx(
            neighbours(made[..., 1], distance), abs=0.13
        )


def test_grain_has_the_colours_of_the_footage():
    made = 5 * noise(0.6, COLOUR)
    lies, _ = found(scene() + made, scene())
    np.testing.assert_allclose(np.cov(lies.reshape(-1, 3).T) / 25, COLOUR, atol=0.2)


def test_grain_is_as_strong_as_the_brightness_wants():
    """Three broad bands; the face lies over all of them."""
    strength = {60: 3.0, 120: 7.0, 190: 4.0}
    clean = np.repeat(np.repeat(np.float32(list(strength)), [170, 60, 170])[None, :, None], SIDE, 0)
    clean = np.broadcast_to(clean, (SIDE, SIDE, 3))
    made = np.select([clean == level for level in strength], list(strength.values())) * noise(0.6)
    _, after = pasted(eight(clean + made), eight(clean))
    lies = (after / 257 - clean) @ grain.LUMA
    # As far from the bands' edges as the mean lies over which brightness is taken.
    for columns, level in ((slice(145, 165), 3), (slice(175, 225), 7), (slice(235, 255), 4)):
        assert lies[140:260, columns].std() == pytest.approx(level, rel=0.15)


def test_where_the_mask_fades_grain_stays_as_strong():
    lies = pasted(eight(scene() + 6 * noise(0.6)), eight(scene()))[1] / 257 - scene()
    over = lies @ grain.LUMA
    m = matrix()
    weight = cv2.warpAffine(SOFT, align.inverse(m), (SIDE, SIDE))
    for low, high in ((0.2, 0.5), (0.5, 0.8)):
        assert over[(weight > low) & (weight < high)].std() == pytest.approx(6, rel=0.15)


def test_only_what_is_lacking_is_added():
    made = 6 * noise(0.6)
    half = scene() + made / 2
    lies, added = found(scene() + made, half)
    assert added.std() == pytest.approx(np.sqrt(36 - 9), rel=0.15)
    assert ((lies + made[FACE, FACE] / 2) @ grain.LUMA).std() == pytest.approx(6, rel=0.15)
    _, nothing = found(scene() + made, scene() + made)
    assert not nothing.any()


def test_the_amount_is_a_share_of_the_std():
    lies, _ = found(scene() + 8 * noise(0.6), scene(), amount=0.5)
    assert (lies @ grain.LUMA).std() == pytest.approx(4, rel=0.15)


def test_in_an_enlarged_frame_grain_is_enlarged_too():
    footage = eight(scene() + 6 * noise(0.6))
    _, after = pasted(footage, eight(scene()), upscale=2)
    around = paste.enlarged_frame(deepened(footage), 2)

    def grains(picture):
        broad = cv2.GaussianBlur(picture[330:470, 330:470].astype(np.float32), (0, 0), 8)
        return (picture[330:470, 330:470] - broad)[..., 1]

    assert grains(after).std() == pytest.approx(grains(around).std(), rel=0.15)
    assert neighbours(grains(after), 2) == pytest.approx(neighbours(grains(around), 2), abs=0.1)


def test_the_frame_around_keeps_its_bits():
    before, after = pasted(eight(scene() + 6 * noise(0.6)), eight(scene()))
    outside = cv2.warpAffine(SOFT, align.inverse(matrix()), (SIDE, SIDE)) == 0
    np.testing.assert_array_equal(after[outside], before[outside])
    assert (after != before).any()


def test_every_draw_is_another_and_the_same_is_the_same():
    footage, clean = eight(scene() + 6 * noise(0.6)), eight(scene())
    (_, first), (_, again), (_, other) = (pasted(footage, clean, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    lies = [(picture / 257 - scene())[FACE, FACE, 1].ravel() for picture in (first, other)]
    assert abs(np.corrcoef(*lies)[0, 1]) < 0.1


def textured():
    """The astronaut's portrait, of which nothing is blurred: hair, a flag, a suit of many seams."""
    return skimage.data.astronaut()


def jpeg(picture, quality):
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize("quality", [None, 90, 60, 30, 10])
@pytest.mark.parametrize(
    ("picture", "m"),
    [
        (lambda: eight(scene()), matrix()),
        (lambda: eight(scene() + 1.2 * noise(0.6)), matrix()),
        (textured, align.similarity(face_films.ASTRONAUT, 256)),
        (lambda: face_films.picture((False, face_films.place(150, 120))), matrix(2, 150, 120)),
    ],
    ids=["shades", "faint noise", "portrait", "bricks"],
)
def test_texture_faint_noise_and_blocks_are_no_grain(picture, m, quality):
    footage = picture() if quality is None else jpeg(picture(), quality)
    before, after = pasted(footage, cv2.GaussianBlur(footage, (0, 0), 2), m=m)
    np.testing.assert_array_equal(after, before)


def test_faint_grain_fades_in():
    added = [found(scene() + level * noise(0.6), scene())[1].std() for level in (1.3, 1.8, 2.2, 3)]
    assert added[0] == 0
    assert 0 < added[1] < 0.5 * 1.8
    assert 0.4 * 2.2 < added[2] < 0.9 * 2.2
    assert added[3] > 0.85 * 3


def test_a_face_that_fills_the_picture_tells_itself():
    made, m = 6 * noise(0.6), matrix(0.5)
    lies, _ = found(scene() + made, scene(), m=m)
    # The frame is finer than the crop; what the crop could not hold of the grain is still there.
    assert (lies @ grain.LUMA).std() == pytest.approx(6, rel=0.15)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (395, 200), (-400, 0), (200, 2000)])
def test_faces_partly_or_wholly_outside(x, y):
    before, after = pasted(eight(scene() + 6 * noise(0.6)), eight(scene()), m=matrix(1.6, x, y))
    assert before.shape == after.shape


@pytest.mark.parametrize("size", [8, 20, 30])
def test_frames_too_small_to_tell(size):
    footage = eight(scene() + 6 * noise())[:size, :size]
    before, after = pasted(footage, eight(scene())[:size, :size], m=matrix(4, size / 2, size / 2))
    assert before.shape == after.shape


def test_the_level_is_steady_over_frames():
    clean = scene()
    stds = [found(clean + 5 * noise(0.8, seed=seed), clean, seed=seed)[0].std() for seed in range(8)]
    assert np.std(stds) < 0.05 * np.mean(stds)
