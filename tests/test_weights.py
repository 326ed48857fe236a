"""Checkpoints: what is said of them, how they are imported, and everything that may be wrong with a file."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import pickle
import re
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from flair_core import importing
from flair_core.checkpoints import catalogue, store
from flair_core.degradations import upscale
from flair_core.denoisers import importer
from flair_core.denoisers.base import Condition
from flair_core.denoisers.factory import load_denoiser
from flair_core.denoisers.released import NETWORKS, ReleasedBicubic, ReleasedDeblurring
from flair_core.denoisers.released_bicubic import BicubicNetwork
from flair_core.denoisers.released_blur import BlurNetwork
from flair_core.denoisers.unet import UNetConfig
from flair_core.errors import ShapeError, WeightsError
from flair_core.interpolation.amt import AMT
from flair_core.settings.groups import DegradationSettings

SMALL = UNetConfig(
    channels=(32, 64), blocks=1, embedding=64, out_channels=3, attention=(1,), window=3, head_channels=32
)
SMALL_BLUR = UNetConfig(
    channels=(32, 64), blocks=1, embedding=64, out_channels=6, attention=(1,), window=3, head_channels=32
)
CPU = torch.device("cpu")
YUNET = Path(__file__).parents[2] / "shared" / "models" / "yunet_n_640_640.onnx"


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """An empty data folder, and small networks in place of the released ones."""
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path / "data")
    monkeypatch.setattr(ReleasedBicubic, "network_class", lambda: BicubicNetwork(SMALL))
    monkeypatch.setattr(ReleasedDeblurring, "network_class", lambda: BlurNetwork(SMALL_BLUR))
    return tmp_path / "data"


def published(name, dtype=torch.float16):
    """A network with random weights, and its state dict as its authors would have saved it."""
    torch.manual_seed(0)
    network = NETWORKS[name].network_class()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.7 / parameter[0].numel() ** 0.5)
    network.load_state_dict({key: value.to(dtype) for key, value in network.state_dict().items()})
    ours = network.state_dict()
    released = {
        theirs: ours[key].to(dtype)
        for key, names in importer.released_keys(network).items()
        for theirs in names
    }
    return network.eval(), released


@pytest.fixture
def checkpoint(tmp_path):
    """`checkpoint(change, name)`: a file of that name; `change` may spoil its state dict."""

    def write(change=lambda state: None, name="flair_x8_bicubic.pt"):
        state = published("flair-x8")[1]
        change(state)
        torch.save(state, tmp_path / name)
        return tmp_path / name

    return write


def test_every_entry_says_where_it_comes_from_and_under_which_terms():
    for name, entry in catalogue.CHECKPOINTS.items():
        assert entry.name == name
        assert entry.purpose
        assert entry.licence
        assert entry.source
        assert (entry.sha256 is None) == (entry.size is None)
        assert entry.sha256 is None or (len(entry.sha256) == 64 and int(entry.sha256, 16))
    assert set(NETWORKS) < set(catalogue.CHECKPOINTS)


@pytest.mark.parametrize(
    "name", [name for name in catalogue.CHECKPOINTS if not name.startswith(catalogue.SHIPPED)]
)
def test_a_missing_model_tells_what_to_fetch_and_where_to_put_it(name, data_folder):
    entry = catalogue.CHECKPOINTS[name]
    with pytest.raises(WeightsError) as error:
        store.load(name)
    for part in (name, entry.source, entry.file, str(data_folder), "flair models import"):
        assert part in str(error.value)
    assert next(status for status in store.listing() if status.checkpoint is entry).path is None


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match="flair-x8"):
        store.path("flair-x32")


@pytest.mark.parametrize(("name", "suffix"), [("flair-x8", ".pt"), ("flair-gaussian", ".safetensors")])
def test_import_converts_and_the_network_computes_the_same(name, suffix, tmp_path, data_folder):
    """From half precision, which no processor needs to compute in."""
    network, released = published(name)
    file = tmp_path / f"anything{suffix}"
    if suffix == ".pt":
        torch.save(released, file)
    else:
        save_file({key: value.clone() for key, value in released.items()}, file)
    assert importing.import_checkpoint(file, name) == data_folder / f"{name}.safetensors"
    assert [path.name for path in data_folder.iterdir()] == [f"{name}.safetensors"]
    assert all(value.dtype == torch.float32 for value in store.load(name).values())

    denoiser = load_denoiser(name, CPU)
    x_t, c = torch.rand(2, 2, 3, 32, 32) * 2 - 1
    eps = denoiser.predict_noise(x_t, 500, Condition(c))
    told = denoiser.schedule.alpha_bar[500].sqrt() if isinstance(denoiser, ReleasedBicubic) else 500
    with torch.no_grad():
        flows = network.flows(c[None], (32, 32))
        expected = network(x_t[None], c[None], torch.full((1, 2), float(told)), flows)[0, :, :3]
    assert eps.shape == x_t.shape
    torch.testing.assert_close(eps, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_is_known_by_its_published_name(name, tmp_path):
    file = tmp_path / catalogue.CHECKPOINTS[name].file
    torch.save(published(name)[1], file)
    assert importing.import_checkpoint(file).stem == name
    assert importing.verify(name).path is not None


def test_a_file_of_another_name_needs_to_be_told(checkpoint):
    with pytest.raises(WeightsError, match=r"download\.pt.*--name.*flair-x16"):
        importing.import_checkpoint(checkpoint(name="download.pt"))


FAULTS = {
    "missing key": (
        lambda s: s.pop("mid.0.res_block.block1.block.3.wrapped_module.weight"),
        "mid.0.res_block.block1",
    ),
    "missing copy of the flow network": (
        lambda s: s.pop("ups.3.vsrpp.wrapped_module.spynet.mean"),
        "ups.3.vsrpp",
    ),
    "unknown key": (lambda s: s.update(extra=torch.zeros(1)), "extra"),
    "wrong shape": (
        lambda s: s.update({"downs.0.wrapped_module.weight": torch.zeros(32, 3, 3, 3)}),
        r"downs\.0\.wrapped_module\.weight.*\(32, 3, 3, 3\).*\(32, 6, 3, 3\)",
    ),
    "not a tensor": (lambda s: s.update({"final_conv.block.3.wrapped_module.bias": 3}), "final_conv"),
    "copies differ": (
        lambda s: s.update({"ups.3.vsrpp.wrapped_module.spynet.mean": torch.zeros(1, 3, 1, 1)}),
        r"ups\.3\.vsrpp\.wrapped_module\.spynet\.mean",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_and_leave_what_was_imported(fault, checkpoint, data_folder):
    kept = importing.import_checkpoint(checkpoint()).read_bytes()
    spoil, named = FAULTS[fault]
    with pytest.raises(WeightsError, match=named) as error:
        importing.import_checkpoint(checkpoint(spoil))
    assert "flair_x8_bicubic.pt" in str(error.value)
    assert [path.name for path in data_folder.iterdir()] == ["flair-x8.safetensors"]
    assert (data_folder / "flair-x8.safetensors").read_bytes() == kept


def test_a_checkpoint_of_the_other_network_is_refused(tmp_path):
    torch.save(published("flair-gaussian")[1], tmp_path / "flair_jpeg.pt")
    with pytest.raises(WeightsError, match="another"):
        importing.import_checkpoint(tmp_path / "flair_jpeg.pt", "flair-x8")


class Code:
    """Unpickling it would write a file."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


