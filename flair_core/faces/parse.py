"""What is where in an aligned face, by a face parser through facexlib whose file the user has."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from flair_core.errors import SettingsError, WeightsError
from flair_core.weights import folder, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

SIZE = 512
"""Side of the faces that both parsers were trained on."""
RELEASED = "https://github.com/xinntao/facexlib/releases/download/"


@dataclass(frozen=True, slots=True)
class Network:
    """A parser that facexlib has, and what its labels mean."""

    file: str
    source: str
    mean: tuple[float, float, float]
    """Of its input on the [0, 1] scale."""
    std: tuple[float, float, float]
    classes: Mapping[str, frozenset[int]]
    """Labels of face, glasses, hair and neck; the rest is background, clothes, hats and what hides a face."""


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "parsenet": Network(
            "parsing_parsenet.pth",
            RELEASED + "v0.2.2/parsing_parsenet.pth",
            (0.5, 0.5, 0.5),
            (0.5, 0.5, 0.5),
            {
                "face": frozenset({1, 2, *range(4, 13)}),
                "glasses": frozenset({3}),
                "hair": frozenset({13}),
                "neck": frozenset({17}),
            },
        ),
        "bisenet": Network(
            "parsing_bisenet.pth",
            RELEASED + "v0.2.0/parsing_bisenet.pth",
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
            {
                "face": frozenset({*range(1, 6), 7, 8, *range(10, 14)}),
                "glasses": frozenset({6}),
                "hair": frozenset({17}),
                "neck": frozenset({14}),
            },
        ),
    }
)


class Parser:
    """Labels every pixel of aligned faces; `classes` says which labels are face, glasses, hair and neck."""

    def __init__(self, name: str, file: Path | None = None) -> None:
        """The parser called parsenet or bisenet; None looks for its file in the user's data folder.

        Raises WeightsError when the file is missing or does not fit, SettingsError for an unknown name.
        """
        if name not in NETWORKS:
            raise SettingsError(f"There is no face parser {name!r}; choose {', '.join(NETWORKS)}.")
        network = NETWORKS[name]
        file = file or folder() / network.file
        if not file.is_file():
            raise WeightsError(
                f"The parser {name} needs {network.file}, but there is no {file}. Download it from "
                f"{network.source} and put it there, or use a mask that needs no parser."
            )
        from facexlib import parsing  # noqa: PLC0415 - slow to import

        self.classes = network.classes
        self._network: Any = (
            parsing.ParseNet(in_size=SIZE, out_size=SIZE, parsing_ch=19)
            if name == "parsenet"
            else parsing.BiSeNet(num_class=19)
        )
        try:
            self._network.load_state_dict(read(file))
        except RuntimeError:
            raise WeightsError(
                f"{file} holds another network than {name}. Download {network.source}."
            ) from None
        self._network.eval()
        self._mean = torch.tensor(network.mean).view(3, 1, 1)
        self._std = torch.tensor(network.std).view(3, 1, 1)

    @torch.inference_mode()
    def labels(self, faces: Tensor) -> NDArray[np.uint8]:
        """(F, S, S) labels of aligned faces (F, 3, S, S) in [-1, 1]."""
        size = faces.shape[-2:]
        large = functional.interpolate(faces.float().cpu(), size=(SIZE, SIZE), mode="bicubic", antialias=True)
        scores = self._network(((large + 1) / 2 - self._mean) / self._std)[0]
        scores = functional.interpolate(scores, size=size, mode="bilinear", align_corners=False)
        return np.asarray(scores.argmax(1), np.uint8)
