"""JPEG's E and D against recorded vectors: eq. (10) and (11)."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from flair_core.degradations import Jpeg

FINE = 1e-6


@pytest.fixture(scope="module")
def golden(load_npz):
    return load_npz("jpeg")


@pytest.fixture(scope="module")
def cases(golden):
    """(size, quality) of every recorded case."""
    names = (re.fullmatch(r"enc_luma_s(\d+)_q(\d+)", name) for name in golden)
    found = [(int(name[1]), int(name[2])) for name in names if name]
    assert found
    return found


def test_tables(golden):
    for name in filter(None, (re.fullmatch(r"q(\d+)_(luma|chroma)_table", name) for name in golden)):
        np.testing.assert_array_equal(getattr(Jpeg(int(name[1])), name[2]), golden[name[0]])


def test_coefficients(golden, cases, tolerances):
    tie = tolerances("jpeg")[0]
    for size, quality in cases:
        x = torch.from_numpy(golden[f"x{size}"])
        exact = Jpeg(quality)
        exact.luma, exact.chroma = exact.luma * FINE, exact.chroma * FINE  # rounds FINE times as coarsely
        for name, ours, unrounded in zip(
            ("luma", "chroma"), Jpeg(quality).encode(x), exact.encode(x.double()), strict=True
        ):
            off = np.abs(ours.numpy() - golden[f"enc_{name}_s{size}_q{quality}"])
            to_tie = (unrounded * FINE % 1 - 0.5).abs().numpy()
            assert (off[to_tie > tie] == 0).all()
            assert off.max() <= 1


def test_decoding(golden, cases, tolerances):
    for size, quality in cases:
        expected = golden[f"dec_s{size}_q{quality}"]
        luma, chroma = (
            torch.from_numpy(golden[f"enc_{name}_s{size}_q{quality}"]).float() for name in ("luma", "chroma")
        )
        decoded = Jpeg(quality).decode(luma, chroma)[: len(expected)]
        np.testing.assert_allclose(decoded, expected, atol=tolerances("jpeg")[1], rtol=0)


def test_coding_again_changes_nothing(golden, cases):
    for size, quality in cases:
        jpeg = Jpeg(quality)
        once = jpeg.encode(torch.from_numpy(golden[f"x{size}"]))
        again = jpeg.encode(jpeg.decode(*once))
        counts = [
            sum(int((a[i] != b[i]).sum()) for a, b in zip(once, again, strict=True))
            for i in range(len(once[0]))
        ]
        np.testing.assert_array_equal(counts, golden[f"reenc_mismatch_s{size}_q{quality}"])
