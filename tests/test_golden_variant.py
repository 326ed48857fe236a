"""The golden tests read all from their folder: one with another salt, other sizes, cases and settings passes, too.

Schedules, JPEG and the bicubic operator of that folder come from plain formulas of their own, written down here from
the index (JPEG's tables from Pillow). Networks of another shape and salt are recorded by our own code: there only the
reading is tested. The recorded sampler loses cases, and the others get new names.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import test_unets as unets
from PIL import Image
from scipy.fft import dctn, idctn

from flair_core.denoisers import importer

ROOT = Path(__file__).parents[1]
SALT = "another"
QUALITIES = (25, 75, 90)
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
CONFIGS = {
    "unet_bicubic": {
        "inner_channel": 32,
        "out_channel": 3,
        "norm_groups": 8,
        "channel_mults": [1, 3],
        "attn_res": [32],
        "vsrpp_res": [64],
        "res_blocks": 1,
        "image_size": 64,
        "num_frames": 3,
        "head_dim": 16,
    },
    "unet_blur": {
        "model_channels": 64,
        "out_channels": 6,
        "channel_mult": [1, 2],
        "num_res_blocks": 1,
        "attention_resolutions": [2],
        "rnn_resolutions": [1],
        "num_head_channels": 32,
    },
}


def schedules():
    """Eq. (1) and the released w and gamma, as the index words them."""
    arrays = {}
    for name, length, first, last in (("face_bicubic", 2000, 1e-6, 1e-2), ("face_blur", 1000, 1e-4, 2e-2)):
        beta = np.linspace(first, last, length)
        alpha_bar = arrays[f"{name}_alphas_cumprod"] = np.cumprod(1 - beta)
        arrays[f"{name}_betas"] = beta
        for steps in (2, 37, 1000):
            at, kept = 0.0, []
            for _ in range(steps):
                kept.append(round(at))
                at += (length - 1) / (steps - 1)
            some = alpha_bar[kept]
            prefix = f"{name}_K{steps}_"
            arrays[prefix + "timestep_map"] = np.array(kept)
            arrays[prefix + "alphas_cumprod"] = some
            arrays[prefix + "betas"] = 1 - some / np.array([1.0, *some[:-1]])
            arrays[prefix + "net_noise_level"] = np.sqrt(some).astype(np.float32)
    rows = [(37, 4, 0.6, -1), (37, 0, 0.25, 20), (2, 1, 0.5, -1)]
    arrays["ws_params_K_tau_w_tstart"] = np.array(rows, np.float32)
    for row, (steps, tau, w, t_start) in enumerate(rows):
        top, ws = (steps - 1 if t_start < 0 else t_start), np.full(steps, np.nan)
        for t in range(top + 1):
            u = (t - tau) / (top - tau) if top > tau else 0.0
            share = (math.exp(-u) - math.exp(-1)) / (1 - math.exp(-1))
            ws[t] = 1 - (1 - w) * share if t >= tau or top <= tau else 1
        arrays[f"ws_{row}"] = ws.astype(np.float32)
    rows = [(37, 1.0, 5.1), (37, -1.0, 5.1), (1000, 1.0, 20.0)]
    arrays["gamma_params_K_zeta_noise"] = np.array(rows, np.float32)
    arrays["gamma_schedule_name"] = np.array(["face_blur", "face_bicubic", "face_blur"])
    for row, (steps, zeta, noise) in enumerate(rows):
        some = arrays[f"{arrays['gamma_schedule_name'][row]}_K{steps}_alphas_cumprod"]
        v = zeta * noise**2 * some / (1 - some)
        v = np.where(v >= 1, 0.991, np.where(v <= 0.1, 1e-6, v))
        arrays[f"gamma_{row}"] = (1 - v if zeta >= 0 else np.ones(steps)).astype(np.float32)
    return arrays


def blockwise(transform, planes, table):
    """A transform of each block of 8 × 8, in place."""
    result = np.empty(planes.shape)
    for top in range(0, planes.shape[-2], 8):
        for left in range(0, planes.shape[-1], 8):
            here = (..., slice(top, top + 8), slice(left, left + 8))
            result[here] = transform(planes[here], table)
    return result


def jpeg(fill):
    """Eq. (10): E and D by SciPy's cosine transform and Pillow's tables."""
    arrays = {}
    for quality in QUALITIES:
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "JPEG", quality=quality)
        tables = [np.reshape(t, (8, 8)).astype(np.float64) for t in Image.open(file).quantization.values()]
        for name, table in zip(("luma", "chroma"), tables, strict=True):
            arrays[f"q{quality}_{name}_table"] = table.astype(np.float32)
        for side in (32, 80):
            x = arrays[f"x{side}"] = fill.smooth_video(f"variant{side}", (1, 3, side, side))
            planes = np.einsum("ij,njhw->nihw", YCBCR, (x + 1.0) * 127.5)
            coded = {}
            for name, part, table in zip(
                ("luma", "chroma"), (planes[:, :1] - 128, planes[:, 1:, ::2, ::2]), tables, strict=True
            ):
                coded[name] = blockwise(
                    lambda block, q: np.rint(dctn(block, axes=(-2, -1), norm="ortho") / q), part, table
                )
                arrays[f"enc_{name}_s{side}_q{quality}"] = coded[name].astype(np.int16)
            luma, chroma = (
                blockwise(lambda block, q: idctn(block * q, axes=(-2, -1), norm="ortho"), coded[name], table)
                for name, table in zip(("luma", "chroma"), tables, strict=True)
            )
            back = np.concatenate([luma + 128, np.kron(chroma, np.ones((2, 2)))], 1)
            levels = np.einsum("ij,njhw->nihw", np.linalg.inv(YCBCR), back)
            arrays[f"dec_s{side}_q{quality}"] = (levels / 127.5 - 1).astype(np.float32)
            arrays[f"reenc_mismatch_s{side}_q{quality}"] = np.zeros(1, np.int64)
    return arrays


def cubic_taps(scale):
    """The kernel of quirk 24."""
    at = np.abs((np.arange(4 * scale) - 2 * scale + 0.5) / scale)
    near, far = 1.5 * at**3 - 2.5 * at**2 + 1, -0.5 * at**3 + 2.5 * at**2 - 4 * at + 2
    taps = np.where(at < 1, near, np.where(at < 2, far, 0))
    return taps / taps.sum()


def operators(fill, recorded):
    """The bicubic operator as a dense matrix and its pseudo-inverse; the blur operators as they were recorded."""
    arrays = {name: recorded[name] for name in recorded if not name.startswith(("srconv", "f_kernel"))}
    for scale, side in ((2, 64), (4, 96), (8, 96)):
        taps = cubic_taps(scale)
        H = np.zeros((side // scale, side))
        for row in range(side // scale):
            for tap, weight in enumerate(taps):
                column = row * scale + scale // 2 - 2 * scale + tap
                column = -column - 1 if column < 0 else column
                H[row, 2 * side - 1 - column if column >= side else column] += weight
        inverse, prefix = np.linalg.pinv(H), f"srconv_x{scale}_d{side}_"
        x = fill.fill_array(f"op{side}", (1, 3, side, side), 0.5).clip(-1, 1).astype(np.float64)
        y = fill.smooth_video(f"variant{side}", (1, 3, side // scale, side // scale)).astype(np.float64)
        found = {
            "y": y,
            "Ax": H @ x @ H.T,
            "pinv_y": inverse @ y @ inverse.T,
            "dc": x - inverse @ (H @ x @ H.T - y) @ inverse.T,
            "singulars": np.linalg.svd(H, compute_uv=False),
        }
        arrays[f"f_kernel_x{scale}"] = taps.astype(np.float32)
        arrays |= {prefix + name: value.astype(np.float32) for name, value in found.items()}
        arrays[prefix + "n_zeroed"] = np.array(0)
    return arrays


def renamed(recorded):
    """The recorded sampler: every second case, under another name."""
    cases = json.loads(str(recorded["cases_json"]))
    names = [case["name"] for case in cases]
    kept = {case["name"]: f"case{at}" for at, case in enumerate(cases) if at % 2 == 0}
    arrays = {}
    for name in recorded:
        owner = max((case for case in names if name.startswith(f"{case}_")), key=len, default=None)
        if owner is None:
            arrays[name] = recorded[name]
        elif owner in kept:
            arrays[kept[owner] + name.removeprefix(owner)] = recorded[name]
    chosen = [{**case, "name": kept[case["name"]]} for case in cases if case["name"] in kept]
    return arrays | {"cases_json": np.array(json.dumps(chosen))}


@torch.inference_mode()
def network(fill, config):
    """A manifest of another network, and what our own code makes of it."""
    empty = unets.empty(config)
    keys = importer.released_keys(empty)
    shapes = {
        theirs: list(empty.state_dict()[ours].shape) for ours, names in keys.items() for theirs in names
    }
    entry = {
        "config": config,
        "keys": {key: [shape, "torch.float32", "theta"] for key, shape in shapes.items()},
    }
    state = importer.convert(fill.fill_state_dict(shapes), empty, "variant")
    empty.load_state_dict(state, assign=True)
    arrays = {
        "v_x": fill.fill_array("v_x", (2, 3, 64, 64)),
        "v_low_res_input": fill.smooth_video("v", (1, 2, 3, 64, 64)),
    }
    cases = []
    for name, cross_frame, weight in (("one", True, 0.8), ("two", False, 1.0)):
        level, step = np.full(2, 0.4, np.float32), np.full(2, 321)
        arrays[f"{name}_timesteps"] = level if "num_frames" in config else step
        out = unets.run(empty.eval(), arrays, "v", name, weight=weight, cross_frame=cross_frame).numpy()
        arrays |= {f"{name}_out": out, f"{name}_stats": unets.statistics(out)}
        case = {"name": name, "cfg": "Z", "inp": "v", "N": 2, "s": 64, "cf": cross_frame, "w": weight}
        cases.append({**case, "hooks": False})
    return {"Z": entry}, arrays | {"cases_json": np.array(json.dumps(cases))}


@pytest.fixture(scope="module")
def variant(tmp_path_factory):
    """The other folder."""
    default = ROOT / ".." / "shared" / "golden"
    recorded = Path(os.environ.get("FLAIR_GOLDEN", default)).resolve()
    if not (recorded / "fill.py").is_file():
        pytest.skip(f"no golden vectors in {recorded}; set FLAIR_GOLDEN to their folder")
    folder = tmp_path_factory.mktemp("golden")
    for name in ("fill.py", "GOLDEN.md"):
        shutil.copyfile(recorded / name, folder / name)
    (folder / "fill.json").write_text(json.dumps({"salt": SALT}))
    spec = importlib.util.spec_from_file_location("variant_fill", folder / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    assert fill.SALT == SALT
    (folder / "manifests").mkdir()
    networks = {}
    for name, config in CONFIGS.items():
        manifest, networks[name] = network(fill, config)
        (folder / "manifests" / f"{name}.json").write_text(json.dumps(manifest))
    for name, found in {
        "schedules": schedules(),
        "jpeg": jpeg(fill),
        "operators": operators(fill, dict(np.load(recorded / "operators.npz"))),
        "sampler": renamed(dict(np.load(recorded / "sampler.npz"))),
        **networks,
    }.items():
        np.savez(folder / f"{name}.npz", **found)
    return folder


def verdict(folder, *names):
    """What the golden tests say of a folder, and whether they pass."""
    files = [f"tests/golden/test_{name}.py" for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *files]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"FLAIR_GOLDEN": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode == 0, run.stdout


def test_another_folder_passes(variant):
    passed, said = verdict(variant, "schedules", "jpeg", "operators", "sampler", "unets")
    assert passed, said
    skipped = re.findall(r"^SKIPPED .*", said, re.MULTILINE)
    assert all("is missing" in line for line in skipped), said
    assert not [line for line in skipped if re.search("test_(schedules|jpeg|operators|sampler)", line)], said


def test_a_wrong_number_in_it_is_noticed(variant, tmp_path):
    folder = tmp_path / "wrong"
    shutil.copytree(variant, folder)
    arrays = dict(np.load(folder / "jpeg.npz"))
    arrays[f"dec_s32_q{QUALITIES[0]}"][0, 0, 0, 0] += 1e-3
    np.savez(folder / "jpeg.npz", **arrays)
    passed, said = verdict(folder, "jpeg")
    assert not passed
    assert "def test_decoding" in said
