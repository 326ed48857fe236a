"""Restorers, parsers, detector and interpolation against the released code's answers, on filled weights.

RestoreFormer, RestoreFormer++, VQFR and AMT are our own; for the others this shows that the libraries, called
as ours call them, are the networks that the released program uses.
"""

from __future__ import annotations

import ast
import re
import warnings
from functools import partial

import numpy as np
import pytest
import torch

from flair_core.enhancers import adapters
from flair_core.enhancers.checkpoint import build
from flair_core.enhancers.restoreformer import RestoreFormer, released_keys
from flair_core.enhancers.vqfr import VQFR
from flair_core.interpolation.amt import AMT
from flair_core.interpolation.base import times


@pytest.fixture(autouse=True, scope="module")
def recommended(golden_dir, tolerances):
    """STRIDED · max on float32 samples, HALF on float16 crops; a gap below TIE may tip over.

    STRIDED also bounds the detector's answers, which are of the order of 1; times the image's side on pixels.
    """
    global STRIDED, HALF, TIE
    STRIDED, HALF = tolerances("restorers_*")[:2]
    TIE = float(re.search(r"gap below (\d+e-\d+)", (golden_dir / "GOLDEN.md").read_text(encoding="utf-8"))[1])


@pytest.fixture(scope="module")
def read(load_npz, fill):
    """`read(file)`: its arrays and its input image as the recipe in it makes it."""

    def load(name):
        arrays = load_npz(name)
        kind, image, shape = re.fullmatch(
            r"(\w+)\((.+?), (\(.+\)), salt\)", str(arrays["input_recipe"])
        ).groups()
        faces = getattr(fill, kind)(ast.literal_eval(image), ast.literal_eval(shape))
        check(torch.from_numpy(faces), arrays, next(iter(cases(arrays, r"x\d+(?=_stride)"))))
        return arrays, torch.from_numpy(faces)

    return load


@pytest.fixture(scope="module")
def weights(manifest, fill):
    """`weights(manifest)`: a state dict filled by key and shape."""
    return lambda name: fill.fill_state_dict(
        {key: shape for key, (shape, *_) in manifest(name)["keys"].items()}
    )


def close(found, wanted, bound, what):
    assert found.shape == wanted.shape, what
    off = np.abs(np.asarray(found, dtype=np.float64) - wanted)
    assert (off <= bound).all(), f"{what} differs by {off.max():.2e}; allowed is {np.max(bound):.2e}"


