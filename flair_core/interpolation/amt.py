"""AMT: frame interpolation by all-pairs correlation and several flows (Li et al., CVPR 2023), form G."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.errors import SettingsError, ShapeError
from flair_core.interpolation.amt_blocks import (
    Correlation,
    FeatureEncoder,
    FeaturePyramid,
    FlowDecoder,
    UpdateBlock,
    conv_prelu,
    grid,
    resize,
    warp_clamped,
)

GRID = 16
"""Sides are padded to multiples of this, the coarsest level's pixel."""
SMALLEST = 32
SMALL = 64
"""Up to this side images are worked on at twice the size: the correlation halves an eighth of it thrice."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """What does not depend on the moment: seen once for all frames between the two."""

    images: tuple[Tensor, Tensor]
    """(N, 3, H, W) each, less their common mean."""
    mean: Tensor
    """(N, 1, 1, 1)"""
    features: tuple[list[Tensor], list[Tensor]]
    correlation: Correlation
    places: Tensor


class AMT(nn.Module):
    """Predicts frames between two frames; the defaults are those of AMT-G, as in the released program."""

    def __init__(
        self,
        channels: Sequence[int] = (84, 96, 112, 128),
        *,
        skip_channels: int = 84,
        num_flows: int = 5,
        corr_lvls: int = 4,
        corr_radius: int = 3,
    ) -> None:
        super().__init__()
        self.num_flows, self.levels, self.radius = num_flows, corr_lvls, corr_radius
        c1, c2, c3, c4 = channels
        looked_up = 2 * corr_lvls * (2 * corr_radius + 1) ** 2
        self.feat_encoder, self.encoder = FeatureEncoder(), FeaturePyramid(channels)
        self.decoder4 = FlowDecoder(2 * c4 + 1, 2 * c4, c3 + 4, skip_channels)
        self.decoder3 = FlowDecoder(3 * c3 + 4, 3 * c3, c2 + 4, skip_channels)
        self.decoder2 = FlowDecoder(3 * c2 + 4, 3 * c2, c1 + 4, skip_channels)
        self.decoder1 = FlowDecoder(3 * c1 + 4, 3 * c1, 8 * num_flows, skip_channels)
        self.update4 = UpdateBlock(c3, looked_up)
        self.update3_low, self.update3_high = UpdateBlock(c2, looked_up, 2), UpdateBlock(c2, looked_up)
        self.update2_low, self.update2_high = UpdateBlock(c1, looked_up, 4), UpdateBlock(c1, looked_up)
        merge = nn.Conv2d(6 * num_flows, 3, 7, 1, 3)
        self.comb_block = nn.Sequential(*conv_prelu(3 * num_flows, 6 * num_flows, 7), merge)

    def forward(self, frame0: Tensor, frame1: Tensor, moments: Sequence[float]) -> Tensor:
        """Frames (N, 3, H, W) in [-1, 1] of any size, T moments (0: frame0, 1: frame1) → (N, T, 3, H, W).

        Raises ShapeError if the frames differ in shape, SettingsError if a moment isn't between them.
        """
        if frame0.shape != frame1.shape:
            raise ShapeError(
                f"The frames are {tuple(frame0.shape)} and {tuple(frame1.shape)}, but must be alike."
            )
        if wrong := [t for t in moments if not 0 < t < 1]:
            raise SettingsError(f"Frames are made at moments between 0 and 1, but got {wrong[0]}.")
        height, width = frame0.shape[-2:]
        border = [*_border(width), *_border(height)]
        image0, image1 = (
            functional.pad((frame + 1) / 2, border, mode="replicate") for frame in (frame0, frame1)
        )
        pair = self._look(image0, image1)
        frames = [self._at(pair, t).clamp(0, 1) for t in moments]
        made = torch.stack(frames, 1) if frames else image0.new_empty(len(image0), 0, *image0.shape[1:])
        return made[..., border[2] : border[2] + height, border[0] : border[0] + width] * 2 - 1

    def _look(self, image0: Tensor, image1: Tensor) -> _Pair:
        mean = torch.stack((image0, image1)).mean((0, 2, 3, 4)).view(-1, 1, 1, 1)
        image0, image1 = image0 - mean, image1 - mean
        small0, small1 = (resize(x, _zoom(x)) if _zoom(x) > 1 else x for x in (image0, image1))
        compared0, compared1 = self.feat_encoder(small0), self.feat_encoder(small1)
        correlation = Correlation(compared0, compared1, self.levels, self.radius)
        features = (self.encoder(small0), self.encoder(small1))
        return _Pair((image0, image1), mean, features, correlation, grid(compared0.shape[-2:], image0))

    def _at(self, pair: _Pair, t: float) -> Tensor:
        """The frame at moment t, (N, 3, H, W), about [0, 1]."""
        coarsest0, coarsest1 = (features[3] for features in pair.features)
        moment = coarsest0.new_full((len(coarsest0), 1, *coarsest0.shape[-2:]), t)
        out = self.decoder4(coarsest0, coarsest1, moment)
        flows, feature = out[:, :4], out[:, 4:]
        found = self._compare(pair, flows, t)
        more_feature, more_flows = self.update4(feature, flows, found)
        feature, flows = feature + more_feature, flows + more_flows
        for level, factor, decoder, low, high in (
            (2, 2, self.decoder3, self.update3_low, self.update3_high),
            (1, 4, self.decoder2, self.update2_low, self.update2_high),
        ):
            out = self._decode(decoder, pair, level, feature, flows)
            flows, feature = out[:, :4] + 2 * resize(flows, 2), out[:, 4:]
            coarse = resize(flows, 1 / factor) / factor
            found = self._compare(pair, coarse, t)
            more_feature, more_flows = low(feature, coarse, found)
            feature, flows = feature + more_feature, flows + more_flows
            more_feature, more_flows = high(feature, flows, resize(found, factor))
            feature, flows = feature + more_feature, flows + more_flows
        return self._merge(pair, self._decode(self.decoder1, pair, 0, feature, flows), flows)

    def _compare(self, pair: _Pair, flows: Tensor, t: float) -> Tensor:
        """Correlations where straight motion through the middle frame's place would meet both images."""
        to0, to1 = flows.chunk(2, 1)
        return pair.correlation.look_up(pair.places + to1 / t, pair.places + to0 / (1 - t))

    @staticmethod
    def _decode(decoder: FlowDecoder, pair: _Pair, level: int, feature: Tensor, flows: Tensor) -> Tensor:
        warped = (
            warp_clamped(own[level], flow) for own, flow in zip(pair.features, flows.chunk(2, 1), strict=True)
        )
        out: Tensor = decoder(feature, *warped, flows)
        return out

    def _merge(self, pair: _Pair, out: Tensor, flows: Tensor) -> Tensor:
        """Warp both images by each of the finest flows, blend, and merge the candidates."""
        many = self.num_flows
        by = 1 / _zoom(pair.images[0])
        coarse = 2 * resize(flows, 2)
        candidates0 = out[:, : 2 * many] + coarse[:, :2].repeat(1, many, 1, 1)
        candidates1 = out[:, 2 * many : 4 * many] + coarse[:, 2:].repeat(1, many, 1, 1)
        mask, rest = out[:, 4 * many : 5 * many].sigmoid(), out[:, 5 * many :]
        if by < 1:
            candidates0, candidates1 = by * resize(candidates0, by), by * resize(candidates1, by)
            mask, rest = resize(mask, by), resize(rest, by)
        warped0, warped1 = (
            torch.stack([warp_clamped(image, flow) for flow in flows.chunk(many, 1)], 1)
            for image, flows in zip(pair.images, (candidates0, candidates1), strict=True)
        )
        mask = mask.unsqueeze(2)
        blended = (
            mask * warped0
            + (1 - mask) * warped1
            + rest.reshape(len(rest), many, 3, *rest.shape[2:])
            + pair.mean.unsqueeze(1)
        )
        merged: Tensor = blended.mean(1) + self.comb_block(blended.flatten(1, 2))
        return merged


def _border(side: int) -> tuple[int, int]:
    """Pixels to repeat before and after a side: it becomes a multiple of GRID and no less than SMALLEST."""
    missing = max(SMALLEST, -(-side // GRID) * GRID) - side
    return missing // 2, missing - missing // 2


def _zoom(image: Tensor) -> int:
    return 2 if min(image.shape[-2:]) <= SMALL else 1
