"""Crop and paste of the released program's unaligned mode, against its own numbers."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from flair_core.faces import released


@pytest.fixture(scope="module")
def golden(load_npz):
    return load_npz("facehelper")


@pytest.fixture(scope="module")
def frames(golden, fill):
    name, shape = re.match(r"smooth_video\('(\w+)', \(([\d,]+)\)", str(golden["fh_input_recipe"])).groups()
    return torch.from_numpy(fill.smooth_video(name, tuple(map(int, shape.split(",")))))


@pytest.fixture(scope="module")
def labels(golden):
    """The label map from its recipe: rules "condition -> label", of which the later ones win."""
    stored = golden["fh_labels_stride2"]
    y, x = np.mgrid[: 2 * stored.shape[0], : 2 * stored.shape[1]]
    made = np.zeros(x.shape, np.uint8)
    recipe = re.sub(r" \(later.*", "", str(golden["fh_label_recipe"]))
    for condition, label in (rule.split(" -> ") for rule in recipe.split("; ")[1:]):
        formula = re.sub(r"\|(.*?)\|", r"abs(\1)", condition.removeprefix("ellipse ").replace("^", "**"))
        made[np.all([holds(clause, x, y) for clause in formula.split(" & ")], axis=0)] = int(label)
    np.testing.assert_array_equal(made[::2, ::2], stored)
    return made


def holds(clause, x, y):
    """Where a chain of comparisons such as 3<x<5 is true."""
    sides = [eval(side, {"x": x, "y": y, "abs": abs}) for side in re.split("[<>]", clause)]
    signs = [{"<": np.less, ">": np.greater}[sign] for sign in re.findall("[<>]", clause)]
    return np.all([sign(*pair) for sign, pair in zip(signs, pairwise(sides), strict=True)], axis=0)


@pytest.fixture(scope="module")
def close(golden, tolerances):
    largest, mean = tolerances("facehelper")

    def check(found: torch.Tensor, name: str) -> None:
        stride = found.shape[-1] // golden[f"{name}_stride"].shape[-1]
        half = golden[f"{name}_crop"].shape[-1] // 2
        middle = slice(found.shape[-1] // 2 - half, found.shape[-1] // 2 + half)
        for part, key in ((found[..., ::stride, ::stride], "stride"), (found[..., middle, middle], "crop")):
            difference = np.abs(part.numpy() - golden[f"{name}_{key}"])
            assert difference.max() < largest
            assert difference.mean() < mean
        values = found.double()
        norm = values.square().sum().sqrt()
        stats = [values.mean(), values.std(), values.min(), values.max(), norm]
        np.testing.assert_allclose(np.array(stats), golden[f"{name}_stats"], atol=largest, rtol=mean)

    return check


def test_matrices_are_the_least_median_fit(golden, tolerances):
    found = [released.affine(landmarks) for landmarks in golden["fh_landmarks"]]
    np.testing.assert_allclose(found, golden["fh_affine"], atol=tolerances("facehelper")[1])


def test_crop_and_paste(golden, frames, labels, close):
    matrices = golden["fh_affine"]
    faces = released.cut_out(frames, matrices)
    close(faces, "fh_crop")
    masks = released.mask(np.stack([labels] * len(frames)))
    restored = 0.8 * faces + 0.1
    inside, m = released.in_frames(restored, masks, matrices, (frames.shape[-2], frames.shape[-1]))
    close(inside, "fh_inv_face")
    close(m, "fh_inv_mask")
    close(released.put_back(frames, restored, matrices, masks), "fh_composite")
