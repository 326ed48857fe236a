"""Which key of a released checkpoint holds which of our tensors.

The tables give, for each kind of layer, our names and the released ones; `released_keys` strings them
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flair_core.denoisers.flow import LEVELS
from flair_core.denoisers.released_bicubic import BicubicNetwork
from flair_core.denoisers.unet import FrameConv, UNetStep
from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

    from flair_core.denoisers.unet import UNet

Names = dict[str, str]

RESIDUAL: Names = {
    "norm1": "in_layers.0.wrapped_module",
    "conv1": "in_layers.2.wrapped_module",
    "embed": "emb_layers.1",
    "norm2": "out_layers.0.wrapped_module",
    "conv2": "out_layers.3.wrapped_module",
    "skip": "skip_connection.wrapped_module",
}
SR3_RESIDUAL: Names = {
    "norm1": "block1.block.0.wrapped_module",
    "conv1": "block1.block.3.wrapped_module",
    "embed": "noise_func.noise_func.0",
    "norm2": "block2.block.0.wrapped_module",
    "conv2": "block2.block.3.wrapped_module",
    "skip": "res_conv.wrapped_module",
}
ATTENTION: Names = {
    "norm": "norm.wrapped_module",
    "qkv": "qkv",
    "embed": "emb_layers.1",
    "out": "proj_out",
}
TEMPORAL_ATTENTION: Names = {
    "norm": "norm.wrapped_module",
    "query": "q_linear",
    "key": "k_linear",
    "value": "v_linear",
    "out": "proj.wrapped_module",
}
ALIGNMENT: Names = {"": "", **{f"offsets.{i}": f"conv_offset.{i}" for i in (0, 2, 4, 6)}}
FUSION: Names = {"0": "main.0", "2.conv1": "main.2.0.conv1", "2.conv2": "main.2.0.conv2"}
FLOW: Names = {
    "": "",
    **{f"levels.{i}.{j}": f"basic_module.{i}.basic_module.{j}.conv" for i in range(LEVELS) for j in range(5)},
}


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def nested(ours: str, released: str, names: Names) -> Names:
    """`names` of a layer that is called `ours` in our network and `released` in theirs."""
    return {_join(ours, a): _join(released, b) for a, b in names.items()}


RECURRENT: Names = {
    **nested("backward_branch.align", "deform_align.backward_1", ALIGNMENT),
    **nested("forward_branch.align", "deform_align.forward_1", ALIGNMENT),
    **nested("backward_branch.fuse", "backbone.backward_1", FUSION),
    **nested("forward_branch.fuse", "backbone.forward_1", FUSION),
    **nested("reconstruct", "reconstruction", FUSION),
    "out": "conv_last",
}


def released_names(keys: Iterable[str], names: Names) -> Names:
    """The released key of each of our keys; `names` knows the modules that hold them."""
    split = {key: key.rpartition(".") for key in keys}
    return {key: _join(names[module], leaf) for key, (module, _, leaf) in split.items()}


def _bicubic_stage() -> Names:
    """Of all layers that a stage may have."""
    names = nested("spatial", "res_block", SR3_RESIDUAL)
    layers = (
        ("temporal", "conv_3d", RESIDUAL),
        ("temporal_attention", "temp_attn", TEMPORAL_ATTENTION),
        ("recurrent", "vsrpp", RECURRENT),
    )
    for ours, released, table in layers:
        names |= nested(ours, f"{released}.wrapped_module", table)
        names[f"gates.{ours}"] = f"{released}.emb_layers.1"
    return names


def _bicubic_names(network: UNet) -> tuple[Names, list[str]]:
    names: Names = {"embed.0": "noise_level_mlp.1", "embed.2": "noise_level_mlp.3"}
    flows = []
    for ours, released in (("down", "downs"), ("middle", "mid"), ("up", "ups")):
        for i, stage in enumerate(getattr(network, ours)):
            if isinstance(stage, FrameConv):
                resizes = ours == "up" or i > 0
                names[f"{ours}.{i}.conv"] = _join(f"{released}.{i}.wrapped_module", "conv" if resizes else "")
                continue
            names |= nested(f"{ours}.{i}", f"{released}.{i}", _bicubic_stage())
            if stage.recurrent is not None:
                flows.append(f"{released}.{i}.vsrpp.wrapped_module.spynet")
    names |= {
        "out_norm": "final_conv.block.0.wrapped_module",
        "out_conv": "final_conv.block.3.wrapped_module",
    }
    return names, flows


_BLUR_LAYERS: dict[str, tuple[str, Names]] = {
    "spatial": ("", RESIDUAL),
    "temporal": ("wrapped_module", RESIDUAL),
    "attention": ("", ATTENTION),
    "temporal_attention": ("wrapped_module", TEMPORAL_ATTENTION),
    "recurrent": ("wrapped_module", RECURRENT),
    "resize": ("", RESIDUAL),
}


def _blur_layers(stage: nn.Module) -> list[str]:
    """The layers of a stage in order: the released network numbers them."""
    return [name for name in _BLUR_LAYERS if getattr(stage, name) is not None]


def _blur_names(network: UNet) -> tuple[Names, list[str]]:
    names: Names = {
        "embed.0": "time_embed.0",
        "embed.2": "time_embed.2",
        "down.0.conv": "input_blocks.0.0.wrapped_module",
    }
    for ours, released in (("down", "input_blocks"), ("up", "output_blocks")):
        for i, stage in enumerate(getattr(network, ours)):
            if isinstance(stage, UNetStep):
                for j, layer in enumerate(_blur_layers(stage)):
                    wrapper, table = _BLUR_LAYERS[layer]
                    names |= nested(f"{ours}.{i}.{layer}", _join(f"{released}.{i}.{j}", wrapper), table)
    middle = [(i, layer) for i, stage in enumerate(network.middle) for layer in _blur_layers(stage)]
    for j, (i, layer) in enumerate(middle):
        wrapper, table = _BLUR_LAYERS[layer]
        names |= nested(f"middle.{i}.{layer}", _join(f"middle_block.{j}", wrapper), table)
    names |= {"out_norm": "out.0.wrapped_module", "out_conv": "out.2.wrapped_module"}
    return names, ["spynet"]


def released_keys(network: UNet) -> dict[str, list[str]]:
    """For each of our keys the released ones: several where a file repeats its one flow network."""
    names, flows = _bicubic_names(network) if isinstance(network, BicubicNetwork) else _blur_names(network)
    keys = list(network.state_dict())
    inner = released_names((key.removeprefix("flow.") for key in keys if key.startswith("flow.")), FLOW)
    own = released_names((key for key in keys if not key.startswith("flow.")), names)
    return {
        key: [own[key]] if key in own else [_join(flow, inner[key.removeprefix("flow.")]) for flow in flows]
        for key in keys
    }


def convert(released: Mapping[str, Tensor], network: UNet, source: str) -> dict[str, Tensor]:
    """A released state dict as ours, in the precision that it has.

    Raises WeightsError, naming `source` and the released keys, when a key is missing, has no place in the
    network or is of another shape, or when copies of the flow network differ.
    """
    keys = released_keys(network)
    expected = {name for names in keys.values() for name in names}
    present = {name for name, value in released.items() if isinstance(value, torch.Tensor)}
    if missing := sorted(expected - present):
        raise WeightsError(
            f"{source} lacks {_some(missing)}: it is damaged or belongs to another network. Fetch it again."
        )
    if surplus := sorted(released.keys() - expected):
        raise WeightsError(
            f"{source} holds {_some(surplus)}, unknown to this network: it belongs to another one."
        )
    result = {}
    for key, ours in network.state_dict().items():
        for name in keys[key]:
            if released[name].shape != ours.shape:
                raise WeightsError(
                    f"{source}: {name} has the shape {tuple(released[name].shape)}, but this network needs "
                    f"{tuple(ours.shape)}: the file belongs to another one."
                )
            if not torch.equal(released[name], released[keys[key][0]]):
                raise WeightsError(
                    f"{source}: {name} and {keys[key][0]} differ, but are one flow network. Fetch it again."
                )
        result[key] = released[keys[key][0]]
    return result


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more keys" if len(names) > 3 else "")
