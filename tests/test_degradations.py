"""Degradation operators A and A⁺, eq. (7), (8) and (10), and the blur kernels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from flair_core.degradations import (
    BlurDownsample,
    Identity,
    Levels,
    SeparableDownsample,
    blur_kernel,
    build,
    degrade,
    enlarged,
    linear,
    repeat,
    upscale,
)
from flair_core.degradations.base import FLOOR
from flair_core.errors import ShapeError
from flair_core.settings.groups import DegradationSettings

SCALES = st.sampled_from([1, 2, 4, 8, 16])
ANGLES = st.one_of(st.sampled_from([-90.0, 0.0, 45.0, 90.0, 180.0]), st.floats(-180, 180))
BLURS = st.builds(
    DegradationSettings,
    scale=SCALES,
    kernel=st.sampled_from(["bicubic", "gaussian", "motion"]),
    blur_sigma=st.floats(0.1, 4),
    blur_ratio=st.floats(0.1, 1),
    motion_length=st.floats(1, 31),
    angle=ANGLES,
)
CELLS = st.tuples(st.integers(1, 4), st.integers(1, 4))
ROTATED = DegradationSettings(scale=4, kernel="gaussian", blur_ratio=0.4, angle=30)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def size_of(blur: DegradationSettings, cells: tuple[int, int]) -> tuple[int, int]:
    """A size that the scale divides, of at least 8 pixels a side."""
    unit = max(blur.scale, 8)
    return cells[0] * unit, cells[1] * unit


@given(BLURS, CELLS)
@settings(max_examples=60, deadline=None)
def test_pinv_keeps_what_was_measured(blur, cells):
    """A A⁺ A x = A x, and A⁺ A A⁺ y = A⁺ y."""
    size = size_of(blur, cells)
    A, x = build(blur, size), normal(2, 3, *size)
    y = A.forward(x)
    assert y.shape == (2, 3, size[0] // blur.scale, size[1] // blur.scale)
    assert_close(A.forward(A.pinv(y)), y, rtol=0, atol=1e-9)
    any_y = normal(*y.shape, seed=1)
    assert_close(A.pinv(A.forward(A.pinv(any_y))), A.pinv(any_y), rtol=0, atol=1e-8)


@given(BLURS, CELLS)
@settings(max_examples=40, deadline=None)
def test_pinv_is_the_least_correction(blur, cells):
    """A⁺A and A A⁺ are symmetric: with the identities above, A⁺ is the Moore-Penrose inverse."""
    size = size_of(blur, cells)
    A = build(blur, size)
    a, b = normal(1, 3, *size, seed=1), normal(1, 3, *size, seed=2)
    assert_close((a * A.pinv(A.forward(b))).sum(), (b * A.pinv(A.forward(a))).sum(), rtol=0, atol=1e-8)
    c, d = A.forward(a), normal(*A.forward(a).shape, seed=3)
    assert_close((c * A.forward(A.pinv(d))).sum(), (d * A.forward(A.pinv(c))).sum(), rtol=0, atol=1e-8)


@given(BLURS, CELLS)
@example(DegradationSettings(scale=1, kernel="gaussian", blur_sigma=0.68), (2, 2))
@settings(max_examples=40, deadline=None)
def test_pinv_never_explodes(blur, cells):
    """A flat image keeps 1/s of its norm, so A⁺ is below s/FLOOR; blur weakens chequerboards most."""
    size = size_of(blur, cells)
    A = build(blur, size)
    rows, columns = (torch.arange(extent // blur.scale) for extent in size)
    y = (1.0 - 2 * ((rows[:, None] + columns) % 2)).double()[None, None]
    assert A.pinv(y).norm() <= y.norm() * blur.scale / FLOOR


@given(BLURS, CELLS)
@settings(max_examples=40, deadline=None)
def test_flat_images_stay_flat(blur, cells):
    size = size_of(blur, cells)
    A, flat = build(blur, size), torch.full((1, 3, *size), 0.3, dtype=torch.float64)
    y = A.forward(flat)
    assert_close(y, torch.full_like(y, 0.3))
    assert A.correction(flat, y).abs().max() < 1e-12


@pytest.mark.parametrize("blur", [DegradationSettings(scale=8), ROTATED, DegradationSettings(scale=1)])
def test_one_correction_makes_an_estimate_agree_with_y(blur):
    """Eq. (8): A x̃0 = y."""
    A, x0 = build(blur, (64, 48)), normal(2, 3, 64, 48)
    y = A.forward(normal(2, 3, 64, 48, seed=1))
    assert_close(A.forward(x0 - A.correction(x0, y)), y, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [2, 4, 8, 16])
@pytest.mark.parametrize("kernel", ["bicubic", "gaussian"])
def test_separable_operators_are_their_matrices(scale, kernel):
    """Against the plain sum over taps, with the image mirrored at its borders."""
    blur = DegradationSettings(scale=scale, kernel=kernel, blur_sigma=3.0)
    A, x = build(blur, (32, 48)), normal(1, 1, 32, 48)
    assert isinstance(A, SeparableDownsample)
    h = blur_kernel(blur).numpy()
    reach = len(h) // 2
    mirrored = np.pad(x[0, 0].numpy(), reach, mode="symmetric")
    middles = [range(scale // 2, extent, scale) for extent in (32, 48)]
    expected = [
        [(h * mirrored[i : i + 2 * reach, j : j + 2 * reach]).sum() for j in middles[1]] for i in middles[0]
    ]
    # Frequencies that fall below FLOOR are missing in A.
    assert_close(
        A.forward(x)[0, 0], torch.tensor(expected), rtol=0, atol=1e-9 if kernel == "bicubic" else 0.02
    )


def test_rotated_blurs_are_convolutions_away_from_the_border():
    A, x = build(ROTATED, (64, 64)), normal(1, 1, 64, 64)
    assert isinstance(A, BlurDownsample)
    h = blur_kernel(ROTATED)
    offset = len(h) // 2 - ROTATED.scale // 2
    cell = 8
    begin = cell * ROTATED.scale - offset
    patch = x[0, 0, begin : begin + len(h), begin : begin + len(h)]
    assert_close(A.forward(x)[0, 0, cell, cell], (h * patch).sum(), rtol=0, atol=1e-9)


def test_the_image_does_not_move():
    """A ramp keeps its place: sample i shows the middle of its cell, and upscaling puts it back there."""
    ramp = torch.linspace(-0.8, 0.8, 64, dtype=torch.float64).expand(1, 3, 64, 64)
    for kernel, angle in (("bicubic", 0), ("gaussian", 0), ("gaussian", 30), ("motion", 10)):
        blur = DegradationSettings(scale=4, kernel=kernel, blur_ratio=0.5, motion_length=5, angle=angle)
        y = build(blur, (64, 64)).forward(ramp)
        middles = ramp.unflatten(-1, (16, 4)).mean(-1)[..., ::4, :]
        assert_close(y[..., 4:-4, 4:-4], middles[..., 4:-4, 4:-4], rtol=0, atol=2e-3)
        assert_close(upscale(y, (64, 64))[..., 20:-20], ramp[..., 20:-20], rtol=0, atol=5e-3)


def test_scale_1_bicubic_is_the_identity():
    A, x = build(DegradationSettings(scale=1), (5, 7)), normal(1, 3, 5, 7)
    assert isinstance(A, Identity)
    assert A.forward(x) is x


@pytest.mark.parametrize(
    "blur",
    [
        DegradationSettings(scale=8),
        DegradationSettings(scale=1, kernel="gaussian"),
        DegradationSettings(scale=2, kernel="gaussian", blur_sigma=3),
        DegradationSettings(scale=4, kernel="motion", angle=30),
        DegradationSettings(scale=1),
    ],
)
def test_directions_are_those_of_the_singular_value_decomposition(blur):
    """S against that of A's matrix; V Vᵀ = A⁺A; V diag(S⁻²) Vᵀ is what A⁺ makes of white noise."""
    A = linear(blur, (16, 16))
    matrix = A.forward(torch.eye(256, dtype=torch.float64).view(256, 1, 16, 16)).flatten(1)
    expected = torch.linalg.svdvals(matrix)
    singular = A.singular.expand(16, 16) if isinstance(A, Identity) else A.singular
    seen, _ = singular[singular > 0].sort(descending=True)
    assert_close(seen, expected[: len(seen)], rtol=0, atol=1e-9)
    assert_close(expected[len(seen) :], torch.zeros(len(expected) - len(seen)).double(), rtol=0, atol=1e-9)
    x = normal(1, 3, 16, 16)
    assert_close(A.filtered(x, torch.ones_like(A.singular)), A.pinv(A.forward(x)), rtol=0, atol=1e-8)
    back = A.pinv(torch.eye(256 // blur.scale**2, dtype=torch.float64).view(-1, 1, *A.forward(x).shape[2:]))
    covariance = back.flatten(1).T @ back.flatten(1)
    filtered = A.filtered(x, A.singular.square().reciprocal().where(A.singular > 0, 0))
    assert_close(filtered.flatten(2), x.flatten(2) @ covariance, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "blur",
    [
        DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0),
        ROTATED,
        DegradationSettings(scale=1),
    ],
)
def test_levels_tell_how_strong_noise_becomes_within_a_percent(blur):
    A, x = linear(blur, (64, 64)), normal(1, 3, 64, 64)
    levels = Levels.of(A, 0.1)
    seen = A.singular > 0
    assert_close(levels.sigma[levels.level][seen], 0.1 / A.singular[seen], rtol=0.011, atol=0)
    assert levels.sigma[0] == 0
    rms = float(A.pinv(0.1 * normal(200, 3, 64 // blur.scale, 64 // blur.scale)).square().mean())
    share = len(A.singular[seen]) / 64**2 if blur.scale > 1 else 1
    assert share * float(levels.mean(levels.sigma.square())) == pytest.approx(rms, rel=0.05)
    unseen = x - A.pinv(A.forward(x))
    weights = torch.linspace(0.5, 2, len(levels.sigma), dtype=torch.float64)
    assert_close(levels.filtered(unseen, weights), 0.5 * unseen, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "blur", [DegradationSettings(scale=4, jpeg=80), ROTATED, DegradationSettings(scale=1)]
)
def test_single_precision_stays_single_and_agrees_with_double(blur):
    A, x = build(blur, (32, 32)), normal(1, 3, 32, 32).clamp(-1, 1)
    y = A.forward(normal(1, 3, 32, 32, seed=1).clamp(-1, 1))
    single = A.correction(x.float(), y.float())
    assert single.dtype == torch.float32
    if blur.jpeg is None:  # a coefficient may round the other way
        assert_close(single.double(), A.correction(x, y), rtol=0, atol=1e-4)


def test_sizes_that_the_scale_does_not_divide_are_refused():
    with pytest.raises(ShapeError, match="multiples of 8"):
        build(DegradationSettings(scale=8), (64, 60))
    with pytest.raises(ShapeError, match="multiples of 4"):
        degrade(torch.zeros(1, 3, 62, 64), DegradationSettings(scale=4), torch.Generator())


def test_an_observation_of_another_shape_is_refused():
    A = build(DegradationSettings(scale=4), (32, 32))
    with pytest.raises(ShapeError, match=r"\(2, 3, 8, 8\)"):
        A.correction(torch.zeros(2, 3, 32, 32), torch.zeros(1, 3, 8, 8))


def test_degrading_is_reproducible_and_adds_the_noise_it_names():
    x = normal(1, 3, 128, 128).float().clamp(-1, 1)
    noisy = DegradationSettings(scale=2, noise=10 / 255)
    first, second = (degrade(x, noisy, torch.Generator().manual_seed(3)) for _ in range(2))
    assert_close(first, second, rtol=0, atol=0)
    e = first - build(noisy, (128, 128)).forward(x)
    assert e.std().item() == pytest.approx(2 * 10 / 255, rel=0.03)
    assert not torch.equal(first, degrade(x, noisy, torch.Generator().manual_seed(4)))


def test_degrading_without_noise_is_the_operator():
    x, coded = normal(1, 3, 64, 64).clamp(-1, 1), DegradationSettings(scale=2, jpeg=50)
    assert_close(degrade(x, coded, torch.Generator()), build(coded, (64, 64)).forward(x), rtol=0, atol=0)


@given(BLURS)
@settings(max_examples=100, deadline=None)
def test_kernels_sum_to_one_and_are_centred(blur):
    h = blur_kernel(blur)
    at = torch.arange(len(h), dtype=torch.float64) - (len(h) - 1) / 2
    assert len(h) % 2 == blur.scale % 2
    assert h.sum().item() == pytest.approx(1)
    assert (h.sum(0) @ at).item() == pytest.approx(0, abs=1e-9)
    assert (h.sum(1) @ at).item() == pytest.approx(0, abs=1e-9)


@given(st.floats(1.5, 3), st.floats(0.5, 1), st.floats(-180, 180), SCALES)
@settings(max_examples=50, deadline=None)
def test_gaussians_have_the_asked_covariance(sigma, ratio, angle, scale):
    blur = DegradationSettings(
        scale=scale, kernel="gaussian", blur_sigma=sigma, blur_ratio=ratio, angle=angle
    )
    along, across = moments(blur_kernel(blur), angle)
    # Cutting at 4 σ and sampling narrow Gaussians change the variance by less than this.
    assert along == pytest.approx(sigma**2, rel=0.01, abs=0.02)
    assert across == pytest.approx((ratio * sigma) ** 2, rel=0.01, abs=0.02)


@given(st.floats(1, 31), st.floats(-180, 180), SCALES)
@settings(max_examples=50, deadline=None)
def test_motion_has_the_asked_length(length, angle, scale):
    """A line of length L has variance L²/12; sharing its points among pixels adds at most 1/4."""
    blur = DegradationSettings(scale=scale, kernel="motion", motion_length=length, angle=angle)
    along, across = moments(blur_kernel(blur), angle)
    assert length**2 / 12 - 0.01 <= along <= length**2 / 12 + 0.26
    assert across <= 0.26


def moments(h: torch.Tensor, angle: float) -> tuple[float, float]:
    """Variances of a kernel along an angle and across it; 90 degrees point up."""
    at = torch.arange(len(h), dtype=torch.float64) - (len(h) - 1) / 2
    down, right = torch.meshgrid(at, at, indexing="ij")
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = cos * right - sin * down, sin * right + cos * down
    return (h * along**2).sum().item(), (h * across**2).sum().item()


def test_the_narrowest_blur_still_has_a_kernel():
    h = blur_kernel(DegradationSettings(scale=2, kernel="gaussian", blur_sigma=0.1, blur_ratio=0.1, angle=20))
    assert torch.isfinite(h).all()


def test_upscaling_to_the_same_size_copies():
    y = normal(1, 3, 9, 6).clamp(-1, 1)
    assert_close(upscale(y, (9, 6)), y, rtol=0, atol=0)
    assert_close(repeat(y, (18, 12))[..., ::2, 1::2], y, rtol=0, atol=0)


def test_upscaled_conditions_stay_in_range():
    assert upscale(normal(1, 3, 8, 8).sign(), (64, 64)).abs().max() == 1
    assert enlarged(normal(1, 3, 8, 8).sign(), (64, 64), DegradationSettings(scale=8)).abs().max() == 1


def test_footage_that_was_only_made_smaller_is_enlarged_by_its_pseudo_inverse():
    """A c = y there, and what noise or compression would make worse is enlarged by a smooth kernel."""
    clean, size = DegradationSettings(scale=4), (64, 32)
    x = 0.2 * normal(1, 3, *size)
    A = build(clean, size)
    y = A.forward(x)
    assert_close(A.forward(enlarged(y, size, clean)), y)
    for other in (None, replace(clean, noise=0.01), replace(clean, jpeg=80), replace(clean, kernel="motion")):
        assert torch.equal(enlarged(y, size, other), upscale(y, size))