def check(found, arrays, case):
    """Compare images or maps with what is kept of them: every n-th row and column, the centre, statistics."""
    found = found.numpy()
    largest = np.abs(found).max()
    names = [
        name
        for name in arrays.files
        if re.fullmatch(rf"{re.escape(case)}(_out)?_(stride\d*|crop|stats)", name)
    ]
    assert names, case
    for name in names:
        kept = arrays[name]
        if "_stride" in name:
            step = found.shape[-1] // kept.shape[-1]
            close(found[..., ::step, ::step], kept, STRIDED * largest, name)
        elif name.endswith("_crop"):
            top, left = ((a - b) // 2 for a, b in zip(found.shape[-2:], kept.shape[-2:], strict=True))
            centre = found[..., top : top + kept.shape[-2], left : left + kept.shape[-1]]
            close(centre, kept, max(HALF, np.spacing(np.float16(largest))), name)
        else:
            close(statistics(found), kept, STRIDED * np.array([largest] * 4 + [kept[-1]]), name)


def statistics(values):
    values = np.asarray(values, dtype=np.float64)
    return np.array([values.mean(), values.std(), values.min(), values.max(), np.linalg.norm(values)])


def cases(arrays, pattern):
    found = [match[0] for name in arrays.files if (match := re.match(pattern, name))]
    assert found, f"no case {pattern}"
    return dict.fromkeys(found)


@torch.inference_mode()
def restored(network, faces, layer, *options):
    """The network's answer, and what a layer inside it said on the way."""
    said = []
    handle = network.get_submodule(layer).register_forward_hook(lambda *call: said.append(call[-1]))
    answer = network(faces, *options)
    handle.remove()
    return answer, said[-1]


@pytest.fixture(scope="module")
def restoreformer(weights, manifest):
    """`restoreformer(keys, image)`: the network of a manifest, its answer and what it looked up; run once."""
    done = {}

    def run(keys, faces):
        names = sorted(manifest(keys)["keys"])
        levels = {name.split(".")[2] for name in names if re.match(r"decoder\.up\.\d+\.attn", name)}
        asked = (keys, faces.numpy().tobytes())
        if asked not in done:
            make = partial(RestoreFormer, multi_scale=len(levels) > 1)
            network = build(make, weights(keys), keys, released_keys)
            assert sorted(released_keys(network).values()) == names
            done[asked] = (network, *restored(network, faces, "quant_conv"))
        return done[asked]

    return run


@pytest.mark.parametrize("file", ["restorers_restoreformer", "restorers_rfpp"])
def test_restoreformer(file, read, restoreformer):
    arrays, faces = read(file)
    for name in cases(arrays, r"restoreformer_.+(?=_stride\d*$)"):
        keys = "restoreformer_pp_repo_default" if name == "restoreformer_pp_own_repo" else name
        network, answer, z = restoreformer(keys, faces)
        check(answer, arrays, name)
        if f"{name}_code_index" in arrays:
            wanted = arrays[f"{name}_pre_quant"]
            close(z.numpy(), wanted, STRIDED * np.abs(wanted).max(), f"{name}_pre_quant")
            index = network.quantize.nearest(z)
            same = index.numpy().ravel() == arrays[f"{name}_code_index"].ravel()
            assert same[arrays[f"{name}_top2_dist_gap"].ravel() > TIE].all()
            loss = 1.25 * (network.quantize(index) - z).square().mean()  # theirs: 1 + β
            close(loss.numpy(), arrays[f"{name}_codebook_loss"], STRIDED, f"{name}_codebook_loss")


def test_vqfr(read, weights, manifest):
    arrays, faces = read("restorers_vqfr")
    settings = manifest("vqfr_v2")["config"]
    network = build(
        lambda: VQFR(
            [settings["base_channels"] * factor for factor in settings["channel_multipliers"]],
            encoder_blocks=settings["num_enc_blocks"],
            decoder_blocks=settings["num_dec_blocks"],
            code_channels=settings["code_dim"],
            guide_channels=settings["align_opt"]["cond_channels"],
            groups=settings["align_opt"]["deformable_groups"],
        ),
        weights("vqfr_v2"),
        "vqfr_v2",
    )
    for name in cases(arrays, r"vqfr_f([\d.]+)_main(?=_stride)"):
        answer, logits = restored(network, faces, "feat2index", float(re.search(r"f([\d.]+)", name[1:])[1]))
        check(answer, arrays, name)
        if name == "vqfr_f0.0_main":
            check(answer, arrays, "vqfr_texture")
    same = logits.argmax(-1).numpy().reshape(arrays["vqfr_code_index"].shape) == arrays["vqfr_code_index"]
    assert same[arrays["vqfr_top2_logit_gap"] > TIE].all()


def test_amt(load_npz, weights, manifest):
    arrays = load_npz("restorers_amt")
    settings = {key: value for key, value in manifest("amt")["config"].items() if key != "variant"}
    network = build(lambda: AMT(**settings), weights("amt"), "amt")
    for name in cases(arrays, r"amt_.+(?=_frames$)"):
        before, after = torch.from_numpy(arrays[f"{name}_frames"]).unbind(1)
        (kept,) = cases(arrays, rf"{name}_out_stride\d+$")
        with torch.inference_mode():
            check(network(before, after, times(arrays[kept].shape[1] + 1)), arrays, name)


def test_codeformer(read, weights):
    pytest.importorskip("spandrel_extra_arches", reason="spandrel-extra-arches is absent")
    arrays, faces = read("restorers_codeformer")
    network = adapters.codeformer(weights("codeformer"), "codeformer", torch.device("cpu"))
    said = []
    network.args[0].register_forward_hook(lambda *call: said.append(call[-1]))
    for name in cases(
        arrays, r"codeformer_w([\d.]+)_adain1(?=_stride)"
    ):  # the library, like the script, has adain on
        with torch.inference_mode():
            check(network(faces, float(re.search(r"w([\d.]+)", name)[1])), arrays, name)
    logits = said[-1][1]
    first = logits[:, : arrays["codeformer_logits_first4tok"].shape[1]]
    close(first.numpy(), arrays["codeformer_logits_first4tok"], STRIDED * float(first.abs().max()), "logits")
    same = logits.argmax(-1).numpy() == arrays["codeformer_code_index"]
    assert same[arrays["codeformer_top2_logit_gap"] > TIE].all()


def test_restoreformer_through_spandrel_is_ours_with_eight_heads(read, weights):
    """The recorded single-scale run has four heads, which the library can't; so compare the two of ours."""
    _, faces = read("restorers_restoreformer")
    small, keys = faces[..., :96, :64], "restoreformer_v1_arch"
    theirs = adapters.restoreformer(weights(keys), keys, torch.device("cpu"))
    ours = build(lambda: RestoreFormer(multi_scale=False, heads=8), weights(keys), keys, released_keys)
    with torch.inference_mode():
        wanted = theirs(small).numpy()
        close(ours(small).numpy(), wanted, STRIDED * np.abs(wanted).max(), keys)


def test_parsenet(read, weights):
    parsing = pytest.importorskip("facexlib.parsing", reason="facexlib is absent")
    arrays, faces = read("restorers_parse")
    side, classes = faces.shape[-1], arrays["parsenet_mask_stride"].shape[1]
    network = parsing.ParseNet(in_size=side, out_size=side, parsing_ch=classes).eval()
    network.load_state_dict(weights("parsenet"))
    with torch.inference_mode():
        mask, image = network(faces)
    check(mask, arrays, "parsenet_mask")
    check(image, arrays, "parsenet_img")
    (kept,) = cases(arrays, r"parsenet_argmax_stride\d+$")
    step = side // arrays[kept].shape[-1]
    same = mask.argmax(1)[..., ::step, ::step].numpy() == arrays[kept]
    assert same[arrays[kept.replace("argmax", "argmax_gap")] > TIE].all()
    for name in cases(arrays, r"parsenet_x\d+$"):
        with torch.inference_mode():
            check(network(torch.from_numpy(arrays[name]))[0], arrays, f"{name}_mask")


@pytest.mark.parametrize("keys", ["bisenet_facelib", "bisenet_root_file"])
def test_bisenet(keys, load_npz, weights):
    parsing = pytest.importorskip("facexlib.parsing", reason="facexlib is absent")
    arrays = load_npz("restorers_parse")
    network = parsing.BiSeNet(num_class=len(weights(keys)["conv_out.conv_out.weight"])).eval()
    network.load_state_dict(weights(keys))
    with torch.inference_mode():
        outs = network(torch.from_numpy(arrays["bisenet_x"]))
    names = (
        ("bisenet_out", "bisenet_out16", "bisenet_out32")
        if keys == "bisenet_facelib"
        else ("bisenet_root_out",)
    )
    for name, out in zip(names, outs, strict=False):
        check(out, arrays, name)


@pytest.fixture(scope="module")
def detector(weights):
    retinaface = pytest.importorskip("facexlib.detection.retinaface", reason="facexlib is absent")
    with warnings.catch_warnings(action="ignore"):  # its way of asking torchvision for a network is old
        network = retinaface.RetinaFace(network_name="resnet50", device="cpu")
    network.load_state_dict(weights("retinaface_resnet50"))
    return network


def test_retinaface(detector, load_npz, fill):
    from facexlib.detection.retinaface_utils import PriorBox, batched_decode, batched_decode_landm

    arrays = load_npz("restorers_retina")
    for name in cases(arrays, r"retina_\d+x\d+(?=_n_priors)"):
        size = height, width = tuple(int(side) for side in re.findall(r"\d+", name))
        image = fill.smooth_video(f"ret{height}x{width}", (1, 3, *size)) * 127.5 + np.float32(127.5)
        if f"{name}_x" in arrays:
            close(image, arrays[f"{name}_x"], 0, f"{name}_x")
        with torch.inference_mode():
            heads = detector(torch.from_numpy(image) - detector.mean_tensor)
            found = detector.detect_faces(
                image[0].transpose(1, 2, 0), float(arrays[f"{name}_detect_threshold"])
            )
        priors = PriorBox(detector.cfg, image_size=size).forward()
        assert len(priors) == arrays[f"{name}_n_priors"]
        span = torch.tensor([width, height] * 5, dtype=torch.float32)
        decoded = {
            "loc": heads[0],
            "conf": heads[1],
            "landm": heads[2],
            "boxes_px": batched_decode(heads[0], priors[None], detector.cfg["variance"]) * span[:4],
            "landm_px": batched_decode_landm(heads[2], priors[None], detector.cfg["variance"]) * span,
            "priors": priors[None],
        }
        for part, values in decoded.items():
            bound = STRIDED * (max(size) if part.endswith("_px") else 1)
            if f"{name}_{part}_stats" in arrays:
                close(statistics(values), arrays[f"{name}_{part}_stats"], STRIDED * len(priors), part)
            for kept in {f"{name}_{part}", f"{name}_{part}_every16"} & set(arrays.files):
                few = np.atleast_3d(arrays[kept].T).T
                close(values[:, :: values.shape[1] // few.shape[1]].numpy(), few, bound, kept)
        assert len(found) == arrays[f"{name}_detections_n"]
        first = arrays[f"{name}_detections_first32"]
        close(found[: len(first)], first, STRIDED * max(size), f"{name}_detections")


def test_suppression_of_overlapping_boxes(load_npz):
    utils = pytest.importorskip("facexlib.detection.retinaface_utils", reason="facexlib is absent")
    arrays = load_npz("restorers_retina")
    for name in cases(arrays, r"nms_keep_.+"):
        keep = utils.py_cpu_nms(arrays["nms_dets"], float(name.removeprefix("nms_keep_")))
        np.testing.assert_array_equal(keep, arrays[name])


@pytest.mark.parametrize("factor", range(1, 17))
def test_moments_are_the_released_ones_without_the_one_that_gives_nan(factor):
    step = np.float32(1 / factor)
    released = np.arange(step, np.float32(1), step)
    np.testing.assert_allclose(times(factor), released[: factor - 1], atol=1e-6)
