"""Enhancers: the built-in one, networks from their files, and the locks."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn.functional import avg_pool2d, max_pool2d
from torchvision.transforms.functional import gaussian_blur

from flair_core.checkpoints import catalogue, store
from flair_core.degradations import linear
from flair_core.denoisers import compact
from flair_core.enhancers import adapters, drawn, factory
from flair_core.enhancers.base import BATCH, Resized, Unchanged, with_seed
from flair_core.enhancers.checkpoint import build, unwrap
from flair_core.enhancers.detail import LUMA, Detail, noise_variance
from flair_core.enhancers.factory import load_enhancer
from flair_core.enhancers.locks import TINT, MonochromeLock
from flair_core.enhancers.restoreformer import RestoreFormer, released_keys
from flair_core.enhancers.vqfr import VQFR
from flair_core.errors import SettingsError, WeightsError
from flair_core.restoration.models import load_models
from flair_core.settings.groups import DegradationSettings, RestorationSettings, SamplerSettings

CPU = torch.device("cpu")
BUILT_IN = ("none", "detail", catalogue.SHIPPED_ENHANCER)


def normal(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def faces(count=1, side=64, seed=0):
    """Soft random pictures in [-1, 1]."""
    return gaussian_blur(normal((count, 3, side, side), seed), 9, 2.0).mul(3).clamp(-1, 1)


def luma(images):
    return (images * torch.tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)


def portrait():
    """A real face, 192×192."""
    from skimage.data import astronaut

    return torch.from_numpy(astronaut()[0:192, 130:322].copy()).permute(2, 0, 1)[None] / 127.5 - 1


def psnr(a, b):
    return float(10 * torch.log10(4 / (a - b).square().mean()))


class TestDetail:
    colours = st.lists(st.floats(-1, 1), min_size=3, max_size=3)

    @given(colour=colours, height=st.integers(1, 40), width=st.integers(1, 40))
    @settings(max_examples=20, deadline=None)
    def test_flat_stays_flat(self, colour, height, width):
        flat = torch.tensor(colour).view(1, 3, 1, 1).expand(2, 3, height, width)
        torch.testing.assert_close(Detail()(flat), flat, rtol=0, atol=1e-6)

    def test_grain_on_a_flat_surface_gains_nothing(self):
        grain = 0.1 + 0.03 * normal((2, 3, 128, 128))
        assert Detail()(grain).std() <= 1.005 * grain.std()

    def test_it_measures_the_grain(self):
        grain = 0.03 * normal((2, 1, 128, 128)) + torch.linspace(-1, 1, 128)
        np.testing.assert_allclose(noise_variance(grain).sqrt().flatten(), 0.03, rtol=0.05)

    @pytest.mark.parametrize("contrast", [0.02, 0.1, 0.4, 1.5])
    @pytest.mark.parametrize("softness", [0.1, 1.0, 3.0])
    def test_an_edge_gets_no_halo(self, contrast, softness):
        edge = torch.zeros(1, 3, 128, 128)
        edge[..., 64:] += contrast
        edge = gaussian_blur(edge - contrast / 2, 13, softness)
        sharper = Detail()(edge)
        assert sharper.max() <= edge.max() + 1e-6
        assert sharper.min() >= edge.min() - 1e-6

    def test_no_pixel_leaves_what_its_surroundings_show(self):
        before = luma(portrait())
        after = luma(Detail()(portrait()))
        reach = 2 * 2 + 1
        assert (after <= max_pool2d(before, reach, 1, reach // 2) + 1e-5).all()
        assert (after >= -max_pool2d(-before, reach, 1, reach // 2) - 1e-5).all()

    @pytest.mark.parametrize("blur", [0.7, 1.0, 1.5])
    def test_a_soft_picture_comes_closer_to_the_sharp_one(self, blur):
        sharp = portrait()
        soft = gaussian_blur(sharp, 13, blur)
        enhanced = Detail()(soft)
        energy = [
            float((luma(x) - avg_pool2d(luma(x), 5, 1, 2)).square().mean()) for x in (soft, enhanced, sharp)
        ]
        assert 1.1 * energy[0] < energy[1] <= 1.05 * energy[2]
        assert psnr(enhanced, sharp) > psnr(soft, sharp) + 0.2

    def test_colour_stays(self):
        before = portrait()
        after = Detail()(before)
        torch.testing.assert_close(after - luma(after), before - luma(before), rtol=0, atol=1e-5)
        assert (after - before).mean((2, 3)).abs().max() < 0.5 / 127.5
        assert (after - before).abs().max() > 5 / 127.5

    @given(seed=st.integers(0, 2**31), gain=st.floats(0.1, 30))
    @settings(max_examples=10, deadline=None)
    def test_the_range_stays(self, seed, gain):
        after = Detail()((gain * faces(2, 48, seed)).clamp(-1, 1))
        assert after.abs().max() <= 1

    def test_every_face_is_on_its_own(self):
        three = torch.cat((faces(2), 0.1 * normal((1, 3, 64, 64))))
        torch.testing.assert_close(Detail()(three), torch.cat([Detail()(face[None]) for face in three]))


class TestResized:
    @pytest.mark.parametrize(
        ("device", "counts"), [("cpu", [1] * (2 * BATCH + 1)), ("meta", [BATCH, BATCH, 1])]
    )
    def test_the_network_sees_few_faces_of_its_size(self, device, counts):
        seen = []

        def network(x):
            seen.append(tuple(x.shape))
            return x

        Resized(network, 32)(faces(2 * BATCH + 1, 40).to(device))
        assert seen == [(count, 3, 32, 32) for count in counts]

    @pytest.mark.parametrize("side", [32, 48, 16])
    def test_shape_range_and_order_stay(self, side):
        given_faces = faces(BATCH + 1, side)
        enhanced = Resized(lambda x: x, 32)(given_faces)
        assert enhanced.shape == given_faces.shape
        assert enhanced.abs().max() <= 1
        # Half a face can't hold the finest detail, but is nobody else's.
        assert (enhanced - given_faces).abs().mean() < 0.02
        assert side != 32 or torch.equal(enhanced, given_faces)

    def test_what_leaves_the_range_is_cut_off(self):
        assert Resized(lambda x: 5 + x, 32)(faces(1, 48)).max() <= 1

    def test_no_face(self):
        assert load_enhancer("detail", CPU)(faces(1)[:0]).shape == (0, 3, 64, 64)
        assert Resized(lambda x: x, 32)(faces(1)[:0]).shape == (0, 3, 64, 64)


class TestDrawn:
    @pytest.fixture
    def file(self, tmp_path):
        torch.manual_seed(0)
        config = compact.CompactConfig(channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), embedding=32, chain=50)
        network = compact.CompactNetwork(config)
        torch.nn.init.normal_(network.last.weight, std=0.02)
        file = tmp_path / "mine.safetensors"
        save_file(network.state_dict(), file, drawn.metadata(config))
        return str(file)

    @pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 77), (9, 8)])
    def test_any_size_keeps_shape_and_range(self, file, height, width):
        given_faces = faces(2, 80)[..., :height, :width]
        enhanced = load_enhancer(file, CPU)(given_faces)
        assert enhanced.shape == given_faces.shape
        assert (enhanced - given_faces).abs().max() > 0
        assert enhanced.abs().max() <= 1

    def test_what_ships_draws_detail_where_there_is_some_and_hardly_any_on_plain_skin(self):
        shipped = load_enhancer(catalogue.SHIPPED_ENHANCER, CPU)
        A = linear(DegradationSettings(scale=4), (192, 192))
        soft = A.pinv(A.forward(portrait()))
        plain = torch.linspace(-0.2, 0.2, 128).expand(1, 3, 128, 128)

        def detail(images):
            return (images - avg_pool2d(images, 5, 1, 2)).square().mean()

        assert detail(shipped(soft)) > 1.1 * detail(soft)
        drawn = (shipped(plain) - plain)[..., 16:-16, 16:-16]  # at the border it can't know
        assert drawn.std() < 2 / 127.5

    def test_another_seed_draws_another_face_and_the_same_seed_the_same(self, file):
        enhance, face = load_enhancer(file, CPU), faces()
        first, again, other = (with_seed(enhance, seed)(face) for seed in (3, 3, 4))
        assert torch.equal(first, again)
        assert (first - other).abs().mean() > 1 / 127.5
        assert torch.equal(enhance(face), with_seed(enhance, 0)(face))

    def test_all_frames_of_a_face_are_drawn_alike(self, file):
        enhance = load_enhancer(file, CPU)
        one, *others = enhance(faces().expand(3, -1, -1, -1))
        assert all(torch.equal(one, other) for other in others)

    def test_every_face_is_on_its_own_in_any_number_of_threads(self, file):
        enhance, three, threads = load_enhancer(file, CPU), faces(3), torch.get_num_threads()
        found = []
        try:
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                found += [enhance(three), torch.cat([enhance(face[None]) for face in three])]
        finally:
            torch.set_num_threads(threads)
        assert all(torch.equal(found[0], other) for other in found[1:])
        assert enhance(three[:0]).shape == (0, 3, 64, 64)

    def test_the_noise_says_nothing_of_the_face(self, file):
        """What z itself leaves in the picture, before the network draws: a thousandth of it, as it ships."""
        network = compact.read(store.path(catalogue.SHIPPED))
        torch.nn.init.zeros_(network.last.weight)
        torch.nn.init.zeros_(network.last.bias)
        z = normal((1, 3, 64, 64))
        with torch.no_grad():
            left = drawn.draw(network, faces(), z) - faces()
        assert left.abs().max() < 0.01

    def test_another_file_is_refused(self, tmp_path):
        save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
        with pytest.raises(WeightsError, match="does not hold an enhancer"):
            load_enhancer(str(tmp_path / "x.safetensors"), CPU)


def test_an_enhancer_without_chance_has_no_seed():
    detail = Detail()
    assert with_seed(detail, 5) is detail


@pytest.mark.parametrize("rests", [{"w_tau": 0.0, "tau": 0}, {"w_tau": 0.5, "tau": 2}])
def test_an_enhancer_that_is_never_called_need_not_be_here(rests, tmp_path, monkeypatch):
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path)
    sampler = SamplerSettings(enhancer="codeformer", steps=2, **rests)
    found = load_models(RestorationSettings(sampler=sampler), CPU)
    assert isinstance(found.enhancer, Unchanged)
    with pytest.raises(WeightsError, match="codeformer is not on this computer"):
        load_models(RestorationSettings(sampler=replace(sampler, w_tau=0.5, tau=1)), CPU)


def test_none_changes_nothing():
    assert torch.equal(load_enhancer("none", CPU)(faces()), faces())


def test_an_unknown_name_lists_the_known():
    with pytest.raises(SettingsError, match=r"'sharper'.*none, detail, starter-detail, gfpgan"):
        load_enhancer("sharper", CPU)


@pytest.mark.parametrize("name", [name for name in factory.NAMES if name not in BUILT_IN])
def test_a_missing_file_says_what_to_fetch_and_the_way_out(name, tmp_path, monkeypatch):
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path)
    with pytest.raises(WeightsError) as caught:
        load_enhancer(name, CPU)
    assert catalogue.CHECKPOINTS[name].file in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "w_τ to 0" in str(caught.value)


def filled(network, keys=None):
    """Deterministic weights in half precision, each from its key."""
    keys = keys or {key: key for key in network.state_dict()}
    state = {}
    for ours, value in network.state_dict().items():
        spread = 0.7 / max(1, value[:1].numel()) ** 0.5 if value.ndim > 1 else 0.05
        centre = 1.0 if value.ndim == 1 and ours.endswith("weight") else 0.0
        state[keys[ours]] = (centre + spread * normal(value.shape, crc32(ours.encode()))).half()
    return state


@pytest.fixture(scope="module")
def restorers():
    """State dicts as published, by name."""
    with torch.device("meta"):
        plus, single, vqfr = RestoreFormer(), RestoreFormer(multi_scale=False), VQFR()
    return {
        "restoreformer-pp": filled(plus, released_keys(plus)),
        "restoreformer": filled(single, released_keys(single)),
        "vqfr": filled(vqfr),
    }


@pytest.mark.parametrize("name", ["restoreformer-pp", "restoreformer", "vqfr"])
def test_a_network_from_its_file(name, restorers, tmp_path, monkeypatch):
    """Half-precision files load on the CPU; faces do not influence each other; nothing is left to chance."""
    monkeypatch.setattr(factory, "SIZE", 64)  # the networks are convolutional: smaller is just quicker
    save_file(restorers[name], file := tmp_path / "weights.safetensors")
    enhance = load_enhancer(name, CPU, path=file)
    assert enhance.size == 64
    two = faces(2, 48)
    enhanced = enhance(two)
    assert enhanced.shape == two.shape
    assert enhanced.dtype == torch.float32
    assert enhanced.abs().max() <= 1
    assert not torch.allclose(enhanced[0], enhanced[1], atol=0.01)
    assert torch.equal(enhance(two[1:]), enhanced[1:]), "the same bits in any batch"
    if name == "vqfr":
        loose = load_enhancer(name, CPU, path=file, fidelity=0.0)(two)
        assert (loose - enhanced).abs().mean() > 0.01


def test_the_data_folder_is_where_files_are_looked_for(restorers, tmp_path, monkeypatch):
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path)
    monkeypatch.setattr(factory, "SIZE", 64)
    save_file(restorers["restoreformer-pp"], tmp_path / "restoreformer-pp.safetensors")
    assert load_enhancer("restoreformer-pp", CPU)(faces()).isfinite().all()


def test_a_file_for_another_layout_names_every_key(restorers, tmp_path):
    save_file(restorers["restoreformer"], file := tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError) as caught:
        load_enhancer("restoreformer-pp", CPU, path=file)
    for key in restorers["restoreformer-pp"].keys() - restorers["restoreformer"].keys():
        assert f"lacks {key}" in str(caught.value)
    for name in ("vqfr", "gfpgan"):
        with pytest.raises(WeightsError, match=r"weights\.safetensors"):
            load_enhancer(name, CPU, path=file)


def test_a_library_network_with_missing_keys(restorers):
    state = dict(restorers["restoreformer"])
    del state["decoder.norm_out.bias"]
    with pytest.raises(WeightsError, match=r"file\.pth.*decoder\.norm_out\.bias"):
        adapters.restoreformer(state, "file.pth", CPU)


class TestBuild:
    make = partial(torch.nn.Linear, 3, 2)

    def test_faults_are_all_named(self):
        state = {"weight": torch.zeros(2, 2), "scale": torch.zeros(1)}
        with pytest.raises(
            WeightsError, match=r"f\.pth.*lacks bias.*unknown scale.*weight of shape \(2, 2\).*\(2, 3\)"
        ):
            build(self.make, state, "f.pth")

    @pytest.mark.parametrize("state", [{}, {"other": torch.zeros(1)}])
    def test_another_network_altogether(self, state):
        with pytest.raises(WeightsError, match=r"none of its \d keys"):
            build(self.make, state, "f.pth")

    def test_half_precision_becomes_float32(self):
        state = {"weight": normal((2, 3)).half(), "bias": torch.ones(2).half()}
        network = build(self.make, state, "f.pth")
        assert network.weight.dtype == torch.float32
        assert torch.equal(network.weight.half(), state["weight"])
        assert not network.training
        assert not network.weight.requires_grad


@pytest.mark.parametrize(
    "checkpoint",
    [
        {"a.b": 1},
        {"params_ema": {"a.b": 1}, "params": {"a.b": 2}},
        {"state_dict": {"vqvae.a.b": 1, "loss.c": 2}, "epoch": 3},
        {"state_dict": {"module.a.b": 1}},
    ],
)
def test_what_was_saved_around_a_restorer_falls_away(checkpoint):
    assert unwrap(checkpoint) == {"a.b": 1}


def test_gfpgan_draws_no_fresh_noise(monkeypatch):
    """Its noise would flicker from frame to frame."""
    spandrel = pytest.importorskip("spandrel.architectures.GFPGAN")
    network = spandrel.GFPGAN(out_size=32)
    network.load_state_dict(filled(network))
    monkeypatch.setattr(spandrel.GFPGANArch, "load", lambda *_: SimpleNamespace(model=network))
    enhance = Resized(adapters.gfpgan(network.state_dict(), "gfpgan.pth", CPU), 32)
    twice = enhance(faces(1, 32).expand(2, 3, 32, 32))
    torch.testing.assert_close(twice[0], twice[1])
    assert not torch.allclose(network(faces(1, 32))[0], network(faces(1, 32))[0]), (
        "the noise has no effect here"
    )


def test_codeformer_without_its_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches.architectures.CodeFormer", None)
    with pytest.raises(SettingsError, match=r"non-commercial.*flair-studio\[codeformer\]"):
        adapters.codeformer({}, "codeformer.pth", CPU)


class TestMonochromeLock:
    grey = luma(faces(2)).expand(2, 3, 64, 64)
    sepia = grey * torch.tensor((0.95, 0.8, 0.6)).view(3, 1, 1) + torch.tensor((0.05, 0.0, -0.1)).view(
        3, 1, 1
    )

    def test_grey_stays_grey(self):
        locked = MonochromeLock.to(self.grey)(faces(2, 64, seed=1), 0)
        assert (locked - locked.mean(1, keepdim=True)).abs().max() < 1e-5

    @pytest.mark.parametrize("footage", ["grey", "sepia"])
    def test_only_luma_is_taken_from_the_estimate(self, footage):
        footage = getattr(self, footage)
        lock, x0 = MonochromeLock.to(footage), faces(2, 64, seed=1)
        torch.testing.assert_close(luma(lock(x0, 0)), luma(x0), rtol=0, atol=1e-5)
        torch.testing.assert_close(lock(footage, 0), footage, rtol=0, atol=1e-4)
        tinted = footage + 0.1 * torch.tensor((1.0, -1.0, 0.5)).view(3, 1, 1)
        torch.testing.assert_close(lock(tinted, 0) - luma(tinted), footage - luma(footage), rtol=0, atol=0.02)

    def test_one_colour_everywhere_has_no_slope(self):
        lock = MonochromeLock.to(torch.full((1, 3, 8, 8), 0.3))
        assert lock(faces(), 0).isfinite().all()

    def test_monochrome_footage_is_known_through_grain(self):
        grain = 0.01 * normal(self.grey.shape)
        assert (MonochromeLock.where_monochrome(self.grey + grain).share == 1).all()
        assert (MonochromeLock.where_monochrome(self.sepia + grain).share == 1).all()
        assert MonochromeLock.where_monochrome(faces(2)) is None
        assert MonochromeLock.where_monochrome(portrait()) is None

    def test_every_frame_is_judged_by_itself(self):
        y = torch.cat([self.grey[:1], faces(1, seed=3), self.sepia[:1]])
        lock, x0 = MonochromeLock.where_monochrome(y), faces(3, seed=1)
        locked = lock(x0, 0)
        torch.testing.assert_close(locked[1], x0[1], rtol=0, atol=0)
        for i in (0, 2):
            alone = MonochromeLock.where_monochrome(y[i : i + 1])
            torch.testing.assert_close(locked[i : i + 1], alone(x0[i : i + 1], 0))

    def test_it_lets_go_gradually(self):
        colour = normal((1, 3, 64, 64), seed=5)
        colour = colour - luma(colour)
        shares = []
        for strength in np.linspace(0, 3 * TINT, 13):
            lock = MonochromeLock.where_monochrome(self.grey[:1] + float(strength) * colour / colour.std())
            shares.append(0.0 if lock is None else float(lock.share))
        assert shares[0] == 1
        assert shares[-1] == 0
        assert (np.diff(shares) <= 0).all()
        assert np.abs(np.diff(shares)).max() < 0.5
