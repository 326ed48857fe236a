"""Checkpoints that others publish: which there are, where to get them, how they come into the data folder.

Nothing is downloaded that was not asked for. A file that was fetched is read without running code from it,
checked key by key against its network, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import platformdirs

from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file that holds a network."""

    name: str
    purpose: str
    licence: str
    file: str
    """What it is called where it is published."""
    source: str
    """Where to get it: what to open and where to click."""
    size: int | None = None
    """In bytes, as published; None when it is not known for sure."""
    sha256: str | None = None
    """As published; None when it is not known for sure."""
    url: str | None = None
    """What `download` fetches; None when a person has to."""


@dataclass(frozen=True, slots=True)
class Status:
    """A checkpoint on this computer."""

    checkpoint: Checkpoint
    path: Path | None
    """None when it is not here."""
    as_published: bool | None = None
    """Whether it came from exactly the published file; None when that one's checksum is unknown."""


def _flair(name: str, file: str, purpose: str) -> Checkpoint:
    return Checkpoint(
        name=name,
        purpose=f"the authors' network for {purpose}, 512×512",
        licence="MIT, that of the authors' repository",
        file=file,
        source="open https://github.com/wustl-cig/FLAIR, click “Google Drive” in the README under “Download "
        "Pre-trained Models”, there click the download arrow at the top right, and unpack what arrives",
    )


def _released(name: str, url: str, size: int, sha256: str, *, purpose: str, licence: str) -> Checkpoint:
    return Checkpoint(
        name=name,
        purpose=purpose,
        licence=licence,
        file=url.rpartition("/")[2],
        source=f"run “flair models get {name}”, or download {url}",
        size=size,
        sha256=sha256,
        url=url,
    )


