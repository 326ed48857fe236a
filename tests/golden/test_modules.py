"""The layers of the released networks against their recorded outputs; cases are found in the files."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate, silu

from flair_core.denoisers import importer
from flair_core.denoisers.deformable import DeformableAlignment, DeformableRefinement
from flair_core.denoisers.flow import Flows, SPyNet, warp
from flair_core.denoisers.layers import ResidualBlock, SpatialAttention, cos_sin, per_frame, sin_cos
from flair_core.denoisers.released_bicubic import MAX_OFFSET
from flair_core.denoisers.temporal import Gate, TemporalAttention

KINDS = "spy|warp|soda|rfe|tattn|res3d|gate|res2d|sattn|posenc|temb"
"""Of cases: what the tests below look for."""
GATE = {"": "emb_layers.1"}


@pytest.fixture(scope="module")
def stored(load_npz):
    return load_npz("modules")


@pytest.fixture(scope="module")
def arrays(stored):
    """`arrays(name)`: a tensor."""
    return lambda name: torch.from_numpy(stored[name])


@pytest.fixture(scope="module")
def cases(stored):
    """`cases(pattern)`: matches among the names of arrays, at least one."""

    def find(pattern):
        found = [match for match in (re.fullmatch(pattern, name) for name in stored.files) if match]
        assert found, f"no array {pattern}"
        return found

    return find


@pytest.fixture(scope="module")
def modules(manifest):
    return manifest("modules")


@pytest.fixture(scope="module")
def filled(modules, fill):
    """`filled(module, (layer, names, prefix), …)`: layers that together take all keys of a recorded one."""

    def load(module, *parts):
        keys, taken = modules[module], set()
        for layer, names, prefix in parts:
            released = {
                ours: prefix + theirs
                for ours, theirs in importer.released_names(layer.state_dict(), names).items()
            }
            layer.load_state_dict({k: fill.fill_tensor(name, keys[name][0]) for k, name in released.items()})
            layer.eval().requires_grad_(False)
            taken |= set(released.values())
        assert taken == keys.keys()
        return parts[0][0]

    return load


@pytest.fixture(scope="module")
def close(tolerances):
    def check(ours, theirs, what):
        np.testing.assert_allclose(ours, theirs, atol=tolerances("modules")[0], rtol=0, err_msg=str(what))

    return check


def test_no_case_is_left_out(stored):
    assert not [name for name in stored.files if not re.fullmatch(rf"({KINDS})_.*", name)]


def test_optical_flow(cases, arrays, filled, close):
    network = filled("spynet", (SPyNet(), importer.FLOW, ""))
    for case in cases(r"(spy_.*)_flow"):
        close(network(arrays(f"{case[1]}_ref"), arrays(f"{case[1]}_supp")), arrays(case[0]), case[1])


def test_warping(cases, arrays, close):
    flow = arrays("warp_flow").permute(0, 3, 1, 2)
    for case in cases(r"warp_(zeros|border)"):
        close(warp(arrays("warp_x"), flow, padding=case[1]), arrays(case[0]), case[0])


def test_deformable_alignment(cases, arrays, filled, close):
    for case in cases(r"(soda_c(\d+))_m(\d+)_out"):
        layer = filled(case[1], (DeformableAlignment(int(case[2]), int(case[3])), importer.ALIGNMENT, ""))
        inputs = (arrays(case[0].replace("_out", f"_{name}")) for name in ("x", "cond", "flow1", "flow2"))
        close(layer(*inputs), arrays(case[0]), case[0])


def test_recurrent_refinement(cases, arrays, filled, close):
    """Without weight, with a number, and with a map, eq. (5)."""
    for case in cases(r"rfe_c(\d+)_out_(none|map|f(\d\.\d+))"):
        start = f"rfe_c{case[1]}"
        layer = filled(f"rfe_blur_c{case[1]}", (DeformableRefinement(int(case[1])), importer.RECURRENT, ""))
        flows = Flows(arrays(f"{start}_flows_forward"), arrays(f"{start}_flows_backward"))
        hidden = arrays(f"{start}_hidden")
        weight = (float(case[3] or 1),) if case[2] != "map" else (arrays(f"{start}_weight_map"),)
        close(layer(hidden, flows, *weight), arrays(case[0]), case[0])
        if case[2] == "map":
            for ours, name in zip(
                layer.propagate(hidden, flows, *weight), ("backward", "forward"), strict=True
            ):
                close(ours, arrays(f"{start}_map_{name}_1"), name)


def test_recurrent_refinement_of_the_bicubic_network(cases, arrays, filled, close, tolerances):
    """With its own flow network, on frames that are larger than the features."""
    hidden, frames = arrays("rfe_sr3_hidden_q").float(), arrays("rfe_sr3_lqs")
    flow = SPyNet()
    layer = DeformableRefinement(hidden.shape[2], MAX_OFFSET)
    filled(f"rfe_sr3_c{hidden.shape[2]}", (layer, importer.RECURRENT, ""), (flow, importer.FLOW, "spynet."))
    small = per_frame(lambda x: interpolate(x, hidden.shape[-2:], mode="bilinear", antialias=True), frames)
    flows = flow.window((small + 1) / 2)
    close(flows.forward, arrays("rfe_sr3_flows_forward"), "forward")
    close(flows.backward, arrays("rfe_sr3_flows_backward"), "backward")
    (case,) = cases(r"rfe_sr3_out_f(\d\.\d+)_crop")
    out, crop = layer(hidden, flows, float(case[1])), arrays(case[0])
    margin = (out.shape[-1] - crop.shape[-1]) // 2
    close(out[..., margin:-margin, margin:-margin], crop, "crop")
    norm = arrays("rfe_sr3_out_stats")[-1].item()
    assert out.double().norm().item() == pytest.approx(norm, rel=tolerances("modules")[0])


def test_temporal_attention(cases, arrays, filled, close):
    """The file does not tell the heads: one number of them must give all of it."""
    for case in cases(r"((tattn_\w+_c(\d+)_n(\d+))_t\d+)_out"):
        channels, window, x = int(case[3]), int(case[4]), arrays(f"{case[1]}_x")
        off = [
            (filled(case[2], (layer, importer.TEMPORAL_ATTENTION, ""))(x) - arrays(case[0])).abs().max()
            for layer in (
                TemporalAttention(channels, window, channels // heads)
                for heads in range(1, channels + 1)
                if channels % heads == 0
            )
        ]
        close(min(off), 0, case[0])
        times = cos_sin(torch.arange(window) - window // 2, channels)
        middle = window // 2
        close(times[[middle]], arrays(f"{case[1]}_t_mid"), case[1])
        close(times[torch.arange(window) != middle], arrays(f"{case[1]}_t_rest"), case[1])


def test_temporal_attention_in_half_precision(cases, arrays, filled, tolerances):
    """In the mean at the tolerance. A value on the edge between two halves may fall to the other side, in whatever
    order it was summed up; how far that goes shows when x changes by its last bit.
    """
    for case in cases(r"((tattn_\w+_c(\d+)_n(\d+))_t\d+)_out_f16attn"):
        channels, window, x = int(case[3]), int(case[4]), arrays(f"{case[1]}_x")
        tried = []
        for heads in (heads for heads in range(1, channels + 1) if channels % heads == 0):
            layer = TemporalAttention(channels, window, channels // heads, half=True)
            layer = filled(case[2], (layer, importer.TEMPORAL_ATTENTION, ""))
            tried.append(((layer(x) - arrays(case[0])).abs(), layer))
        off, layer = min(tried, key=lambda one: float(one[0].mean()))
        last_bit = torch.finfo(x.dtype).eps * torch.rand(8, *x.shape[1:], generator=torch.manual_seed(0))
        moved = torch.stack([layer(x * (1 + some)) - layer(x) for some in last_bit.split(1)]).abs()
        assert off.mean() < tolerances("modules")[0], case[0]
        assert off.max() < tolerances("modules")[0] + 2 * moved.max(), case[0]


def residual(modules, module, **options):
    """An empty block of the shape that a manifest tells."""
    keys = {key.removeprefix("wrapped_module."): shape for key, (shape, *_) in modules[module].items()}
    sr3 = "block1.block.3.wrapped_module.weight" in keys
    names = importer.SR3_RESIDUAL if sr3 else importer.RESIDUAL
    channels, channels_in, *kernel = keys[f"{names['conv1']}.weight"]
    out, embedding = keys[f"{names['embed']}.weight"]
    options["conditioning"] = "shift" if out == channels else "scale-shift"
    return ResidualBlock(channels_in, channels, embedding, kernel=tuple(kernel), **options), names


def test_residual_blocks(cases, arrays, modules, filled, close):
    for case in cases(r"((res[23]d)_(sr3|blur)\w*)_out"):
        (module,) = (name for name in modules if name.startswith(case[1]))
        x, out = arrays("res3d_sr3_x"), arrays(case[0])
        if case[1].startswith("res2d_blur"):
            x = x[..., : arrays("res2d_blur_same_out").shape[-2], :]
        groups = re.search(r"_g(\d+)", module)
        resize = {1: None, 2: "up"}.get(out.shape[-1] // x.shape[-1], "down")
        layer, names = residual(
            modules, module, resize=resize, **({"groups": int(groups[1])} if groups else {})
        )
        filled(module, (layer, names, ""))
        emb = arrays("res3d_sr3_emb")
        emb = emb if names is importer.SR3_RESIDUAL else silu(emb)
        close(layer(x, emb[None, : x.shape[1]]), out, case[0])


def test_gate(arrays, modules, filled, close):
    (module,) = (name for name in modules if name.startswith("gate_sr3"))
    layer, names = residual(modules, module)
    gate = Gate(*reversed(modules[module]["emb_layers.1.weight"][0]))
    filled(module, (layer, names, "wrapped_module."), (gate, GATE, ""))
    x, emb = arrays("res3d_sr3_x"), silu(arrays("res3d_sr3_emb"))[None]
    close(gate.weigh(emb)[0], arrays("gate_sr3_weight"), "weight")
    close(gate(x, layer(x, emb), emb), arrays("gate_sr3_out"), "out")


def test_spatial_attention(arrays, cases, modules, filled, close):
    for module in (name for name in modules if name.startswith("sattn_blur")):
        channels, head = (int(n) for n in re.search(r"_c(\d+)_h(\d+)", module).groups())
        layer = filled(module, (SpatialAttention(channels, head), importer.ATTENTION, ""))
        close(layer(arrays("sattn_blur_x"), torch.empty(0)), arrays("sattn_blur_out"), module)


def test_middle_attention(arrays, modules, filled, close, manifest):
    head = manifest("gaussian")["config"]["num_head_channels"]
    (module,) = (name for name in modules if name.startswith("sattn_mid"))
    x, emb = arrays("sattn_mid_x"), arrays("sattn_mid_emb")
    layer = SpatialAttention(x.shape[2], head, emb.shape[-1])
    filled(module, (layer, importer.ATTENTION, ""))
    close(layer(x, silu(emb)[None]), arrays("sattn_mid_out"), module)


def test_embeddings(arrays, cases, close):
    for case in cases(r"posenc_d(\d+)"):
        close(sin_cos(arrays("posenc_noise_level"), int(case[1])), arrays(case[0]), case[0])
    for case in cases(r"temb_d(\d+)"):
        close(cos_sin(arrays("temb_t"), int(case[1])), arrays(case[0]), case[0])
