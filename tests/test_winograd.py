"""Quick convolutions give what PyTorch's give."""

import sys

import pytest
import torch
from PySide6.QtCore import QThread
from torch.nn import functional
from torch.testing import assert_close

from flair_core.denoisers import fast_cpu
from flair_core.denoisers.base import Condition
from flair_core.denoisers.compact import Compact, CompactConfig, CompactNetwork
from flair_core.runtime import threads

CPU = torch.device("cpu")


@pytest.fixture
def winograd():
    """The quick convolutions, where they can be compiled."""
    pytest.importorskip("llvmlite", reason="the extra fast-cpu (llvmlite) is not installed")
    from flair_core.denoisers import winograd

    return winograd


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
def test_a_normed_convolution_is_no_further_off_than_bf16_is(winograd, layers, channels, size):
    conv, norm, x = layers(channels, *size, frames=2)
    quick = winograd.NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    for added in (None, x):
        exact, found = exactly(conv, norm, x, added), quick(x, norm.weight, norm.bias, added)
        assert found.shape == x.shape
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert (found.float() - exact).square().mean().sqrt() < 0.01 * exact.square().mean().sqrt()


def test_large_frames_are_done_in_strips_to_the_same_bits(winograd, layers, monkeypatch):
    conv, norm, x = layers(32, 21, 30)
    quick = winograd.NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    whole = quick(x, norm.weight, norm.bias, x)
    for strip in (1, 16 * 15 * 32 * 4):
        monkeypatch.setattr(winograd, "STRIP", strip)
        monkeypatch.setattr(winograd, "_rooms", winograd._Rooms())
        assert quick(x, norm.weight, norm.bias, x).equal(whole)


@pytest.mark.parametrize("size", [(64, 64), (33, 16), (8, 9), (3, 3), (1, 1)])
def test_several_threads_give_the_bits_of_one(winograd, layers, monkeypatch, size):
    monkeypatch.setattr(winograd, "SHARED", 1)
    conv, norm, x = layers(64, *size)
    quick = winograd.NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
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


def test_without_a_team_of_threads_passes_run_in_one(winograd, layers, monkeypatch):
    conv, norm, x = layers(64, 64, 64)
    quick = winograd.NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    alone = quick(x, norm.weight, norm.bias, x)
    monkeypatch.setattr(winograd._passes(), "_team", None)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert quick(x, norm.weight, norm.bias, x).equal(alone)
    finally:
        torch.set_num_threads(before)


def test_a_thread_of_the_window_ends_in_peace(winograd, layers):
    conv, norm, x = layers(64, 32, 32)
    quick, made = winograd.NormedConvolution(conv.weight, conv.bias, torch.bfloat16), []

    class Worker(QThread):
        def run(self):
            made.append(quick(x, norm.weight, norm.bias))

    for _ in range(3):
        worker = Worker()
        worker.start()
        assert worker.wait(60_000)
    assert made[0].equal(made[-1])


def test_extreme_features_stay_finite(winograd, layers):
    conv, norm, x = layers(16, 6, 6)
    quick = winograd.NormedConvolution(conv.weight, conv.bias, torch.bfloat16)
    weight, bias = torch.full((16,), 300.0), torch.full((16,), -300.0)
    normed = functional.group_norm(x.float(), 8, weight, bias)
    assert_close(
        quick(x, weight, bias).float(),
        conv(functional.silu(normed)),
        rtol=0.05,
        atol=0.02 * normed.abs().max(),
    )
    assert quick(torch.zeros_like(x), norm.weight, norm.bias).isfinite().all()


@pytest.fixture
def processor(monkeypatch):
    """`processor(avx, amx)` makes PyTorch believe that it multiplies bf16 in vectors, or in tiles."""

    def made(avx, amx):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)

    return made


def test_only_a_processor_that_multiplies_bf16_without_tiles_takes_this_way(processor, monkeypatch):
    monkeypatch.setattr(fast_cpu, "installed", lambda: True)
    for avx, amx, expected in ((True, False, True), (True, True, False), (False, False, False)):
        processor(avx, amx)
        assert fast_cpu.used(CPU, torch.bfloat16, (64, 128)) == expected
    processor(avx=True, amx=False)
    assert not fast_cpu.used(CPU, torch.float32, (64, 128))
    assert not fast_cpu.used(torch.device("cuda"), torch.bfloat16, (64, 128))
    assert not fast_cpu.used(CPU, torch.bfloat16, (64, 72))


def test_without_llvmlite_the_plain_convolutions_do(processor, monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.delitem(sys.modules, "flair_core.denoisers.winograd", raising=False)
    processor(avx=True, amx=False)
    torch.manual_seed(0)
    config = CompactConfig(channels=(16, 16, 16, 16), blocks=(1, 1, 1, 1), embedding=16)
    denoiser = Compact(CompactNetwork(config), CPU)
    c = torch.rand(1, 3, 64, 64) * 2 - 1
    assert denoiser.predict_noise(c, 500, Condition(c)).isfinite().all()
    assert "flair_core.denoisers.winograd" not in sys.modules
    assert not fast_cpu.installed()
