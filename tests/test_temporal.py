"""Temporal layers, warping and flow: closed forms and properties that any weights must have."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle, scaled_dot_product_attention
from torchvision.ops import deform_conv2d

from flair_core.denoisers.deformable import DeformableAlignment, DeformableRefinement, deformable_convolution
from flair_core.denoisers.flow import Flows, SPyNet, warp
from flair_core.denoisers.layers import ResidualBlock, WindowNorm, cos_sin
from flair_core.denoisers.temporal import (
    Gate,
    PatchAlignment,
    TemporalAttention,
)

C, H, W = 32, 10, 12


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def shaken(layer):
    """The layer with random weights, also where they start at zero."""
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7 / parameter[0].numel() ** 0.5)
    return layer


def window(frames, batch=1):
    return torch.randn(batch, frames, C, H, W)


def random_flows(frames, batch=1):
    return Flows(*(2 * torch.randn(batch, frames - 1, 2, H, W) for _ in range(2)))


def constant(x, y):
    return torch.tensor((float(x), float(y))).view(1, 2, 1, 1).expand(1, 2, H, W)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_new_temporal_layers_change_nothing(frames):
    """A trained image network must keep its results when it gains them."""
    x, emb = window(frames), torch.randn(1, frames, 8)
    assert torch.equal(DeformableRefinement(C)(x, random_flows(frames)), x)
    assert torch.equal(TemporalAttention(C, 5, 8)(x), x)
    assert torch.equal(ResidualBlock(C, C, 8, kernel=(3, 3, 3))(x, emb), x)


def test_layers_treat_the_clips_of_a_batch_separately():
    x, flows, emb = window(3, batch=2), random_flows(3, batch=2), torch.randn(2, 3, 8)
    weight = torch.rand(2, 3, 1, H, W)
    recurrent, attention = shaken(DeformableRefinement(C)), shaken(TemporalAttention(C, 5, 8))
    residual = shaken(ResidualBlock(C, C, 8, kernel=(3, 1, 1), conditioning="shift"))
    for i in range(2):
        part = slice(i, i + 1)
        own = Flows(*(flow[part] for flow in flows))
        torch.testing.assert_close(
            recurrent(x, flows, weight)[part], recurrent(x[part], own, weight[part]), atol=1e-5, rtol=1e-5
        )
        torch.testing.assert_close(attention(x)[part], attention(x[part]), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(residual(x, emb)[part], residual(x[part], emb[part]), atol=1e-5, rtol=1e-5)


def test_norm_counts_all_frames_of_a_window_together():
    x = window(4) + torch.arange(4).view(1, 4, 1, 1, 1)
    groups = WindowNorm(4, C)(x)[0].reshape(4, 4, -1)
    torch.testing.assert_close(groups.mean((0, 2)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(groups.std((0, 2), correction=0), torch.ones(4), atol=1e-4, rtol=0)
    assert (groups.mean((1, 2)).diff() > 0.5).all()  # frames keep their differences


def test_warping_moves_by_whole_and_half_pixels():
    x = torch.randn(1, 3, H, W)
    moved = warp(x, constant(2, -1))
    torch.testing.assert_close(moved[..., 1:, :-2], x[..., :-1, 2:])
    torch.testing.assert_close(moved[..., 0, :], torch.zeros(1, 3, W))  # outside
    torch.testing.assert_close(warp(x, constant(0.5, 0))[..., :-1], (x[..., 1:] + x[..., :-1]) / 2)
    bordered = warp(x, constant(W, 0), padding="border")
    torch.testing.assert_close(bordered, x[..., -1:].expand_as(x))


def test_alignment_follows_the_flows():
    """Its offsets still zero, it convolves both features, each fetched along its flow, at half weight."""
    align = DeformableAlignment(C, max_offset=5)
    carried, hints = torch.randn(1, 2 * C, H, W), torch.randn(1, 3 * C, H, W)
    one, two = constant(2, 0), constant(0, -3)
    fetched = torch.cat((warp(carried[:, :C], one), warp(carried[:, C:], two)), 1)
    expected = conv2d(fetched, align.weight / 2, align.bias, padding=1)
    inside = (..., slice(4, -1), slice(1, -3))  # taps beyond the border see zeros in one form only
    torch.testing.assert_close(
        align(carried, hints, one, two)[inside], expected[inside], atol=1e-5, rtol=1e-5
    )


def test_alignment_departs_from_the_flow_only_so_far():
    """Far from an impulse, further than the limit and a tap, nothing is felt whatever the offsets say."""
    align = shaken(DeformableAlignment(C, max_offset=2))
    zero = constant(0, 0)
    hints = 50 * torch.randn(1, 3 * C, H, W)
    carried = torch.zeros(1, 2 * C, H, W)
    carried[..., 0, 0] = 1
    felt = (align(carried, hints, zero, zero) - align.bias.view(1, -1, 1, 1)).abs().amax((0, 1))
    assert felt[:4, :4].any()
    assert not felt[4:].any()
    assert not felt[:, 4:].any()


def test_features_of_patches_follow_motion_of_single_pixels():
    pixels, flow = torch.randn(1, 2, 4 * H, 4 * W), torch.full((1, 2, 4 * H, 4 * W), 3.0)
    carried = pixel_unshuffle(pixels, 4)
    aligned = PatchAlignment(4).bring(carried, carried, carried, flow, None)
    torch.testing.assert_close(pixel_shuffle(aligned, 4)[..., :-3, :-3], pixels[..., 3:, 3:])


def test_weight_zero_forgets_other_frames_and_weight_one_does_not():
    """Eq. (5): w̃ scales what is carried from frame to frame."""
    layer, flows = shaken(DeformableRefinement(C)), random_flows(4)
    x = window(4)
    other = x.clone()
    other[:, 0] += 1
    for weight, felt in ((0.0, False), (1.0, True)):
        moved = (layer(other, flows, weight) - layer(x, flows, weight))[:, -1]
        assert (moved.abs().max() > 1e-4) == felt


def test_the_map_of_weights_is_read_at_its_nearest_pixel():
    layer, flows, x = shaken(DeformableRefinement(C)), random_flows(3), window(3)
    weight = torch.rand(1, 3, 1, H, W)
    large = weight.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(layer(x, flows, large), layer(x, flows, weight))
    torch.testing.assert_close(layer(x, flows, torch.full_like(weight, 0.9)), layer(x, flows, 0.9))


def test_background_weight_can_be_learned():
    """The gradient with respect to w̃ of eq. (5) is that of a difference quotient."""
    layer, flows, x = shaken(DeformableRefinement(C)), random_flows(3), window(3)
    mask = (torch.rand(1, 3, 1, H, W) > 0.5).float()

    def outcome(w):
        return layer(x, flows, w * (1 - mask) + mask).square().double().sum()

    w = torch.tensor(0.9, requires_grad=True)
    (gradient,) = torch.autograd.grad(outcome(w), w)
    quotient = (outcome(w + 0.05) - outcome(w - 0.05)) / 0.1
    assert gradient.item() == pytest.approx(quotient.item(), rel=0.02)
    assert abs(quotient) > 1


@pytest.mark.parametrize(("frames", "size"), [(1, 5), (2, 5), (4, 3), (6, 5)])
def test_temporal_attention_is_attention_over_neighbouring_frames(frames, size):
    """Against one plain attention product for each frame, over its neighbours with repeated ends."""
    layer = shaken(TemporalAttention(C, size, 8))
    x = window(frames)
    normed = layer.norm(x)[0].permute(0, 2, 3, 1)  # (T, h, w, C)
    times = cos_sin(torch.arange(size) - size // 2, C)
    others = [o for o in range(-(size // 2), size // 2 + 1) if o]
    for t in range(frames):
        around = torch.stack([normed[min(max(t + o, 0), frames - 1)] for o in others], 2)  # (h, w, n, C)
        told = around + torch.stack([times[o + size // 2] for o in others])
        q = layer.query(normed[t] + times[size // 2])[:, :, None]
        q, k, v = (
            part.unflatten(-1, (-1, 8)).transpose(2, 3) for part in (q, layer.key(told), layer.value(around))
        )
        mixed = scaled_dot_product_attention(q, k, v).flatten(2)
        expected = x[0, t] + layer.out(mixed.permute(2, 0, 1))
        torch.testing.assert_close(layer(x)[0, t], expected, atol=1e-5, rtol=1e-5)


def test_gate_mixes_between_all_and_nothing():
    gate = Gate(8, C)
    x, refined, emb = window(2), window(2), torch.randn(1, 2, 8)
    torch.nn.init.zeros_(gate.weight)
    for bias, expected in ((-100, x), (0, (x + refined) / 2), (100, refined)):
        torch.nn.init.constant_(gate.bias, bias)
        torch.testing.assert_close(gate(x, refined, emb), expected)


def test_layers_run_in_half_precision():
    """Where processors have no half-precision kernel of their own for the deformable convolution."""
    layer, x, flows = shaken(DeformableRefinement(C)), window(3), random_flows(3)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x, flows)
    torch.testing.assert_close(half.float(), layer(x, flows), atol=0.1, rtol=0.05)


def test_flows_of_a_window_are_those_of_its_pairs():
    network, frames = SPyNet(), torch.rand(2, 3, 3, 40, 52)
    flows = network.window(frames)
    for i in range(2):
        torch.testing.assert_close(flows.forward[:, i], network(frames[:, i + 1], frames[:, i]))
        torch.testing.assert_close(flows.backward[:, i], network(frames[:, i], frames[:, i + 1]))
    assert network.window(frames[:, :1]).forward.shape == (2, 0, 2, 40, 52)


def test_flow_is_in_pixels_of_the_given_size():
    """A bias of the last level is a constant flow at the padded size; it must come back scaled."""
    network = SPyNet()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    network.levels[-1][-1].bias.copy_(torch.tensor((4.0, 3.0)))
    flow = network(torch.rand(1, 3, 48, 80), torch.rand(1, 3, 48, 80))  # worked on at 64 × 96
    torch.testing.assert_close(
        flow, torch.tensor((4 * 80 / 96, 3 * 48 / 64)).view(1, 2, 1, 1).expand_as(flow)
    )


def test_deformable_convolution_is_that_of_torchvision():
    x, offset = torch.randn(2, 32, 9, 13), 4 * torch.randn(2, 2 * 9 * 8, 9, 13)
    mask, weight, bias = torch.rand(2, 9 * 8, 9, 13), torch.randn(6, 32, 3, 3), torch.randn(6)
    made = deformable_convolution(x, offset, mask, weight, bias)
    torch.testing.assert_close(
        made, deform_conv2d(x, offset, weight, bias, padding=1, mask=mask), rtol=1e-4, atol=1e-4
    )
    without = deformable_convolution(x, offset, mask, weight, None)
    torch.testing.assert_close(without, made - bias[:, None, None], rtol=1e-5, atol=1e-5)