def test_no_code_is_run(tmp_path):
    witness = tmp_path / "witness"
    for number, save in enumerate((torch.save, lambda thing, file: file.write_bytes(pickle.dumps(thing)))):
        file = tmp_path / f"{number}.pt"
        save({"weight": Code(witness)}, file)
        with pytest.raises(WeightsError, match="more than weights"):
            importing.import_checkpoint(file, "flair-x8")
    assert not witness.exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", None])
def test_damaged_files_are_refused(suffix, content, checkpoint, tmp_path):
    """None: the first half of a good file."""
    file = tmp_path / f"damaged{suffix}"
    whole = checkpoint().read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(WeightsError, match="damaged"):
        importing.import_checkpoint(file, "flair-x8")


def test_a_missing_file_an_archive_and_a_bare_tensor_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no file"):
        importing.import_checkpoint(tmp_path / "none.pt", "flair-x8")
    with zipfile.ZipFile(tmp_path / "checkpoints.zip", "w") as archive:
        archive.writestr("checkpoints/flair_x8_bicubic.pt", b"")
    with pytest.raises(WeightsError, match="Unpack"):
        importing.import_checkpoint(tmp_path / "checkpoints.zip", "flair-x8")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(WeightsError, match="Tensor"):
        importing.import_checkpoint(tmp_path / "tensor.pt", "flair-x8")


