"""Released checkpoints of restorers into networks: unwrapped, checked key by key, in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from spandrel import canonicalize_state_dict
from torch import Tensor, nn

from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WHOLE_TRAINING = "vqvae."
"""RestoreFormer++ is published with its losses' networks; the restorer is what starts with this."""

Network = TypeVar("Network", bound=nn.Module)


def unwrap(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The restorer's own tensors: without wrapping dictionaries, common prefixes and what else was saved."""
    state: dict[str, Tensor] = canonicalize_state_dict(dict(checkpoint))
    if any(key.startswith(WHOLE_TRAINING) for key in state):
        state = {k.removeprefix(WHOLE_TRAINING): v for k, v in state.items() if k.startswith(WHOLE_TRAINING)}
    return state


def build(
    make: Callable[[], Network],
    state: Mapping[str, Tensor],
    source: str,
    released_keys: Callable[[Network], Mapping[str, str]] | None = None,
) -> Network:
    """The network that `make` makes, with the weights of `state` in float32, ready for use on the CPU.

    `released_keys` gives the key in the file for each of ours where they differ. Raises WeightsError with the
    name of every key that is missing, unknown or of another shape; `source` is how the file is called there.
    """
    with torch.device("meta"):  # no time is lost on values that are replaced at once
        network = make()
    ours = network.state_dict()
    keys = released_keys(network) if released_keys else {key: key for key in ours}
    faults = [f"lacks {keys[key]}" for key in ours if keys[key] not in state]
    if len(faults) == len(ours):
        raise WeightsError(
            f"{source} holds no {type(network).__name__}: none of its {len(state)} keys is known, such as "
            f"{next(iter(state), 'nothing')}. Choose the file made for this network."
        )
    faults += [f"holds the unknown {key}" for key in sorted(state.keys() - set(keys.values()))]
    faults += [
        f"has {keys[key]} of shape {tuple(state[keys[key]].shape)} instead of {tuple(value.shape)}"
        for key, value in ours.items()
        if keys[key] in state and state[keys[key]].shape != value.shape
    ]
    if faults:
        raise WeightsError(
            f"{source} does not fit {type(network).__name__}: it {', '.join(faults)}. Download it again."
        )
    network.load_state_dict({key: state[keys[key]].float() for key in ours}, assign=True)
    return network.eval().requires_grad_(False)
