"""What is where in an aligned face, by a face parser through facexlib whose file the user has."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from flair_core.checkpoints import catalogue, store
from flair_core.errors import SettingsError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

SIZE = 512
"""Side of the faces that both parsers were trained on."""


@dataclass(frozen=True, slots=True)
class Network:
    """A parser that facexlib has, and what its labels mean."""

    mean: tuple[float, float, float]
    """Of its input on the [0, 1] scale."""
    std: tuple[float, float, float]
    classes: Mapping[str, frozenset[int]]
    """Labels of face, glasses, hair and neck; the rest is background, clothes, hats and what hides a face.

    Eyes (with brows and glasses) and mouth are parts of the face.
    """


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "parsenet": Network(
            (0.5, 0.5, 0.5),
            (0.5, 0.5, 0.5),
            {
                "face": frozenset({1, 2, *range(4, 13)}),
                "glasses": frozenset({3}),
                "hair": frozenset({13}),
                "neck": frozenset({17}),
                "eyes": frozenset({3, 4, 5, 6, 7}),
                "mouth": frozenset({10, 11, 12}),
            },
        ),
        "bisenet": Network(
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
            {
                "face": frozenset({*range(1, 6), 7, 8, *range(10, 14)}),
                "glasses": frozenset({6}),
                "hair": frozenset({17}),
                "neck": frozenset({14}),
                "eyes": frozenset({2, 3, 4, 5, 6}),
                "mouth": frozenset({11, 12, 13}),
            },
        ),
    }
)


class Parser:
    """Labels every pixel of aligned faces; `classes` says which labels are face, glasses, hair and so on."""

    def __init__(self, name: str, file: Path | None = None, device: torch.device | None = None) -> None:
        """The parser called parsenet or bisenet; None takes the file that was imported.

        device: where it computes; None is the CPU.

        Raises WeightsError when the file is missing or does not fit, SettingsError for an unknown name.
        """
        if name not in NETWORKS:
            raise SettingsError(f"There is no face parser {name!r}; choose {', '.join(NETWORKS)}.")
        network = NETWORKS[name]
        if file is None:
            try:
                file = store.path(name)
            except WeightsError as error:
                raise WeightsError(f"{error} Or choose the mask “landmarks”.") from None
        from facexlib import parsing

        self.classes = network.classes
        self._network: Any = (
            parsing.ParseNet(in_size=SIZE, out_size=SIZE, parsing_ch=19)
            if name == "parsenet"
            else parsing.BiSeNet(num_class=19)
        )
        try:
            self._network.load_state_dict(store.read(file))
        except RuntimeError:
            wanted = catalogue.CHECKPOINTS[name].file
            raise WeightsError(f"{file} holds another network than {name}. Fetch {wanted}.") from None
        self._device = device or torch.device("cpu")
        self._network.eval().to(self._device)
        self._mean = torch.tensor(network.mean, device=self._device).view(3, 1, 1)
        self._std = torch.tensor(network.std, device=self._device).view(3, 1, 1)

    @torch.inference_mode()
    def labels(self, faces: Tensor) -> NDArray[np.uint8]:
        """(F, S, S) labels of aligned faces (F, 3, S, S) in [-1, 1]."""
        size = faces.shape[-2:]
        labels = np.empty((len(faces), *size), np.uint8)
        # One by one: its features at this size need half a gigabyte for each face.
        for at, face in enumerate(faces.float().to(self._device)):
            large = functional.interpolate(face[None], size=(SIZE, SIZE), mode="bicubic", antialias=True)
            scores = self._network(((large + 1) / 2 - self._mean) / self._std)[0]
            scores = functional.interpolate(scores, size=size, mode="bilinear", align_corners=False)
            labels[at] = scores[0].argmax(0).cpu().numpy()
        return labels