def test_restorers_are_checked_against_their_networks(tmp_path):
    with torch.device("meta"):
        shapes = AMT().state_dict()
    state = {key: torch.zeros(value.shape) for key, value in shapes.items()}
    torch.save({"state_dict": state}, tmp_path / "amt-g.pth")
    assert importing.import_checkpoint(tmp_path / "amt-g.pth").stem == "amt"
    assert store.load("amt").keys() == state.keys()
    with pytest.raises(WeightsError, match=r"amt-g\.pth"):
        importing.import_checkpoint(tmp_path / "amt-g.pth", "restoreformer-pp")
    state.pop(last := list(state)[-1])
    torch.save(state, tmp_path / "amt-g.pth")
    with pytest.raises(WeightsError, match=re.escape(last)):
        importing.import_checkpoint(tmp_path / "amt-g.pth")


def test_verify_notices_a_changed_file(checkpoint):
    file = importing.import_checkpoint(checkpoint())
    importing.verify("flair-x8")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="changed"):
        importing.verify("flair-x8")


def test_what_ships_is_not_replaced(checkpoint):
    with pytest.raises(WeightsError, match="starter"):
        importing.import_checkpoint(checkpoint(), "starter")


def test_motion_is_found_once_for_each_window(monkeypatch):
    """It does not depend on t; another condition has other motion."""
    denoiser = ReleasedBicubic(published("flair-x8")[0], CPU)
    calls = []
    found = denoiser.network.flows
    monkeypatch.setattr(denoiser.network, "flows", lambda *inputs: calls.append(1) or found(*inputs))
    x_t, c, other = torch.rand(3, 3, 3, 32, 32)
    first, second = Condition(c), Condition(c, flow_input=other)
    for condition, t, new in ((first, 900, 1), (first, 5, 0), (second, 900, 1), (first, 3, 0)):
        fresh = ReleasedBicubic(denoiser.network, CPU).predict_noise(x_t, t, condition)
        calls.clear()
        assert torch.equal(denoiser.predict_noise(x_t, t, condition), fresh)
        assert len(calls) == new


def test_background_weight_and_flow_input_reach_the_network():
    denoiser = ReleasedDeblurring(published("flair-jpeg")[0], CPU)
    x_t, c, other = torch.rand(3, 2, 3, 32, 32)
    plain = denoiser.predict_noise(x_t, 300, Condition(c))
    assert not torch.equal(plain, denoiser.predict_noise(x_t, 300, Condition(c, flow_input=other)))
    weight = torch.zeros(2, 1, 32, 32)
    assert not torch.equal(plain, denoiser.predict_noise(x_t, 300, Condition(c, weight=weight)))
    ones = denoiser.predict_noise(x_t, 300, Condition(c, weight=torch.ones_like(weight)))
    torch.testing.assert_close(plain, ones)


