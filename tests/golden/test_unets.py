"""Both released networks: reduced ones in every recorded case, full-size ones by key list and at 128×128."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch

from flair_core import importing
from flair_core.checkpoints import catalogue
from flair_core.denoisers import importer
from flair_core.denoisers.factory import load_denoiser
from flair_core.denoisers.released import NETWORKS, ReleasedBicubic, ReleasedDeblurring
from flair_core.denoisers.released_bicubic import BicubicNetwork
from flair_core.denoisers.released_blur import BlurNetwork
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.denoisers.temporal import TemporalAttention
from flair_core.denoisers.unet import UNetConfig

BLUR_WINDOW = BlurNetwork.__init__.__defaults__[0].window
"""Not among the recorded settings: the released blur network has it in its code."""


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def bicubic_config(recorded):
    """Our settings from the released network's."""
    sizes = [recorded["image_size"] >> i for i in range(len(recorded["channel_mults"]))]
    return UNetConfig(
        channels=tuple(int(recorded["inner_channel"] * m) for m in recorded["channel_mults"]),
        blocks=recorded["res_blocks"],
        embedding=recorded["inner_channel"],
        out_channels=recorded["out_channel"],
        attention=tuple(i for i, size in enumerate(sizes) if size in recorded["attn_res"]),
        recurrent=tuple(i for i, size in enumerate(sizes) if size in recorded["vsrpp_res"]),
        window=recorded["num_frames"],
        head_channels=recorded["head_dim"],
        groups=recorded["norm_groups"],
    )


def blur_config(recorded):
    """Our settings from the released network's."""
    factors = [2**i for i in range(len(recorded["channel_mult"]))]
    return UNetConfig(
        channels=tuple(int(recorded["model_channels"] * m) for m in recorded["channel_mult"]),
        blocks=recorded["num_res_blocks"],
        embedding=4 * recorded["model_channels"],
        out_channels=recorded["out_channels"],
        attention=tuple(i for i, factor in enumerate(factors) if factor in recorded["attention_resolutions"]),
        recurrent=tuple(i for i, factor in enumerate(factors) if factor in recorded["rnn_resolutions"]),
        window=BLUR_WINDOW,
        head_channels=recorded["num_head_channels"],
    )


def empty(recorded, *, half=False):
    """The network of a recorded configuration, on no device yet; half: its attention rounds as published."""
    bicubic = "channel_mults" in recorded
    config = replace(bicubic_config(recorded) if bicubic else blur_config(recorded), half_attention=half)
    with torch.device("meta"):
        return BicubicNetwork(config) if bicubic else BlurNetwork(config)


@pytest.fixture(scope="module")
def filled(fill):
    """`filled(entry)`: the network of a manifest, its weights imported like a released checkpoint's."""

    def load(entry, **options):
        network = empty(entry["config"], **options)
        released = fill.fill_state_dict({key: shape for key, (shape, *_) in entry["keys"].items()})
        network.load_state_dict(importer.convert(released, network, "filled"), assign=True)
        return network.eval()

    return load


class Watch:
    """Keeps the outputs of modules while a network runs."""

    def __init__(self, modules):
        self.seen = {}
        self.handles = [
            module.register_forward_hook(lambda *call, name=name: self.seen.update({name: call[-1]}))
            for name, module in modules.items()
        ]

    def __enter__(self):
        return self.seen

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def statistics(values):
    values = np.asarray(values, dtype=np.float64)
    return np.array([values.mean(), values.std(), values.min(), values.max(), np.linalg.norm(values)])


def check_statistics(ours, theirs, relative, what):
    """Relative to the largest value; the norm to itself."""
    scale = np.array([np.abs(theirs[2:4]).max()] * 4 + [theirs[4]])
    off = np.abs(statistics(ours) - theirs) / scale
    assert (off < relative).all(), f"{what}: {off}"


def subset(values, theirs):
    """What is kept of a feature map, its first channels and perhaps every second place, or of an image."""
    stride = values.shape[-1] // theirs.shape[-1]
    return values[..., : theirs.shape[-3], ::stride, ::stride]


