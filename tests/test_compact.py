"""The compact network: its parametrisation, any frame size, and its file."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.data import astronaut
from torch.nn.functional import avg_pool2d
from torch.testing import assert_close

from flair_core.checkpoints import catalogue, store
from flair_core.degradations import degrade
from flair_core.denoisers.base import Condition
from flair_core.denoisers.compact import (
    END,
    Compact,
    CompactConfig,
    CompactNetwork,
    describe,
    load,
    metadata,
    read,
    share,
)
from flair_core.errors import WeightsError
from flair_core.frames import to_float
from flair_core.restoration.models import load_models
from flair_core.restoration.window import restore_window
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings, bundled
from flair_core.training.image import moved, split

SMALL = CompactConfig(channels=(16, 16, 16, 16), blocks=(1, 1, 1, 1), embedding=32, chain=50)
VIDEO = CompactConfig(channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), embedding=32, chain=50, window=5)
CPU = torch.device("cpu")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_combination_is_the_best_linear_estimate_of_x0():
    """Two observations with known error variances: no other weighting of them has a smaller error."""
    x0, variance, sigma = noise(200_000, seed=1), torch.tensor(0.04), torch.tensor(0.3)
    c, observed = x0 + 0.2 * noise(200_000, seed=2), x0 + 0.3 * noise(200_000, seed=3)
    best = share(variance, sigma)
    mean = c + (observed - c) * best
    assert_close((mean - x0).std(), sigma * best.sqrt(), rtol=0.01, atol=0)
    for other in (0.1, 0.5, 0.9):
        assert ((1 - other) * c + other * observed - x0).std() > (mean - x0).std()


def test_an_untrained_network_gives_the_best_combination():
    model = Compact(CompactNetwork(SMALL), CPU)
    c, x_t, t = noise(1, 3, 32, 64), noise(1, 3, 32, 64, seed=1), 20
    eps = model.predict_noise(x_t, t, Condition(c, DegradationSettings()))
    alpha_bar = model.schedule.alpha_bar[t].float()
    variance = model.network.condition_variance(describe(DegradationSettings())).exp()
    mean = c + (x_t / alpha_bar.sqrt() - c) * share(variance, ((1 - alpha_bar) / alpha_bar).sqrt())
    assert_close(model.schedule.predict_x0(x_t, eps, t), mean, rtol=0, atol=2e-4)


def test_the_walk_ends_in_the_more_noise_the_less_the_footage_shows():
    """In as much as c errs by, times END: coarser footage leaves more open, and what is left open is not invented."""
    model = load(store.path(catalogue.SHIPPED), CPU)
    ends = []
    for scale in (4, 8, 16):
        degradation = DegradationSettings(scale=scale)
        at = model.end(degradation)
        variance = model.network.condition_variance(describe(degradation)).exp()
        power = (1 - model.schedule.alpha_bar) / model.schedule.alpha_bar
        assert at == len(power) - 1 or power[at - 1] < END**2 * variance <= power[at]
        ends.append(at)
    assert ends[0] < ends[1] < ends[2]


def test_where_c_is_sure_the_noise_of_x_t_does_not_pass():
    """The network says at each pixel by how much c errs; where that is nothing, x0 is c whatever x_t is."""
    network = CompactNetwork(SMALL)
    sure = torch.zeros(4, 16)
    sure[3] = -30  # log s_c², the last of what each pixel of a patch has
    network.last.bias.data = sure.flatten()
    model = Compact(network, CPU)
    c = noise(1, 3, 32, 64)
    for seed in (1, 2):
        x_t = noise(1, 3, 32, 64, seed=seed)
        eps = model.predict_noise(x_t, 40, Condition(c))
        assert_close(model.schedule.predict_x0(x_t, eps, 40), c, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(45, 33), (32, 32), (96, 64)])
def test_frames_of_any_size_are_restored_independently_of_each_other(size):
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    model = Compact(network, CPU)
    c, x_t = noise(2, 3, *size), noise(2, 3, *size, seed=1)
    both = model.predict_noise(x_t, 30, Condition(c))
    alone = model.predict_noise(x_t[1:], 30, Condition(c[1:]))
    assert both.shape == x_t.shape
    assert_close(both[1:], alone, rtol=0, atol=0.05 if model.dtype != torch.float32 else 1e-4)


def test_a_frame_is_the_same_to_the_bit_in_any_batch_and_with_any_number_of_threads():
    torch.manual_seed(0)
    network = CompactNetwork(CompactConfig())  # sums of the real size, which several threads would share
    torch.nn.init.normal_(network.last.weight, std=0.1)
    model = Compact(network, CPU)
    c, x_t = noise(3, 3, 256, 256), noise(3, 3, 256, 256, seed=1)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(model.predict_noise(x_t, 30, Condition(c))[1:2])
            found.append(model.predict_noise(x_t[1:2], 30, Condition(c[1:2])))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert_close(other, found[0], rtol=0, atol=0)


def test_low_precision_stays_near_single():
    """Half precision costs no more than one 8-bit level anywhere, on the average a tenth of one."""
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    torch.nn.init.normal_(network.last.weight, std=0.02)
    exact, model = Compact(network, CPU), Compact(deepcopy(network), CPU)
    exact.network = network.float()
    model.network.lowered(torch.bfloat16)
    c, x_t = noise(1, 3, 64, 64).tanh(), noise(1, 3, 64, 64, seed=1)
    for t in (0, 20, 49):
        near, far = (
            one.schedule.predict_x0(x_t, one.predict_noise(x_t, t, Condition(c)), t) for one in (exact, model)
        )
        off = 127.5 * (near - far).abs()
        assert off.max() < 1
        assert 0 < off.mean() < 0.1


def lively(config: CompactConfig) -> CompactNetwork:
    """A network whose every layer has an effect."""
    torch.manual_seed(0)
    network = CompactNetwork(config)
    for parameter in network.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def without_time(network: CompactNetwork) -> CompactNetwork:
    image = CompactNetwork(replace(network.config, window=1))
    image.load_state_dict(network.state_dict(), strict=False)
    return image


def test_untrained_temporal_layers_change_nothing():
    torch.manual_seed(0)
    network = CompactNetwork(VIDEO)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    c, x_t = noise(4, 3, 64, 64), noise(4, 3, 64, 64, seed=1)
    video, image = (
        Compact(net, CPU).predict_noise(x_t, 30, Condition(c)) for net in (network, without_time(network))
    )
    assert_close(video, image)


def test_a_single_frame_passes_a_video_model_as_an_image_model():
    network = lively(VIDEO)
    c, x_t = noise(1, 3, 40, 64), noise(1, 3, 40, 64, seed=1)
    video, image = (
        Compact(net, CPU).predict_noise(x_t, 30, Condition(c)) for net in (network, without_time(network))
    )
    assert torch.equal(video, image)


def test_frames_of_a_window_see_each_other_and_other_windows_not():
    model = Compact(lively(VIDEO), CPU)
    c, x_t = noise(4, 3, 40, 64), noise(4, 3, 40, 64, seed=1)
    whole = model.predict_noise(x_t, 30, Condition(c))
    part = model.predict_noise(x_t[:2], 30, Condition(c[:2]))
    assert (whole[:2] - part).abs().max() > 1e-2
    assert torch.equal(whole, model.predict_noise(x_t, 30, Condition(c)))


def test_different_degradations_are_told_apart():
    told = [
        describe(None),
        describe(DegradationSettings()),
        describe(DegradationSettings(scale=8)),
        describe(DegradationSettings(noise=0.02)),
        describe(DegradationSettings(jpeg=60)),
        describe(DegradationSettings(kernel="gaussian")),
        describe(DegradationSettings(kernel="motion")),
        describe(DegradationSettings(kernel="motion", angle=45)),
        describe(DegradationSettings(kernel="gaussian", blur_ratio=0.5)),
    ]
    for i, a in enumerate(told):
        for b in told[i + 1 :]:
            assert (a - b).abs().max() > 0.05


def test_weights_survive_the_file(tmp_path):
    network = CompactNetwork(SMALL)
    save_file(
        {k: v.half() for k, v in network.state_dict().items()}, tmp_path / "w.safetensors", metadata(SMALL)
    )
    loaded = load(tmp_path / "w.safetensors", CPU)
    assert loaded.network.config == SMALL
    for name, value in network.state_dict().items():
        found = loaded.network.state_dict()[name]
        assert_close(found, value.half().to(found.dtype), rtol=0, atol=0)


def test_the_file_says_whether_there_are_temporal_layers(tmp_path):
    for config in (SMALL, VIDEO):
        save_file(CompactNetwork(config).state_dict(), tmp_path / "w.safetensors", metadata(config))
        assert load(tmp_path / "w.safetensors", CPU).window == config.window


@pytest.mark.parametrize("damage", ["text", "missing key", "no config"])
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "w.safetensors"
    state = CompactNetwork(SMALL).state_dict()
    if damage == "text":
        path.write_text("not weights")
    elif damage == "missing key":
        state.pop("last.weight")
        save_file(state, path, metadata(SMALL))
    else:
        save_file(state, path)
    with pytest.raises(WeightsError, match="does not hold a compact FLAIR network"):
        load(path, CPU)


def test_temporal_layers_in_a_file_of_their_own_belong_to_one_theta(tmp_path):
    torch.manual_seed(1)
    network = CompactNetwork(VIDEO)
    whole, base, alone = (tmp_path / f"{name}.safetensors" for name in ("whole", "base", "alone"))
    state = {key: value.half() for key, value in network.state_dict().items()}
    save_file(state, whole, metadata(network.config))
    spatial = {key: value for key, value in state.items() if not key.startswith("temporal.")}
    save_file(spatial, base, metadata(replace(network.config, window=1)))
    split(whole, base, alone)
    assert alone.stat().st_size < whole.stat().st_size - base.stat().st_size + 10_000
    joined = read(alone)
    assert joined.config.window == 5
    for key, value in read(whole).state_dict().items():
        assert joined.state_dict()[key].equal(value)
    retold = spatial | {"norm.weight": spatial["norm.weight"] + 1}
    save_file(retold, whole, metadata(replace(network.config, window=1)))
    split(whole, base, alone)
    assert list(load_file(alone)) == ["norm.weight"], "what differs is all that is kept"
    assert read(alone).state_dict()["norm.weight"].equal(read(whole).state_dict()["norm.weight"])
    save_file({key: value + 1 for key, value in spatial.items()}, base, metadata(replace(VIDEO, window=1)))
    with pytest.raises(WeightsError, match=r"another base\.safetensors"):
        read(alone)
    with pytest.raises(WeightsError, match="not trained on"):
        split(whole, base, alone)


def test_what_lies_beside_a_theta_moves_with_it_when_that_is_trained_further(tmp_path):
    torch.manual_seed(1)
    network = CompactNetwork(VIDEO)
    whole, base, beside, later, out = (tmp_path / f"{name}.safetensors" for name in "abcde")
    state = {key: value.half() for key, value in network.state_dict().items()}
    save_file(state | {"norm.bias": state["norm.bias"] + 2}, whole, metadata(network.config))
    spatial = {key: value for key, value in state.items() if not key.startswith("temporal.")}
    save_file(spatial, base, metadata(replace(network.config, window=1)))
    split(whole, base, beside)
    further = {key: value + 1 for key, value in spatial.items()}
    save_file(further, later, metadata(replace(network.config, window=1)))
    moved(beside, base, later, out)
    found = read(out).state_dict()
    assert read(out).config.window == 5
    for key, value in network.state_dict().items():
        expected = value.half().float() + (1 if key in spatial else 0) + (2 if key == "norm.bias" else 0)
        assert torch.allclose(found[key], expected, atol=2e-3), key
    with pytest.raises(WeightsError, match="does not belong"):
        moved(beside, later, base, out)


def test_the_shipped_video_model_is_the_shipped_image_model_on_single_frames():
    image, video = (load(store.path(name), CPU) for name in (catalogue.SHIPPED, catalogue.SHIPPED_VIDEO))
    assert (image.window, video.window) == (1, 7)
    c, x_t = noise(3, 3, 64, 64).clamp(-1, 1), noise(3, 3, 64, 64, seed=1)
    condition = Condition(c[:1], DegradationSettings())
    assert video.predict_noise(x_t[:1], 500, condition).equal(image.predict_noise(x_t[:1], 500, condition))
    condition = Condition(c, DegradationSettings())
    assert not video.predict_noise(x_t, 500, condition).equal(image.predict_noise(x_t, 500, condition))


def test_the_vivid_model_draws_more_and_with_every_seed_something_else():
    clean = to_float(np.ascontiguousarray(astronaut()[40:200, 150:310]))[None]
    degradation = DegradationSettings(scale=8)
    y = degrade(clean, degradation, torch.Generator())

    def detail(image):
        """Energy above a 5×5 mean."""
        return (image[..., 2:-2, 2:-2] - avg_pool2d(image, 5, 1)).square().mean().item()

    def detail_and_spread(name):
        sampler = replace(bundled(name).sampler, steps=10, samples=2, w_tau=0)
        settings = RestorationSettings(
            degradation=degradation, sampler=sampler, faces=FaceSettings(aligned=True)
        )
        states = list(restore_window(y, settings, load_models(settings, CPU)))
        one, mean = states[sampler.steps - 1].x0, states[-1].x0
        return detail(one), (one - mean).square().mean().item()

    assert np.all(
        np.divide(detail_and_spread(catalogue.SHIPPED_VIVID), detail_and_spread(catalogue.SHIPPED)) > 1.25
    )
    plain, vivid = (
        read(store.path(name)).state_dict() for name in (catalogue.SHIPPED, catalogue.SHIPPED_VIVID)
    )
    assert all(value.equal(vivid[key]) for key, value in plain.items() if value.ndim == 4)