_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"
SHIPPED, SHIPPED_VIDEO, SHIPPED_VIVID, SHIPPED_ENHANCER = (
    "starter",
    "starter-video",
    "starter-vivid",
    "starter-detail",
)
"""Come with the application: θ, θ with the temporal layers φ, a θ that draws, and an enhancer G."""
COMPACT = (SHIPPED, SHIPPED_VIDEO, SHIPPED_VIVID)
_BUILT_IN = (*COMPACT, SHIPPED_ENHANCER)
RELEASED = ("flair-x8", "flair-x16", "flair-gaussian", "flair-jpeg")
"""The authors' networks."""
RELEASED_PARSER = "parsenet"
"""What their program parses faces with."""
_ALL = (
    Checkpoint(
        name=SHIPPED,
        purpose="compact network for all degradations, 256×256",
        licence="CC BY-NC-SA 4.0, non-commercial use only",
        file="starter.safetensors",
        source="install the application again",
    ),
    Checkpoint(
        name=SHIPPED_VIDEO,
        purpose="the same with temporal layers: 7 frames look at each other; steadier in movement, slower",
        licence="CC BY-NC-SA 4.0, non-commercial use only",
        file="starter_video.safetensors",
        source="install the application again",
    ),
    Checkpoint(
        name=SHIPPED_VIVID,
        purpose="the same, drawing what the footage leaves open, with every seed something else",
        licence="CC BY-NC-SA 4.0, non-commercial use only",
        file="starter_vivid.safetensors",
        source="install the application again",
    ),
    Checkpoint(
        name=SHIPPED_ENHANCER,
        purpose="enhancer that sharpens what the starter leaves faint",
        licence="CC BY-NC-SA 4.0, non-commercial use only",
        file="starter_detail.safetensors",
        source="install the application again",
    ),
    _flair("flair-x8", "flair_x8_bicubic.pt", "×8 bicubic super-resolution"),
    _flair("flair-x16", "flair_x16_bicubic.pt", "×16 bicubic super-resolution"),
    _flair("flair-gaussian", "flair_gaussian.pt", "×4 with blur and noise"),
    _flair("flair-jpeg", "flair_jpeg.pt", "×4 with blur and JPEG"),
    _released(
        "codeformer",
        "https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth",
        376_637_898,
        "1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
        purpose="enhancer with a fidelity weight; needs spandrel-extra-arches",
        licence="S-Lab License 1.0, non-commercial use only",
    ),
    _released(
        "gfpgan",
        "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth",
        348_632_874,
        "e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        purpose="enhancer with a generative prior",
        licence="Apache-2.0",
    ),
    Checkpoint(
        name="restoreformer",
        purpose="enhancer with a dictionary of faces",
        licence="none stated in its README",
        file="RestoreFormer.pth",
        source="download https://github.com/TencentARC/GFPGAN/releases/download/v1.3.4/RestoreFormer.pth",
    ),
    Checkpoint(
        name="restoreformer-pp",
        purpose="enhancer: RestoreFormer++, with a dictionary of faces on several scales",
        licence="none stated in its README",
        file="RestoreFormer++.ckpt",
        source="open https://github.com/wzhouxiff/RestoreFormerPlusPlus, choose Releases, and download "
        "RestoreFormer++.ckpt of v1.0.0",
    ),
    Checkpoint(
        name="vqfr",
        purpose="enhancer with a codebook of textures",
        licence="Apache-2.0",
        file="VQFR_v2.pth",
        source="open https://github.com/TencentARC/VQFR, choose Releases, and download VQFR_v2.pth",
    ),
    _released(
        "yunet",
        "https://huggingface.co/opencv/face_detection_yunet/resolve/main/face_detection_yunet_2023mar.onnx",
        232_589,
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        purpose="face detector: YuNet, small and fast",
        licence="MIT",
    ),
    _released(
        "retinaface",
        f"{_FACEXLIB}/v0.1.0/detection_Resnet50_Final.pth",
        109_497_761,
        "6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        purpose="face detector: RetinaFace with a ResNet-50, the most thorough",
        licence="MIT, that of facexlib",
    ),
    _released(
        "parsenet",
        f"{_FACEXLIB}/v0.2.2/parsing_parsenet.pth",
        85_331_193,
        "3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        purpose="face parser for masks: ParseNet, that of the released program",
        licence="MIT, that of facexlib",
    ),
    _released(
        "bisenet",
        f"{_FACEXLIB}/v0.2.0/parsing_bisenet.pth",
        53_289_463,
        "468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        purpose="face parser for masks: BiSeNet, faster",
        licence="MIT, that of facexlib",
    ),
    Checkpoint(
        name="amt",
        purpose="frames between frames: AMT-G",
        licence="CC BY-NC 4.0, non-commercial use only",
        file="amt-g.pth",
        source="open https://github.com/MCG-NKU/AMT, click the Google Drive link of AMT-G in the README "
        "under “Pretrained Models”, and there the download arrow at the top right",
    ),
)
CHUNK = 1 << 18
"""Bytes of a download that are taken at a time."""
ONNX = ".onnx"
"""Files of this kind hold no tensors by key, and are kept as they are."""
CHECKPOINTS: Mapping[str, Checkpoint] = MappingProxyType({entry.name: entry for entry in _ALL})


def folder() -> Path:
    """Where imported checkpoints lie."""
    return platformdirs.user_data_path("flair-studio", appauthor=False) / "models"


def path(name: str) -> Path:
    """The file of a checkpoint.

    Raises WeightsError when it is not here, and says what to fetch and where to put it.
    """
    file = _place(name)
    if file.is_file():
        return file
    entry = CHECKPOINTS[name]
    if name in _BUILT_IN:
        raise WeightsError(
            f"The model {name} comes with the application, but {file} is missing: {entry.source}."
        )
    raise WeightsError(
        f"The model {name} is not on this computer. To get it, {entry.source}. Then run "
        f"“flair models import {entry.file} --name {name}”, which puts it into {file.parent}."
    )