def stages(network):
    """Our stages by the names of the recorded intermediates."""
    return {
        "down_first": network.down[1],
        "down_last": network.down[-1],
        "mid_last": network.middle[-1],
        "up_last": network.up[-1],
        "in_1": network.down[1],
        "in_last": network.down[-1],
        "mid": network.middle[-1],
        "out_last": network.up[-1],
    }


def run(network, golden, start, steps, *, rnn=False, weight=1.0, cross_frame=True):
    """The network's answer to the recorded inputs whose names begin with `start`: (N, C, H, W)."""
    x, c = (torch.from_numpy(golden[f"{start}_{name}"]) for name in ("x", "low_res_input"))
    frames = torch.from_numpy(golden[f"{start}_rnn_input"]) if rnn else c
    flows = network.flows(frames, c.shape[-2:]) if cross_frame else {}
    steps = torch.from_numpy(golden[f"{steps}_timesteps"])[None]
    return network(x[None], c, steps, flows, weight, cross_frame=cross_frame)[0]


@pytest.mark.parametrize("file", ["unet_bicubic", "unet_blur"])
def test_reduced_networks(file, load_npz, manifest, filled, tolerances):
    golden, entries = load_npz(file), manifest(file)
    cases = [case for case in json.loads(str(golden["cases_json"])) if not case.get("f16attn")]
    networks = {name: filled(entries[name]) for name in dict.fromkeys(case["cfg"] for case in cases)}
    atol, relative = tolerances(file)[0], tolerances("unet_bicubic")[1]
    for case in cases:
        name, network = case["name"], networks[case["cfg"]]
        weight = case["w"]
        if weight == "map":
            weight = torch.from_numpy(golden[f"{case['inp']}_vsrpp_weights"])
        with Watch(stages(network)) as seen:
            out = run(
                network,
                golden,
                case["inp"],
                name,
                rnn=case.get("rnn", False),
                weight=weight,
                cross_frame=case["cf"],
            )
        kept = golden[f"{name}_out"]
        np.testing.assert_allclose(subset(out, kept), kept, atol=atol, rtol=0, err_msg=name)
        check_statistics(out, golden[f"{name}_stats"], relative, name)
        recorded = {stage for stage in seen if f"{name}_{stage}" in golden}
        assert case.get("hooks", True) == bool(recorded)
        for stage in recorded:
            kept, what = golden[f"{name}_{stage}"], f"{name} {stage}"
            np.testing.assert_allclose(
                subset(seen[stage], kept), kept, atol=atol * max(1, np.abs(kept).max()), rtol=0, err_msg=what
            )
            check_statistics(seen[stage], golden[f"{name}_{stage}_stats"], relative, what)


@pytest.mark.parametrize("file", ["unet_bicubic", "unet_blur"])
def test_reduced_networks_with_attention_in_half_precision(file, load_npz, manifest, filled):
    """As the released program runs. Its rounding makes steps of last bits, layer by layer: no network comes closer
    than the same one does to itself when the last bit of x changes. Without rounding it stays further away.
    """
    golden, entries = dict(load_npz(file)), manifest(file)
    for case in json.loads(str(golden["cases_json"])):
        if not case.get("f16attn"):
            continue
        network = filled(entries[case["cfg"]], half=True)
        options = {"rnn": case.get("rnn", False), "weight": case["w"], "cross_frame": case["cf"]}
        kept, x = golden[f"{case['name']}_out"], golden[f"{case['inp']}_x"]
        outs = []
        for golden[f"{case['inp']}_x"] in (x, np.nextafter(x, np.float32(np.inf))):
            outs.append(subset(run(network, golden, case["inp"], case["name"], **options), kept).numpy())
        golden[f"{case['inp']}_x"] = x
        off, moved = np.abs(outs[0] - kept), np.abs(outs[1] - outs[0])
        assert off.mean() < 1.2 * moved.mean(), case["name"]
        assert off.max() < 2 * moved.max(), case["name"]


TASKS = {
    "flair-x8": "x8_bicubic",
    "flair-x16": "x16_bicubic",
    "flair-gaussian": "gaussian",
    "flair-jpeg": "jpeg",
}


