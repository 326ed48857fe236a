"""Frames between frames."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from flair_core import weights
from flair_core.enhancers.checkpoint import build
from flair_core.errors import SettingsError, ShapeError, WeightsError
from flair_core.interpolation.amt import AMT, times
from flair_core.interpolation.factory import load_interpolator


def frames(height, width, seed=0):
    return torch.rand((2, 1, 3, height, width), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def network():
    """A narrow AMT with chance weights."""
    torch.manual_seed(0)
    return AMT((8, 10, 12, 14), skip_channels=4, num_flows=2).eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(128, 144), (96, 96), (96, 200), (64, 100), (17, 40), (1, 1)])
def test_any_size(network, size):
    """The released program fails at 96 pixels, where the coarsest correlation is one pixel."""
    before, after = frames(*size)
    between = network(before, after, times(3))
    assert between.shape == (1, 2, 3, *size)
    assert between.isfinite().all()
    assert between.abs().max() <= 1


def test_moments_and_pairs_are_on_their_own(network):
    before, after = frames(48, 64)
    both = network(torch.cat((before, after)), torch.cat((after, before)), [0.25, 0.5])
    torch.testing.assert_close(both[:1, 1:], network(before, after, [0.5]), rtol=0, atol=1e-4)
    torch.testing.assert_close(both[1:, :1], network(after, before, [0.25]), rtol=0, atol=1e-4)
    assert (both[0, 0] - both[0, 1]).abs().max() > 1e-4, "the moment has no effect"


def test_without_motion_and_preference_it_is_the_average(network):
    still = AMT((8, 10, 12, 14), skip_channels=4, num_flows=2)
    still.load_state_dict(network.state_dict())
    last = [
        f"{part}.flow_head.2"
        for part in ("update4", "update3_low", "update3_high", "update2_low", "update2_high")
    ]
    last += [f"decoder{level}.convblock.2" for level in (1, 2, 3, 4)] + ["comb_block.2"]
    for name in last:
        for parameter in still.get_submodule(name).parameters():
            torch.nn.init.zeros_(parameter)
    before, after = frames(50, 70)
    for zoomed in (1, 2):  # up to 64 pixels, and above
        a, b = (torch.nn.functional.interpolate(x, scale_factor=zoomed) for x in (before, after))
        torch.testing.assert_close(still(a, b, [0.3])[:, 0], (a + b) / 2, rtol=0, atol=1e-4)


def test_no_moment_gives_no_frame(network):
    assert network(*frames(32, 48), times(1)).shape == (1, 0, 3, 32, 48)


def test_moments_lie_between_the_frames(network):
    assert [len(times(factor)) for factor in range(1, 20)] == list(range(19))
    assert all(0 < t < 1 for factor in range(1, 20) for t in times(factor))
    with pytest.raises(SettingsError, match=r"0"):
        times(0)
    for t in (0.0, 1.0):
        with pytest.raises(SettingsError, match=str(t)):
            network(*frames(32, 32), [0.5, t])


def test_frames_of_two_sizes(network):
    with pytest.raises(ShapeError, match=r"\(1, 3, 32, 32\).*\(1, 3, 32, 33\)"):
        network(frames(32, 32)[0], frames(32, 33)[0], [0.5])


def test_the_network_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    with pytest.raises(WeightsError, match=r"amt-g\.pth"):
        load_interpolator(torch.device("cpu"))
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in AMT().state_dict().items()}
    save_file(
        {key: torch.full(shape, 0.125).half() for key, shape in shapes.items()}, tmp_path / "amt.safetensors"
    )
    loaded = load_interpolator(torch.device("cpu"))
    assert all((value == 0.125).all() for value in loaded.state_dict().values())


def test_a_damaged_file_is_named():
    with pytest.raises(WeightsError, match=r"f\.pth holds no AMT"):
        build(AMT, {"a": torch.zeros(1)}, "f.pth")