def _place(name: str) -> Path:
    if name not in CHECKPOINTS:
        raise WeightsError(f"There is no model {name!r}; there are {', '.join(CHECKPOINTS)}.")
    if name in _BUILT_IN:
        return Path(str(resources.files("resources") / CHECKPOINTS[name].file))
    return folder() / f"{name}{ONNX if CHECKPOINTS[name].file.endswith(ONNX) else '.safetensors'}"


def here(name: str) -> bool:
    """Whether the checkpoint's file is on this computer."""
    return _place(name).is_file()


def listing() -> list[Status]:
    """All checkpoints that can be used, here or not."""
    return [_status(name) for name in CHECKPOINTS]


def _status(name: str) -> Status:
    entry, file = CHECKPOINTS[name], _place(name)
    if not file.is_file():
        return Status(entry, None)
    if entry.sha256 is None:
        return Status(entry, file)
    origin = sha256_of(file) if file.suffix == ONNX else _metadata(file).get("source_sha256")
    return Status(entry, file, origin == entry.sha256)


def download(name: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch a published file, check its size and SHA-256, and import it; returns where it lies.

    progress: hears how many bytes of how many are here; what it raises ends the download.
    Raises WeightsError when nobody knows its checksum, the network fails, or something else arrives.
    """
    import pooch  # noqa: PLC0415
    import requests  # noqa: PLC0415

    _place(name)
    entry = CHECKPOINTS[name]
    if entry.url is None or entry.size is None:
        raise WeightsError(f"The model {name} can't be downloaded from here. To get it, {entry.source}.")
    fetch = pooch.HTTPDownloader(progressbar=_Meter(entry, progress), chunk_size=CHUNK, timeout=30)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as scratch:
            pooch.get_logger().setLevel("ERROR")
            known_hash = f"sha256:{entry.sha256}"
            file = pooch.retrieve(entry.url, known_hash, fname=entry.file, path=scratch, downloader=fetch)
            return import_checkpoint(Path(file), name)
    except requests.RequestException as error:
        reason = f"{entry.url} can't be reached ({type(error).__name__})"
        raise WeightsError(f"{reason}. Check the network, or fetch it elsewhere and import it.") from None
    except ValueError:  # pooch's word for another checksum
        raise WeightsError(
            f"{entry.url} holds another file than the {entry.file} that was published. Nothing was kept."
        ) from None
    except OSError as error:
        raise WeightsError(
            f"{folder()} can't be written ({error}). Free some space or allow writing."
        ) from None


class _Meter:
    """What pooch takes for a progress bar; stops what grows larger than what was published."""

    def __init__(self, entry: Checkpoint, progress: Callable[[int, int], None] | None) -> None:
        self._entry, self._progress, self._here = entry, progress, 0
        self.total = 0

    def update(self, count: int) -> None:
        assert self._entry.size is not None
        self._here += count
        if self._here >= self._entry.size + CHUNK:  # pooch counts whole chunks
            raise WeightsError(f"{self._entry.url} holds more than {self._entry.file}. Nothing was kept.")
        if self._progress:
            self._progress(min(self._here, self._entry.size), self._entry.size)

    def reset(self) -> None:
        """At the end pooch counts to the total once more."""
        self._here = 0

    def close(self) -> None:
        """Nothing to put away."""


def import_checkpoint(file: Path, name: str | None = None) -> Path:
    """Check a published file against its network and keep it in the data folder; returns where it lies.

    name: which checkpoint it is; None knows it by the name of the file. Raises WeightsError when that is not
    clear, when reading the file would run code, or when its keys and shapes are not those of the network.
    """
    from safetensors.torch import save_file  # noqa: PLC0415 - loads torch

    name = name or _by_file_name(file)
    target = _place(name)
    if name in _BUILT_IN:
        raise WeightsError(f"The model {name} comes with the application and can't be replaced.")
    tensors = {key: value.contiguous() for key, value in _fitting(name, file).items()}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = Path(scratch) / target.name
            if target.suffix == ONNX:
                shutil.copyfile(file, fresh)
            else:
                metadata = {"source": file.name, "source_sha256": sha256_of(file), "digest": _digest(tensors)}
                save_file(tensors, fresh, metadata)
            os.replace(fresh, target)  # noqa: PTH105 - whole or not at all
    except OSError as error:
        raise WeightsError(
            f"{target} can't be written ({error}). Free some space or allow writing."
        ) from None
    return target


def _by_file_name(file: Path) -> str:
    for entry in CHECKPOINTS.values():
        if file.name.lower() == entry.file.lower():
            return entry.name
    known = ", ".join(name for name in CHECKPOINTS if name not in _BUILT_IN)
    raise WeightsError(f"No model is published as {file.name}. Say with --name which one it is: {known}.")


def _fitting(name: str, file: Path) -> dict[str, Tensor]:
    """The tensors of the file, under the keys that its network is loaded with; none of an ONNX file."""
    import torch  # noqa: PLC0415

    from flair_core.denoisers import importer, released  # noqa: PLC0415
    from flair_core.faces import detect, parse  # noqa: PLC0415

    if name in detect.NETWORKS:
        detect.load_detector(name, file)
        return {} if CHECKPOINTS[name].file.endswith(ONNX) else read(file)
    state = read(file)
    if name in parse.NETWORKS:
        parse.Parser(name, file)
        return state
    if name in RELEASED:
        with torch.device("meta"):
            network = released.NETWORKS[name].network_class()
        return importer.convert(state, network, file.name)

    from flair_core.enhancers import checkpoint  # noqa: PLC0415

    unwrapped = checkpoint.unwrap(state)
    if name == "amt":
        from flair_core.interpolation.amt import AMT  # noqa: PLC0415

        checkpoint.build(AMT, unwrapped, file.name)
    else:
        from flair_core.enhancers.factory import load_enhancer  # noqa: PLC0415

        load_enhancer(name, torch.device("cpu"), path=file)
    return unwrapped


def read(file: Path) -> dict[str, Any]:
    """What a checkpoint holds: tensors by key, perhaps inside of further dictionaries. No code in it is run.

    Raises WeightsError when the file is missing, an archive or damaged, or holds more than weights.
    """
    import torch  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    if not file.is_file():
        raise WeightsError(f"There is no file {file}. Check its path.")
    if _is_archive(file):
        raise WeightsError(
            f"{file.name} is an archive. Unpack it and import the checkpoints in it one by one."
        )
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file.name} can't be read ({error}). Fetch it again.") from None
    except Exception as error:  # a damaged pickle may raise anything
        said = str(error).splitlines()[:1]
        reason = said[0] if said and not said[0].isdigit() else type(error).__name__
        raise WeightsError(
            f"{file.name} is damaged or holds more than weights ({reason}). Fetch it again."
        ) from None
    if not isinstance(state, dict):
        raise WeightsError(f"{file.name} holds a {type(state).__name__}, but should hold tensors by key.")
    return state


def _is_archive(file: Path) -> bool:
    """Whether it is a ZIP file that PyTorch has not written."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as opened:
        return not any(entry.endswith("data.pkl") for entry in opened.namelist())


def load(name: str) -> dict[str, Tensor]:
    """The tensors of an imported checkpoint, in float32 on the CPU. Raises WeightsError as `path` does."""
    tensors: dict[str, Tensor] = read(path(name))
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def verify(name: str) -> Status:
    """Check that a checkpoint holds what was imported. Raises WeightsError when it does not."""
    file = path(name)
    if file.suffix == ONNX:
        _fitting(name, file)
        return _status(name)
    tensors = read(file)
    if name not in _BUILT_IN and _digest(tensors) != _metadata(file).get("digest"):
        original = CHECKPOINTS[name].file
        raise WeightsError(
            f"{file} has changed since it was imported: delete it and import {original} again."
        )
    return _status(name)


def _metadata(file: Path) -> Mapping[str, str]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(file, framework="pt") as opened:
            return opened.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def sha256_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over keys, types, shapes and values."""
    import torch  # noqa: PLC0415

    found = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        found.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
