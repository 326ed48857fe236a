"""Windows are as long as a card has room for, by what it says is free."""

from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from flair_core.denoisers.released import ReleasedX8
from flair_core.restoration.restorer import FaceRestorer
from flair_core.runtime import memory

CARD = torch.device("cuda")


class OnCard(ReleasedX8):
    def __init__(self):
        with FakeTensorMode(), CARD:
            self.network = torch.nn.Linear(1, 1)


class OnProcessor(ReleasedX8):
    def __init__(self):
        self.network = torch.nn.Linear(1, 1)


def room(denoiser, device, size):
    models = SimpleNamespace(denoiser=denoiser, device=device)
    face = SimpleNamespace(y=torch.zeros(10, 3, 1, 1), size=size, settings=None)
    return FaceRestorer._room(SimpleNamespace(_load=lambda settings: models), face)


@pytest.mark.parametrize(
    ("gigabytes", "side", "frames"), [(24, 512, 10), (8, 512, 8), (5, 512, 3), (2, 512, 1), (4, 256, 10)]
)
def test_a_card_beside_weights_and_context(monkeypatch, gigabytes, side, frames):
    weights, context, cached = 944 << 20, 400 << 20, 300 << 20
    monkeypatch.setattr(
        torch.cuda,
        "mem_get_info",
        lambda device: ((gigabytes << 30) - weights - context - cached, gigabytes << 30),
    )
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: weights + cached)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: weights)
    assert memory.free(CARD) == (gigabytes << 30) - weights - context
    assert room(OnCard(), CARD, (side, side)) == frames


@pytest.mark.parametrize(("gigabytes", "frames"), [(32, 10), (8, 4), (1, 1)])
def test_a_processor(monkeypatch, gigabytes, frames):
    monkeypatch.setattr(memory, "free", lambda device: gigabytes << 30)
    assert room(OnProcessor(), torch.device("cpu"), (512, 512)) == frames
