"""Integer ↔ float pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flair_core.frames import dithered, to_float, to_uint8, to_uint16

LEVELS = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


@pytest.mark.parametrize("dither", [False, True])
def test_integers_survive_the_way_through_floats(dither):
    np.testing.assert_array_equal(to_uint8(to_float(LEVELS), dither=dither), LEVELS)
    deep = np.arange(65536, dtype=np.uint16).repeat(3).reshape(256, 256, 3)
    np.testing.assert_array_equal(to_uint16(to_float(deep)), deep)
    np.testing.assert_array_equal(dithered(LEVELS.astype(np.uint16) * 257), LEVELS)


@pytest.mark.parametrize("value", [0.1, 0.5, 100.3, 254.9])
def test_dither_keeps_the_mean_and_plain_rounding_does_not(value):
    flat = torch.full((2, 3, 24, 40), 2 * value / 255 - 1)
    assert to_uint8(flat, dither=True).mean() == pytest.approx(value, abs=1 / 64)
    assert to_uint8(flat).mean() == round(value)
    deep = np.full((24, 40, 3), round(257 * value), np.uint16)
    assert dithered(deep).mean() == pytest.approx(value, abs=1 / 64)


def test_values_outside_the_range_are_clamped():
    wild = torch.tensor([-3.0, 3.0]).reshape(1, 1, 2).expand(3, 1, 2)
    assert to_uint8(wild)[0, :, 0].tolist() == [0, 255]
    assert to_uint8(wild, dither=True)[0, :, 0].tolist() == [0, 255]
    assert to_uint16(wild)[0, :, 0].tolist() == [0, 65535]
