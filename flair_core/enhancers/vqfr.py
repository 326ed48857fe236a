"""VQFR, version 2 (Gu et al., 2022): faces from a codebook, their texture warped to the input's shape."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.deformable import deformable_convolution
from flair_core.enhancers.vq_blocks import Codebook, Encoder, FaceDecoder, PlaceAttention, VQBlock, norm

DCN_TAPS = 9


class DeformConv(nn.Conv2d):
    """3×3 modulated deformable convolution of x whose offsets and masks come from another feature."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels, channels, 3, padding=1)
        self.conv_offset = nn.Conv2d(channels, 3 * DCN_TAPS * groups, 3, padding=1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:  # type: ignore[override]
        """x and guide (N, C, h, w) → (N, C, h, w)."""
        steer = self.conv_offset(guide)
        taps = steer.shape[1] // 3
        offset, mask = steer[:, : 2 * taps], steer[:, 2 * taps :].sigmoid()
        return deformable_convolution(x, offset, mask, self.weight, self.bias)


class TextureWarp(nn.Module):
    """Moves the codebook's texture to where the degraded face says it belongs."""

    def __init__(self, channels: int, guide: int, previous: int, groups: int) -> None:
        super().__init__()
        self.offset_conv1 = nn.Sequential(
            nn.Conv2d(channels + guide, channels, 1),
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 1),
        )
        self.offset_conv2 = nn.Sequential(
            nn.Conv2d(channels + previous, channels, 3, padding=1), norm(channels), nn.SiLU()
        )
        self.dcn = DeformConv(channels, groups)

    def forward(self, texture: Tensor, guide: Tensor, previous: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Texture (N, C, h, w), guide (N, g, H, W) → warped texture and offset feature, both (N, C, h, w).

        `previous` holds the coarser level's offset feature, resized to h×w; nothing at the coarsest level.
        """
        guide = functional.interpolate(guide, size=texture.shape[-2:], mode="bilinear", align_corners=False)
        offset = self.offset_conv1(torch.cat((guide, texture), 1))
        offset = self.offset_conv2(torch.cat((offset, *previous), 1))
        return self.dcn(texture, offset), offset


class MainBranch(nn.Module):
    """From coarse to fine: warp the texture of each level and merge it; attributes and keys as released."""

    def __init__(self, widths: Sequence[int], guide: int, groups: int) -> None:
        super().__init__()
        last = len(widths) - 1
        self.levels = [f"Level_{2**level}" for level in range(last, -1, -1)]
        self.decoder_dict, self.pre_upsample_dict = nn.ModuleDict(), nn.ModuleDict()
        self.align_func_dict = nn.ModuleDict({self.levels[0]: TextureWarp(widths[last], guide, 0, groups)})
        for name, width, coarser in zip(self.levels[1:], widths[-2::-1], widths[:0:-1], strict=True):
            self.align_func_dict[name] = TextureWarp(width, guide, coarser, groups)
            up = nn.Upsample(scale_factor=2.0, mode="nearest")
            self.pre_upsample_dict[name] = nn.Sequential(up, nn.Conv2d(coarser, width, 3, padding=1))
            self.decoder_dict[name] = VQBlock(2 * width, width)

    def forward(self, textures: Sequence[Tensor], guide: Tensor) -> Tensor:
        """Textures finest first, guide (N, g, H, W) → the correction to the finest texture."""
        x: Tensor
        x, offset = self.align_func_dict[self.levels[0]](textures[-1], guide, ())
        for name, texture in zip(self.levels[1:], textures[-2::-1], strict=True):
            # Twice the size: offsets, in pixels, double too.
            previous = 2 * functional.interpolate(
                offset, scale_factor=2.0, mode="bilinear", align_corners=False
            )
            warped, offset = self.align_func_dict[name](texture, guide, (previous,))
            x = self.decoder_dict[name](torch.cat((self.pre_upsample_dict[name](x), warped), 1))
        return x


class VQFR(nn.Module):
    """Face restorer with a texture and a main decoder; the defaults are those of the released weights."""

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 128, 256, 256, 512),
        *,
        encoder_blocks: int = 2,
        decoder_blocks: int = 2,
        codes: int = 1024,
        code_channels: int = 256,
        guide_channels: int = 32,
        groups: int = 4,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(widths, encoder_blocks, code_channels, PlaceAttention)
        self.feat2index = nn.Sequential(nn.LayerNorm(code_channels), nn.Linear(code_channels, codes))
        self.quantizer = Codebook(codes, code_channels)
        self.decoder = FaceDecoder(widths, decoder_blocks, code_channels, PlaceAttention, (len(widths) - 1,))
        self.main_branch = MainBranch(widths, guide_channels, groups)
        self.inpfeat_extraction = nn.Conv2d(3, guide_channels, 3, padding=1)

    def code_logits(self, faces: Tensor) -> Tensor:
        """(F, 3, H, W) → how well every code fits every place, (F, H/32, W/32, codes)."""
        features, _ = self.encoder(faces)
        logits: Tensor = self.feat2index(features.movedim(1, -1))
        return logits

    def forward(self, faces: Tensor, fidelity: float = 1.0) -> Tensor:
        """(F, 3, H, W) in [-1, 1], sides multiples of 32 → the same shape, about [-1, 1], not clamped.

        `fidelity` in [0, 1]: 0 is the codebook's face alone, 1 the face warped to the input as trained.
        """
        textures = self.decoder.features(self.quantizer(self.code_logits(faces).argmax(-1)))
        main = textures[0]
        if fidelity > 0:  # two thirds of the time are spent here
            main = main + fidelity * self.main_branch(textures, self.inpfeat_extraction(faces))
        restored: Tensor = self.decoder.conv_out(main)
        return restored
