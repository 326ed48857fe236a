"""RestoreFormer++ (Wang et al., 2023) and, with one scale of attention, RestoreFormer (Wang et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn

from flair_core.enhancers.vq_blocks import (
    Codebook,
    Downsample,
    Encoder,
    FaceDecoder,
    PlaceAttention,
    Upsample,
    VQBlock,
)

WIDTHS = (64, 128, 128, 256, 256, 512)
ENCODER_BLOCKS, DECODER_BLOCKS = 2, 3
CODES, CODE_CHANNELS = 1024, 256
HEADS = 4


class RestoreFormer(nn.Module):
    """Face restorer that asks the decoded codes about the degraded face's own features.

    `multi_scale`: attention at the two coarsest levels (RestoreFormer++) or only the last (RestoreFormer).
    `heads`: 4 in RestoreFormer++; the published RestoreFormer weights were trained with 8.
    """

    def __init__(self, *, multi_scale: bool = True, heads: int = HEADS) -> None:
        super().__init__()
        attention = partial(PlaceAttention, heads=heads, cross=True)
        coarsest = len(WIDTHS) - 1
        self.encoder = Encoder(WIDTHS, ENCODER_BLOCKS, CODE_CHANNELS, attention)
        self.quant_conv = nn.Conv2d(CODE_CHANNELS, CODE_CHANNELS, 1)
        self.quantize = Codebook(CODES, CODE_CHANNELS)
        self.post_quant_conv = nn.Conv2d(CODE_CHANNELS, CODE_CHANNELS, 1)
        attentive = (coarsest - 1, coarsest) if multi_scale else (coarsest,)
        self.decoder = FaceDecoder(WIDTHS, DECODER_BLOCKS, CODE_CHANNELS, attention, attentive)

    def encode(self, faces: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(F, 3, H, W) → features to be looked up, (F, 256, H/32, W/32), and the memory for the decoder."""
        z, memory = self.encoder(faces)
        return self.quant_conv(z), memory

    def forward(self, faces: Tensor) -> Tensor:
        """(F, 3, H, W) in [-1, 1], sides multiples of 32 → the same shape, about [-1, 1], not clamped."""
        z, memory = self.encode(faces)
        codes = self.quantize(self.quantize.nearest(z))
        restored: Tensor = self.decoder.conv_out(
            self.decoder.features(self.post_quant_conv(codes), memory)[0]
        )
        return restored


def released_keys(network: RestoreFormer) -> dict[str, str]:
    """Our key → the key in the released files, for every entry of the network's state dict."""
    places = dict(_places(network))
    inner = {"norm": "norm1", "norm_memory": "norm2"}
    keys = {}
    for ours in network.state_dict():
        place = next((place for place in places if ours.startswith(place + ".")), "")
        rest = ours.removeprefix(place).replace(".residual_func.", ".nin_shortcut.")
        if isinstance(network.get_submodule(place), PlaceAttention):
            layer, name = rest[1:].split(".")
            rest = f".{inner.get(layer, layer)}.{name}"
        keys[ours] = places.get(place, "") + rest
    return keys


def _places(network: RestoreFormer) -> Iterator[tuple[str, str]]:
    """Pairs (our layer, released layer) where the two are called differently.

    They number the sizes from the finest, keep residual blocks and attention in lists of their own, and
    resize at the end of a level where we do at the start of the next.
    """
    last = len(WIDTHS) - 1
    for part, direction, sizes in (
        ("encoder", "down", range(last + 1)),
        ("decoder", "up", range(last, -1, -1)),
    ):
        for index, name in enumerate(("block_1", "attn_1", "block_2")):
            yield f"{part}.mid_blocks.{index}", f"{part}.mid.{name}"
        yield f"{part}.conv_out.0", f"{part}.norm_out"
        yield f"{part}.conv_out.2", f"{part}.conv_out"
        for position, size in enumerate(sizes):
            seen = {PlaceAttention: 0, VQBlock: 0}
            for index, layer in enumerate(network.get_submodule(f"{part}.blocks.{position}").children()):
                match layer:
                    case Downsample():
                        theirs = f"{size - 1}.downsample"
                    case Upsample():
                        theirs = f"{size + 1}.upsample"
                    case _:
                        name = "attn" if isinstance(layer, PlaceAttention) else "block"
                        theirs = f"{size}.{name}.{seen[type(layer)]}"
                        seen[type(layer)] += 1
                yield f"{part}.blocks.{position}.{index}", f"{part}.{direction}.{theirs}"
