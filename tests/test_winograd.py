"""Quick convolutions give what PyTorch's give."""

import pytest
import torch
from PySide6.QtCore import QThread
from torch.nn import functional
from torch.testing import assert_close

from flair_core.denoisers import winograd
from flair_core.denoisers.winograd import NormedConvolution, pays
from flair_core.runtime import threads


@pytest.fixture
def layers():
    def made(channels, height, width, frames=1):
        torch.manual_seed(channels + height)
        conv, norm = torch.nn.Conv2d(channels, channels, 3, padding=1), torch.nn.GroupNorm(8, channels)
        for parameter in norm.parameters():
            torch.nn.init.normal_(parameter)
        x = torch.randn(frames, channels, height, width) + 0.5
        x = x.bfloat16().contiguous(memory_format=torch.channels_last)
        return conv.requires_grad_(False), norm.requires_grad_(False), x

    return made


def exactly(conv, norm, x, added=None):
    out = conv(functional.silu(norm(x.float())))
    return out if added is None else out + added.float()


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (9, 7), (1, 1), (2, 5), (33, 16)])
@pytest.mark.parametrize("channels", [16, 64, 192])
def test_a_normed_convolution_is_no_further_off_than_bf16_is(layers, channels, size):
    conv, norm, x = layers(channels, *size, frames=2)
    quick = NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    for added in (None, x):
        exact, found = exactly(conv, norm, x, added), quick(x, norm.weight, norm.bias, added)
        assert found.shape == x.shape
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert (found.float() - exact).square().mean().sqrt() < 0.01 * exact.square().mean().sqrt()


def test_large_frames_are_done_in_strips_to_the_same_bits(layers, monkeypatch):
    conv, norm, x = layers(32, 21, 30)
    quick = NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    whole = quick(x, norm.weight, norm.bias, x)
    for strip in (1, 16 * 15 * 32 * 4):
        monkeypatch.setattr(winograd, "STRIP", strip)
        monkeypatch.setattr(winograd, "_rooms", winograd._Rooms())
        assert quick(x, norm.weight, norm.bias, x).equal(whole)


@pytest.mark.parametrize("size", [(64, 64), (33, 16), (8, 9), (3, 3), (1, 1)])
def test_several_threads_give_the_bits_of_one(layers, monkeypatch, size):
    monkeypatch.setattr(winograd, "SHARED", 1)
    conv, norm, x = layers(64, *size)
    quick = NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    before = torch.get_num_threads()
    made = []
    try:
        for count in (1, 2, 3, 5):
            torch.set_num_threads(count)
            with threads.narrow():
                made += [quick(x, norm.weight, norm.bias, added) for added in (None, x)]
    finally:
        torch.set_num_threads(before)
    assert all(one.equal(made[at % 2]) for at, one in enumerate(made))


def test_without_a_team_of_threads_passes_run_in_one(layers, monkeypatch):
    conv, norm, x = layers(64, 64, 64)
    quick = NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    alone = quick(x, norm.weight, norm.bias, x)
    monkeypatch.setattr(winograd._passes(), "_team", None)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert quick(x, norm.weight, norm.bias, x).equal(alone)
    finally:
        torch.set_num_threads(before)


def test_a_thread_of_the_window_ends_in_peace(layers):
    conv, norm, x = layers(64, 32, 32)
    quick, made = NormedConvolution(conv.weight, conv.bias, torch.bfloat16), []

    class Worker(QThread):
        def run(self):
            made.append(quick(x, norm.weight, norm.bias))

    for _ in range(3):
        worker = Worker()
        worker.start()
        assert worker.wait(60_000)
    assert made[0].equal(made[-1])


def test_extreme_features_stay_finite(layers):
    conv, norm, x = layers(16, 6, 6)
    quick = NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    weight, bias = torch.full((16,), 300.0), torch.full((16,), -300.0)
    normed = functional.group_norm(x.float(), 8, weight, bias)
    assert_close(
        quick(x, weight, bias).float(),
        conv(functional.silu(normed)),
        rtol=0.05,
        atol=0.02 * normed.abs().max(),
    )
    assert quick(torch.zeros_like(x), norm.weight, norm.bias).isfinite().all()


def test_only_a_processor_that_multiplies_bf16_without_tiles_takes_this_way(monkeypatch):
    cpu = torch.device("cpu")
    for avx, amx, expected in ((True, False, True), (True, True, False), (False, False, False)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        assert pays(cpu, torch.bfloat16, (64, 128)) == expected
    assert not pays(cpu, torch.float32, (64, 128))
    assert not pays(torch.device("cuda"), torch.bfloat16, (64, 128))
    assert not pays(cpu, torch.bfloat16, (64, 72))
