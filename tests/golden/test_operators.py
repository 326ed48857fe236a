"""Degradation operators and resizing against recorded vectors: eq. (7), (8), (11), section 4.2."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from flair_core.degradations import JpegDegradation, ReleasedBlur, build, repeat, upscale
from flair_core.degradations.cosine import downsampling_matrix, factorise
from flair_core.degradations.kernels import cubic
from flair_core.degradations.released import SCALE, cut_kernel, inverse_filter, released_kernel
from flair_core.settings.groups import DegradationSettings


@pytest.fixture(scope="module")
def golden(load_npz):
    return load_npz("operators")


def cases(golden, pattern: str) -> list[re.Match[str]]:
    """The array names that match; there must be some."""
    found = [match for match in (re.fullmatch(pattern, name) for name in golden) if match]
    assert found, f"no array is called {pattern}"
    return found


def check(golden, name: str, ours: Tensor, atol: float) -> None:
    """Compare with every stored form of an array: whole, some rows, a block, one batch entry, statistics."""
    forms = [
        n for n in golden if re.fullmatch(rf"{name}(_b\d+)?(_corner|_center|_last|_stride\d+|_stats)?", n)
    ]
    assert forms, f"{name} is not there"
    for form in forms:
        expected, part = golden[form], ours
        if entry := re.search(r"_b(\d+)", form):
            part = part[int(entry[1])][None]
        if form.endswith("_stats"):
            whole = part.double()
            stats = torch.stack([whole.mean(), whole.std(), whole.min(), whole.max(), whole.norm()])
            np.testing.assert_allclose(stats, expected, atol=atol, rtol=atol, err_msg=form)
            continue
        side, kept = part.shape[-1], expected.shape[-1]
        if form.endswith("_corner"):
            part = part[..., :kept, :kept]
        elif form.endswith("_last"):
            part = part[..., -kept:, -kept:]
        elif form.endswith("_center"):
            begin = (side - kept) // 2
            part = part[..., begin : begin + kept, begin : begin + kept]
        else:
            part = part[..., :: side // kept, :: side // kept]
        np.testing.assert_allclose(part, expected, atol=atol, rtol=0, err_msg=form)


def test_bicubic_kernel_and_singular_values(golden, tolerances):
    _, atol, atol_singular = tolerances("operators")[:3]
    for match in cases(golden, r"f_kernel_x(\d+)"):
        np.testing.assert_allclose(cubic(int(match[1])), golden[match[0]], atol=atol)
    for match in cases(golden, r"srconv_x(\d+)_d(\d+)_singulars"):
        scale, size = int(match[1]), int(match[2])
        _, singular, _ = factorise(downsampling_matrix(cubic(scale), scale, size))
        theirs = golden[match[0]]
        assert len(singular) == len(theirs) - golden[f"srconv_x{scale}_d{size}_n_zeroed"]
        ours = singular.sort(descending=True).values
        np.testing.assert_allclose(ours, theirs[: len(ours)], atol=atol_singular)


def test_bicubic_operator(golden, fill, tolerances):
    atol_pinv, atol = tolerances("operators")[:2]
    for match in cases(golden, r"srconv_x(\d+)_d(\d+)_y"):
        scale, size, prefix = int(match[1]), int(match[2]), match[0][:-1]
        y = torch.from_numpy(golden[match[0]])
        recipe = fill.fill_array(f"op{size}", (1, 3, size, size), 0.5).clip(-1, 1)
        x = torch.from_numpy(golden.get(f"srconv_x_d{size}", recipe))
        A = build(DegradationSettings(scale=scale), (size, size))
        consistent = x - A.correction(x, y)
        check(golden, prefix + "Ax", A.forward(x), atol)
        check(golden, prefix + "dc", consistent, atol_pinv)
        if any(name.startswith(prefix + "pinv_y") for name in golden):
            check(golden, prefix + "pinv_y", A.pinv(y), atol_pinv)
        assert (A.forward(consistent) - y).abs().max() < atol


def test_released_kernels(golden, tolerances):
    atol = tolerances("operators")[1]
    kernel = torch.from_numpy(golden[f"kernel12_{int(golden['kernel12_index_used'])}"]).double()
    cut = cut_kernel(kernel)
    np.testing.assert_allclose(cut, golden["psr_ds_kernel"], atol=atol)
    np.testing.assert_allclose(cut.flip(0, 1), golden["psr_w_DownscaleOP"], atol=atol)
    np.testing.assert_allclose(SCALE**2 * cut, golden["psr_w_Upscale_OP"], atol=atol)
    np.testing.assert_allclose(inverse_filter(cut), golden["psr_inv_hTh"], atol=atol)


def test_the_released_blur_needs_no_file(golden, tolerances):
    theirs = (golden[name[0]] for name in cases(golden, r"kernel12_\d+"))
    assert any(
        kernel.shape == released_kernel().shape
        and np.allclose(released_kernel(), kernel, atol=tolerances("operators")[1])
        for kernel in theirs
    )


def test_released_blur_operator(golden, tolerances):
    atol_pinv, atol = tolerances("operators")[:2]
    A = ReleasedBlur(torch.from_numpy(golden[f"kernel12_{int(golden['kernel12_index_used'])}"]))
    for match in cases(golden, r"psr_s\d+_x"):
        prefix = match[0][:-1]
        x, y = (torch.from_numpy(golden[prefix + name]) for name in "xy")
        check(golden, prefix + "down_x", A.forward(x), atol)
        check(golden, prefix + "pinv_y", A.pinv(y), atol_pinv)
        check(golden, prefix + "corr", A.correction(x, y), atol_pinv)
        for coded in cases(golden, prefix + r"corr_jpeg(\d+).*"):
            composite = JpegDegradation(A, int(coded[1]))
            check(golden, f"{prefix}corr_jpeg{coded[1]}", composite.correction(x, y), atol_pinv)


def test_conditions_of_the_released_tasks(golden, tolerances):
    atol = tolerances("operators")[1]
    for match in cases(golden, r"init_x(\d+)_in01"):
        y = 2 * torch.from_numpy(golden[match[0]]) - 1
        size = (int(match[1]) * y.shape[-2], int(match[1]) * y.shape[-1])
        prefix = f"init_x{match[1]}_"
        if any(name.startswith(prefix + "aa0") for name in golden):
            check(golden, prefix + "aa0", (upscale(y, size) + 1) / 2, atol)
        if any(name.startswith(prefix + "area") for name in golden):
            check(golden, prefix + "area", (repeat(y, size) + 1) / 2, atol)
            check(golden, f"rnn_x{match[1]}_aa0", upscale(y, size), atol)
