"""Every checkpoint that the program knows, with its licence and where it comes from: data only."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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


BUILT_IN = (*COMPACT, SHIPPED_ENHANCER)


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
        purpose="enhancer that draws what the starter leaves soft",
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


ONNX = ".onnx"
"""Files of this kind hold no tensors by key, and are kept as they are."""


CHECKPOINTS: Mapping[str, Checkpoint] = MappingProxyType({entry.name: entry for entry in _ALL})