@pytest.mark.parametrize("name", TASKS)
def test_full_key_lists_and_shapes(name, manifest):
    entry = manifest(TASKS[name])
    network = empty(entry["config"], half=True)
    assert network.config == NETWORKS[name].network_class.__init__.__defaults__[0]
    assert sum(value.numel() for value in network.parameters()) == entry["n_params_unique"]
    keys, values = importer.released_keys(network), network.state_dict()
    shapes = {theirs: list(values[ours].shape) for ours, names in keys.items() for theirs in names}
    assert shapes == {key: shape for key, (shape, *_) in entry["keys"].items()}
    aliases = {other: names[0] for names in keys.values() for other in names[1:]}
    assert aliases == entry["aliases"]


def watched_blocks(network, golden, start):
    """Our module for each block of the released network whose statistics are recorded.

    It is the deepest one that holds all tensors of the block.
    """
    ours = {theirs: key for key, names in importer.released_keys(network).items() for theirs in names}
    ours = {theirs: key for theirs, key in ours.items() if not key.startswith("flow.")}
    found = {}
    for block in (
        match[1] for match in (re.fullmatch(rf"{start}_blk_(.+)_stats", n) for n in golden.files) if match
    ):
        inside = [key for theirs, key in ours.items() if theirs.startswith(f"{block}.")]
        modules = [PurePosixPath(*key.split(".")[:-1]) for key in inside]
        deepest = os.path.commonpath(modules)
        found[block] = network.get_submodule(deepest.replace("/", "."))
    assert found
    return found


@pytest.mark.parametrize("model", ["flair-x8", "flair-gaussian"])
def test_full_size_networks(model, load_npz, manifest, fill, tolerances, tmp_path, monkeypatch):
    """A checkpoint of full size is imported, checked, loaded and run."""
    golden = load_npz("unet_full")
    atol, relative = tolerances("unet_full")[:2]
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path / "models")
    published = tmp_path / catalogue.CHECKPOINTS[model].file
    keys = manifest(TASKS[model])["keys"]
    torch.save(fill.fill_state_dict({key: shape for key, (shape, *_) in keys.items()}), published)
    importing.import_checkpoint(published)
    published.unlink()
    assert importing.verify(model).path
    network = load_denoiser(model, torch.device("cpu")).network
    for layer in network.modules():
        if isinstance(layer, TemporalAttention):
            layer.half_precision = False  # as it was recorded
    start = "bicubic" if isinstance(network, BicubicNetwork) else "blur"
    for name in (n.removesuffix("_timesteps") for n in golden.files if re.match(rf"{start}_.*_timesteps", n)):
        blocks = watched_blocks(network, golden, name)
        with Watch(blocks) as seen:
            out = run(network, golden, name, name, cross_frame="_cf1" in name)
        kept = golden[f"{name}_out_stride2"]
        np.testing.assert_allclose(subset(out, kept), kept, atol=atol, rtol=0, err_msg=name)
        check_statistics(out, golden[f"{name}_out_stats"], relative, name)
        assert seen.keys() == blocks.keys()
        for block, values in seen.items():
            check_statistics(values, golden[f"{name}_blk_{block}_stats"], relative, f"{name} {block}")


@pytest.mark.parametrize(
    ("denoiser", "chain"), [(ReleasedBicubic, "face_bicubic"), (ReleasedDeblurring, "face_blur")]
)
def test_schedules_and_noise_levels(denoiser, chain, load_npz, tolerances):
    golden, (rtol, rtol_level) = load_npz("schedules"), tolerances("schedules")[:2]
    assert isinstance(denoiser.schedule, NoiseSchedule)
    np.testing.assert_allclose(denoiser.schedule.alpha_bar, golden[f"{chain}_alphas_cumprod"], rtol=rtol)
    for name in (n for n in golden.files if re.fullmatch(rf"{chain}_K\d+_net_noise_level", n)):
        steps = golden[name.replace("net_noise_level", "timestep_map")]
        levels = denoiser.schedule.alpha_bar[torch.from_numpy(steps)].sqrt()
        np.testing.assert_allclose(levels, golden[name], rtol=rtol_level)
