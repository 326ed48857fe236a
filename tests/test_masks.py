"""Masks as the settings want them, with a parser that knows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from flair_core.faces.align import template
from flair_core.faces.mask import from_landmarks
from flair_core.faces.parse import NETWORKS
from flair_core.faces.placed_masks import Masks
from flair_core.settings.groups import FaceSettings, RestorationSettings, SamplerSettings

SIZE = 128
SKIN, GLASSES, MOUTH, HAIR, NECK = 1, 3, 10, 13, 17
X0 = torch.zeros(1, 3, SIZE, SIZE)


def drawn():
    """ParseNet's labels of a face with glasses, hair and neck, and a hand (background) before its cheek."""
    y, x = np.mgrid[:SIZE, :SIZE]
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[(abs(x - 64) < 52) & (y < 60)] = HAIR
    labels[(abs(x - 64) < 24) & (y > 100)] = NECK
    labels[((x - 64) / 42) ** 2 + ((y - 68) / 52) ** 2 < 1] = SKIN
    labels[(abs(x - 64) < 36) & (abs(y - 60) < 9)] = GLASSES
    labels[(abs(x - 64) < 18) & (abs(y - 93) < 6)] = MOUTH
    labels[(x > 84) & (y > 74)] = 0
    return labels


PARSER = SimpleNamespace(
    labels=lambda x0: np.stack([drawn()] * len(x0)), classes=NETWORKS["parsenet"].classes
)


def masks(parsed=True, sampler=None, **faces):
    settings = RestorationSettings(
        faces=FaceSettings(**{"feather": 4.0, **faces}), sampler=SamplerSettings(**(sampler or {}))
    )
    return Masks(template(SIZE)[None], settings, PARSER if parsed else None)


def test_landmarks_make_an_oval():
    found = masks(parsed=False).replaced(X0)[0]
    np.testing.assert_array_equal(found, from_landmarks(template(SIZE), SIZE, 4))


def test_by_default_face_and_glasses_are_replaced_and_hands_hair_and_neck_are_not():
    (shown,), labels = masks().replaced(X0), drawn()
    assert shown[60, 64] == 1
    assert shown[80, 60] == 1
    assert shown[labels == HAIR].max() < 0.01
    assert shown[labels == NECK].max() < 0.01
    assert shown[90, 95] == 0
    assert shown.max() <= 1


@pytest.mark.parametrize(
    ("setting", "value", "place"),
    [
        ("hair", True, (15, 64)),
        ("neck", True, (121, 64)),
        ("occluders", 0.5, (85, 91)),
        ("glasses", 0.3, (60, 64)),
    ],
)
def test_each_region_has_its_weight(setting, value, place):
    chosen, plain = masks(**{setting: value}).replaced(X0)[0], masks().replaced(X0)[0]
    assert chosen[place] == pytest.approx(float(value))
    assert chosen[place] != plain[place]
    assert chosen[90, 50] == plain[90, 50] == 1


@pytest.mark.parametrize("parsed", [True, False])
def test_enhancement_is_weighted_by_region(parsed):
    weight = masks(parsed, {"w_eyes": 0.2, "w_mouth": 0.5, "w_skin": 0.9}).weight(X0)
    assert weight.shape == (1, 1, SIZE, SIZE)
    eye, mouth, cheek = weight[0, 0, 60, 48], weight[0, 0, 93, 64], weight[0, 0, 78, 40]
    assert eye == pytest.approx(0.2, abs=0.1)
    assert mouth == pytest.approx(0.5, abs=0.1)
    assert cheek == pytest.approx(0.9, abs=0.1)
    assert torch.equal(masks(parsed).weight(X0)[0, 0], torch.from_numpy(masks(parsed).replaced(X0)[0]))


def test_a_whole_frame_that_is_a_face_is_enhanced_everywhere():
    weight = masks(parsed=False, sampler={"w_mouth": 0.0}, aligned=True).weight(X0)[0, 0]
    assert weight[0, 0] == weight[60, 5] == 1
    assert weight[93, 64] < 0.1