def parsed(c):
    """Labels of a parser that takes the left half for background."""
    labels = np.ones((len(c), *c.shape[-2:]), np.uint8)
    labels[..., : c.shape[-1] // 2] = 0
    return labels


@pytest.mark.parametrize(("name", "background"), [("flair-x8", 0.93), ("flair-x16", 0.98)])
def test_the_bicubic_networks_carry_less_of_the_background(name, background):
    """Quirk 14 of the golden facts: w̃ is not learned, and the background is the parser's class 0."""
    denoiser, y = NETWORKS[name](published(name)[0], CPU), torch.rand(2, 3, 4, 4)
    told = denoiser.condition(y, (32, 32), DegradationSettings(), parsed)
    assert torch.equal(told.c, upscale(y, (32, 32)))
    assert torch.equal(told.weight[..., :16], torch.full((2, 1, 32, 16), background))
    assert torch.equal(told.weight[..., 16:], torch.ones(2, 1, 32, 16))
    assert denoiser.condition(y, (32, 32), DegradationSettings(), None).weight is None


@pytest.mark.parametrize("name", ["flair-gaussian", "flair-jpeg"])
def test_the_blur_networks_start_from_repeated_pixels_and_find_motion_in_smooth_ones(name):
    denoiser, y = NETWORKS[name](published(name)[0], CPU), torch.rand(2, 3, 8, 8)
    told = denoiser.condition(y, (32, 32), DegradationSettings(), parsed)
    assert torch.equal(told.c[..., ::4, 1::4], y)
    assert torch.equal(told.flow_input, upscale(y, (32, 32)))
    assert told.weight is None


def test_frames_that_do_not_fit_are_refused():
    denoiser = ReleasedBicubic(published("flair-x8")[0], CPU)
    frames = torch.zeros(2, 3, 32, 33)
    with pytest.raises(ShapeError, match="33×32"):
        denoiser.predict_noise(frames, 10, Condition(frames))


class Published(http.server.SimpleHTTPRequestHandler):
    """A site that publishes one file."""

    content = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """`site(content, published)`: serves `content` where the registry says YuNet is, with that checksum."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Published)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def publish(content, published):
        Published.content = content
        entry = replace(
            catalogue.CHECKPOINTS["yunet"],
            url=f"http://127.0.0.1:{server.server_port}/yunet.onnx",
            size=len(published),
            sha256=hashlib.sha256(published).hexdigest(),
        )
        monkeypatch.setattr(
            "flair_core.checkpoints.catalogue.CHECKPOINTS", {**catalogue.CHECKPOINTS, "yunet": entry}
        )

    yield publish
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_checked_and_kept(site, data_folder):
    if not YUNET.is_file():
        pytest.skip(f"no YuNet file at {YUNET}")
    site(YUNET.read_bytes(), YUNET.read_bytes())
    heard = []
    kept = importing.download("yunet", lambda here, total: heard.append((here, total)))
    assert kept == data_folder / "yunet.onnx"
    assert kept.read_bytes() == YUNET.read_bytes()
    assert heard[-1] == (YUNET.stat().st_size, YUNET.stat().st_size)
    assert importing.verify("yunet").as_published
    assert [path.name for path in data_folder.iterdir()] == ["yunet.onnx"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a login page", "another file"), (b"x" * (1 << 20), "more than"), (b"", "another file")],
)
def test_what_is_not_the_published_file_is_not_kept(content, reason, site, data_folder):
    site(content, b"0123456789 the real one")
    with pytest.raises(WeightsError, match=reason):
        importing.download("yunet")
    assert list(data_folder.iterdir()) == []


def test_the_right_bytes_that_are_no_network_are_not_kept(site, data_folder):
    site(b"no network", b"no network")
    with pytest.raises(WeightsError, match="no YuNet model"):
        importing.download("yunet")
    assert list(data_folder.iterdir()) == []


def test_without_a_network_one_hears_why(monkeypatch, data_folder):
    gone = replace(catalogue.CHECKPOINTS["yunet"], url="http://127.0.0.1:9/yunet.onnx")
    monkeypatch.setattr(
        "flair_core.checkpoints.catalogue.CHECKPOINTS", {**catalogue.CHECKPOINTS, "yunet": gone}
    )
    with pytest.raises(WeightsError, match=r"can't be reached \(ConnectionError\)"):
        importing.download("yunet")


def test_what_nobody_knows_the_checksum_of_is_fetched_by_hand():
    with pytest.raises(WeightsError, match="click “Google Drive”"):
        importing.download("flair-x8")
    with pytest.raises(WeightsError, match="There is no model"):
        importing.download("flair-x32")
