"""Our own compact conditional network ε_θ for 256×256 faces: small enough for a laptop's processor.

The condition c and the noisy image x_t are two observations of x_0: c with error variance s_c², x_t/√ᾱ with variance
σ² = (1 − ᾱ)/ᾱ. Their optimal linear combination m has error variance w = 1/(1/s_c² + 1/σ²), and the network F predicts
only what m misses, in units of its own uncertainty: x0 = m + √w · F. So it need not learn to copy c first. Nor need it
learn to carry the noise of x_t through its features only to take it away where c says enough: it predicts by how much
s_c² differs at each pixel, and m follows that.

Sampling starts from c, diffused. At that step x_t says nothing of x0 that c does not, so the network is shown c in its
place and gives the mean of x0 for this c; taken for an observation, c would pass for the sharp image itself.

θ sees every frame on its own. Where the file has temporal layers φ (`flair_core.denoisers.compact_temporal`), frames
of a window look at each other; a single frame passes as without them.
"""

from __future__ import annotations

import json
import math
from copy import copy
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from flair_core.checkpoints.store import sha256_of
from flair_core.denoisers import fast_cpu
from flair_core.denoisers.compact_temporal import KINDS, TemporalLayers, WindowMotion, estimated_flows, face
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.errors import WeightsError
from flair_core.runtime import threads
from flair_core.runtime.devices import fast_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flair_core.denoisers.base import Condition
    from flair_core.denoisers.winograd import NormedConvolution
    from flair_core.settings.groups import DegradationSettings


PATCH = 4
"""Pixels per side that one position of the finest features stands for."""
MULTIPLE = 32
"""Sides that the network takes, for four levels of patches."""
END = 2.0
"""Noise level σ of the last step on clean footage, in units of s_c. Chosen by measurement, see docs/performance.md."""
LOG_VARIANCES = (math.log(1e-4), math.log(1.0))
"""Limits of log s_c²."""
START = 10.0
"""Noise level σ that the network is given at the noisiest step, where it sees c alone: x_T holds nothing else."""
FEATURES = 11
"""Length of the description of a degradation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactConfig:
    """The shape of the network and the chain it was trained on; stored beside the weights."""

    channels: tuple[int, ...] = (64, 128, 192, 256)
    blocks: tuple[int, ...] = (3, 3, 2, 2)
    embedding: int = 256
    chain: int = 1000
    sigma_min: float = 0.015
    sigma_max: float = 0.6
    window: int = 1
    """Frames looked at together; above 1 the network has temporal layers."""

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> CompactConfig:
        """From what `asdict` gave, perhaps through JSON; what an older file does not know has its default."""
        return cls(**dict(values) | {name: tuple(values[name]) for name in ("channels", "blocks")})


def describe(degradation: DegradationSettings | None) -> Tensor:
    """What the network is given of a degradation, (FEATURES,), each entry about 1 in size; None is *unknown*."""
    out = torch.zeros(FEATURES)
    if degradation is None or not degradation.known:
        out[0] = 1
        return out
    d = degradation
    out[1] = math.log2(d.scale) / 2 - 1
    turn = 2 * math.radians(d.angle)
    if d.kernel == "gaussian":
        stretch = 1 - d.blur_ratio
        out[2], out[3] = 1, d.blur_sigma / 3
        out[6], out[7] = stretch * math.cos(turn), stretch * math.sin(turn)
    elif d.kernel == "motion":
        out[4], out[5] = 1, d.motion_length / 15
        out[6], out[7] = math.cos(turn), math.sin(turn)
    out[8] = d.noise * 255 / 15
    if d.jpeg is not None:
        out[9], out[10] = 1, (100 - d.jpeg) / 30
    return out


def clean(description: Tensor) -> Tensor:
    """Which degradations, (…, FEATURES) of known ones, only made footage smaller: (…)."""
    return (
        description[..., 0] + description[..., 2] + description[..., 4] + description[..., 8:].sum(-1)
    ) == 0


def scale_of(description: Tensor) -> Tensor:
    """How many times smaller such degradations made footage, (…, FEATURES) of known ones → (…) of integers."""
    return torch.exp2(2 * (description[..., 1] + 1)).round().long()


class Convolution(nn.Conv2d):
    """On a processor it may have all threads: each of its outputs is summed up in one of them."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w)."""
        if x.device.type != "cpu":
            return super().forward(x)
        with threads.wide():
            out: Tensor = super().forward(x)
        return out


class Affine(NamedTuple):
    """What a norm multiplies by and adds."""

    weight: Tensor
    """(N, C), or (1, C) for all frames."""
    bias: Tensor


class CompactBlock(nn.Module):
    """Two 3×3 convolutions with scale and shift from the embedding, added to the input."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = Convolution(channels, channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * channels)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = Convolution(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

        self._quick: tuple[NormedConvolution, NormedConvolution, Affine] | None = None

    def modulation(self, emb: Tensor) -> Affine:
        """What the second norm makes of the embedding, (N, E)."""
        scale, shift = self.scale_shift(emb).float().chunk(2, 1)
        weight, bias = self.norm2.weight.float(), self.norm2.bias.float()
        return Affine(weight * (1 + scale), bias * (1 + scale) + shift)

    def forward(self, x: Tensor, affine: Affine) -> Tensor:
        """x: (N, C, h, w)."""
        if self._quick is not None and self._quick[0].dtype == x.dtype and len(affine.weight) == 1:
            conv1, conv2, norm1 = self._quick
            return conv2(conv1(x, norm1.weight, norm1.bias), *affine, x)
        h = self.conv1(functional.silu(self.norm1(x), inplace=True))
        h = functional.silu(self._normed(h, affine), inplace=True)
        out: Tensor = x + self.conv2(h)
        return out

    def _normed(self, h: Tensor, affine: Affine) -> Tensor:
        """The second norm; what all frames share are its own weights."""
        norm, (weight, bias) = self.norm2, affine
        if len(weight) == 1:
            return functional.group_norm(h, norm.num_groups, weight[0].to(h), bias[0].to(h), norm.eps)
        normed = functional.group_norm(h, norm.num_groups, eps=norm.eps)
        return normed * weight.to(h)[:, :, None, None] + bias.to(h)[:, :, None, None]

    def quicken(self, dtype: torch.dtype) -> None:
        """From now on, features in `dtype` take the quick way; weights changed later don't matter to it."""
        from flair_core.denoisers.winograd import NormedConvolution  # needs llvmlite

        first, second = (
            NormedConvolution(conv.weight, cast("Tensor", conv.bias), dtype)
            for conv in (self.conv1, self.conv2)
        )
        self._quick = (
            first,
            second,
            Affine(*(one.detach().float() for one in (self.norm1.weight, self.norm1.bias))),
        )


class CompactLevel(nn.ModuleList):
    """The residual blocks of one resolution on the way down or up."""

    def __init__(self, channels: int, blocks: int, embedding: int) -> None:
        super().__init__(CompactBlock(channels, embedding) for _ in range(blocks))

    def modulation(self, emb: Tensor) -> list[Affine]:
        """What its blocks make of the embedding, (N, E)."""
        return [cast("CompactBlock", block).modulation(emb) for block in self]

    def forward(self, x: Tensor, affines: Sequence[Affine]) -> Tensor:
        """x: (N, C, h, w)."""
        for block, affine in zip(self, affines, strict=True):
            x = block(x, affine)
        return x


class FrameAttention(nn.Module):
    """Self-attention over all positions of one frame, added to the input."""

    def __init__(self, channels: int, heads: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = Convolution(channels, 3 * channels, 1)
        self.out = Convolution(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w)."""
        n, channels, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(n, 3, self.heads, channels // self.heads, height * width)
        q, k, v = qkv.transpose(-1, -2).unbind(1)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = x + self.out(mixed.transpose(-1, -2).reshape(n, channels, height, width))
        return out


class Guess(NamedTuple):
    """What the network returns: x0 = mean + std · f."""

    f: Tensor
    """F, (N, 3, H, W)."""
    mean: Tensor
    """m, (N, 3, H, W), with s_c² of each pixel."""
    std: Tensor
    """√w, (N, 1, 1, 1), with s_c² of the degradation."""
    log_variance: Tensor
    """log s_c², (N, 1, 1, 1), as the network expects it of the degradation."""

    @property
    def x0(self) -> Tensor:
        """The clean estimate."""
        return self.mean + self.std * self.f


class Conditioning(NamedTuple):
    """What noise level and degradation mean to a network; the same for all frames, unless it is trained."""

    emb: Tensor
    """(N, E) or (1, E)."""
    down: list[list[Affine]]
    """For every block of every stage."""
    up: list[list[Affine]]
    log_variance: Tensor
    """log s_c², (N, 1, 1, 1) or (1, 1, 1, 1)."""


class CompactNetwork(nn.Module):
    """A U-Net on 4×4 patches with additive skips."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        ch, emb = config.channels, config.embedding
        self.embed = nn.Sequential(nn.Linear(64 + FEATURES, emb), nn.SiLU(), nn.Linear(emb, emb), nn.SiLU())
        log_variance = nn.Linear(32, 1)
        nn.init.constant_(log_variance.bias, math.log(0.0126))  # that of bicubic ×8
        self.condition_variance = nn.Sequential(nn.Linear(FEATURES, 32), nn.SiLU(), log_variance)
        self.first = Convolution(6 * PATCH**2, ch[0], 3, padding=1)
        stages = list(zip(ch, config.blocks, strict=True))
        self.down = nn.ModuleList(CompactLevel(channels, blocks, emb) for channels, blocks in stages)
        self.shrink = nn.ModuleList(Convolution(a, b, 2, stride=2) for a, b in pairwise(ch))
        self.attention = nn.ModuleList((FrameAttention(ch[-1]), FrameAttention(ch[-1])))
        self.up = nn.ModuleList(CompactLevel(channels, blocks, emb) for channels, blocks in stages)
        self.grow = nn.ModuleList(Convolution(b, 4 * a, 1) for a, b in pairwise(ch))
        self.norm = nn.GroupNorm(8, ch[0])
        # F in three colours, and by how much log s_c² differs from that of the degradation.
        self.last = Convolution(ch[0], 4 * PATCH**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        self.temporal: TemporalLayers | None = None
        if config.window > 1:
            self.temporal = TemporalLayers(ch, emb, 6 * PATCH**2, window=config.window, patch=PATCH)

    def forward(
        self,
        c: Tensor,
        observed: Tensor,
        sigma: Tensor,
        description: Tensor,
        motion: WindowMotion | None = None,
        conditioning: Conditioning | None = None,
    ) -> Guess:
        """What the network makes of c and `observed` = x_t/√ᾱ, (N, 3, H, W) with H and W multiples of 32.

        sigma: (N,) or (1,), the noise level √((1 − ᾱ)/ᾱ).  description: (N, FEATURES) or (1, FEATURES).
        motion: that of the windows which the N frames are, one after the other; None leaves φ out.
        conditioning: what `tell` makes of sigma and description, if it is known.
        """
        conditioning = conditioning or self.tell(sigma, description)
        emb, log_variance = conditioning.emb, conditioning.log_variance
        frames = 1 if motion is None else motion.flows.forward.shape[1] + 1

        def across(level: int, x: Tensor) -> Tensor:
            if motion is None or frames == 1 or self.temporal is None:
                return x
            return self.temporal.mix(level, x, emb, frames, motion.off)

        variance, level = log_variance.detach().exp(), sigma[:, None, None, None]
        excess = (observed - c) / (variance + level**2).sqrt()
        seen = patches(torch.cat((c, excess), 1), self.first.weight.dtype)
        x = self.first(seen)
        skips: list[Tensor] = []
        for stage, affines, shrink in zip(self.down, conditioning.down, self.shrink, strict=False):
            skips.append(stage(x, affines))
            x = shrink(skips[-1])
        x = self.attention[0](self.down[-1](x, conditioning.down[-1]))
        x = across(len(self.up) - 1, self.attention[1](self.up[-1](x, conditioning.up[-1])))
        for at, skip in reversed(list(enumerate(skips))):
            x = functional.pixel_shuffle(self.grow[at](x), 2) + skip
            x = across(at, self.up[at](x, conditioning.up[at]))
        if self.temporal is not None and motion is not None and frames > 1:
            x = self.temporal.refine(x, seen, motion)
        drawn = functional.pixel_shuffle(self.last(functional.silu(self.norm(x))), PATCH).float()
        f, local = drawn[:, :3], drawn[:, 3:]
        mean = c + (observed - c) * share(variance * local.exp(), level)
        return Guess(f, mean, level * share(variance, level).sqrt(), log_variance)

    def tell(self, sigma: Tensor, description: Tensor) -> Conditioning:
        """What `forward` makes of these before it looks at images."""
        with torch.autocast(sigma.device.type, enabled=False):
            log_variance = self.condition_variance(description)[:, :, None, None].clamp(*LOG_VARIANCES)
            level = sigma.log()[:, None] * torch.logspace(-0.5, 1, 32, device=sigma.device)
            emb = self.embed(torch.cat((level.sin(), level.cos(), description), 1))
        down, up = (
            [cast("CompactLevel", stage).modulation(emb) for stage in stages]
            for stages in (self.down, self.up)
        )
        return Conditioning(emb, down, up, log_variance)

    def expected_variance(self, description: Tensor) -> Tensor:
        """s_c² of degradations, (…, FEATURES) → (…, 1)."""
        variance: Tensor = self.condition_variance(description).clamp(*LOG_VARIANCES).exp()
        return variance

    def quickened(self, dtype: torch.dtype) -> CompactNetwork:
        """Itself, with residual blocks that take features in `dtype` the quick way of a processor."""
        for block in self.modules():
            if isinstance(block, CompactBlock):
                block.quicken(dtype)
        return self

    def lowered(self, dtype: torch.dtype) -> CompactNetwork:
        """Itself, with the feature maps and what acts on them in `dtype`; conditioning stays in single precision."""
        theta = (self.first, self.down, self.shrink, self.attention, self.up, self.grow, self.norm, self.last)
        for module in (module for part in theta for module in part.modules()):
            if isinstance(module, nn.Conv2d | nn.GroupNorm):
                module.to(dtype)
        return self


def patches(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Patches as channels: (N, C, H, W) → (N, C · PATCH², H/PATCH, W/PATCH) in `dtype`, channels last."""
    images = images.to(dtype)
    if dtype.itemsize * PATCH != torch.int64.itemsize:
        return functional.pixel_unshuffle(images, PATCH).contiguous(memory_format=torch.channels_last)
    n, channels, height, width = images.shape
    rows = images.contiguous().view(torch.int64)  # a patch's row moves as one number: nine times as fast
    rows = rows.view(n, channels, height // PATCH, PATCH, -1).permute(0, 2, 4, 1, 3).contiguous()
    return rows.view(dtype).view(n, height // PATCH, width // PATCH, -1).permute(0, 3, 1, 2)


def observation(schedule: NoiseSchedule, t: int, x_t: Tensor, c: Tensor) -> tuple[Tensor, float]:
    """What the network sees of x_t at step t of its chain, and the noise level σ that it is given."""
    if t == len(schedule) - 1:
        return c, START
    alpha_bar = float(schedule.alpha_bar[t])
    return x_t / alpha_bar**0.5, (1 / alpha_bar - 1) ** 0.5


def share(variance: Tensor, sigma: Tensor) -> Tensor:
    """What x_t/√ᾱ weighs in the best linear guess m of x0, where c errs with `variance` s_c², and x_t by σ."""
    return variance / (variance + sigma**2)


class Compact:
    """The compact network as a Denoiser."""

    size = 256
    own_noise = False

    def __init__(self, network: CompactNetwork, device: torch.device) -> None:
        config = network.config
        self.schedule = NoiseSchedule.log_spaced(config.chain, config.sigma_min, config.sigma_max)
        self.window = config.window
        self.temporal: tuple[str, ...] = KINDS if config.window > 1 else ()
        """Kinds of its temporal layers."""
        self._off: frozenset[str] = frozenset()
        self.device = device
        self.dtype = fast_dtype(device)
        network = network.eval().requires_grad_(False).to(device)
        if fast_cpu.used(device, self.dtype, config.channels):
            network.quickened(self.dtype)
        self.network = network.lowered(self.dtype)
        channels_last(self.network)
        self._conditioning = lru_cache(maxsize=256)(self._conditioning)  # type: ignore[method-assign]
        self._motion: tuple[Condition, WindowMotion] | None = None

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: int, condition: Condition) -> Tensor:
        """See Denoiser; any H and W: the network sees them padded to multiples of 32."""
        observed, sigma = observation(self.schedule, t, x_t, condition.c)
        height, width = x_t.shape[-2:]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        c, observed = (functional.pad(image, padding, mode="replicate") for image in (condition.c, observed))
        motion = self._seen(condition, c) if self.window > 1 and len(x_t) > 1 else None
        with threads.narrow():
            level, description, conditioning = self._conditioning(sigma, condition.degradation)
            guess: Guess = self.network(c, observed, level, description, motion, conditioning)
        x0 = guess.x0[..., :height, :width]
        return self.schedule.predict_eps(x_t, x0, t)

    def end(self, degradation: DegradationSettings) -> int:
        """See Ending: in as much noise as c errs by, times END, as the network expects it of the degradation."""
        power = END**2 * float(self.network.expected_variance(describe(degradation).to(self.device)))
        weaker = (1 - self.schedule.alpha_bar) / self.schedule.alpha_bar < power
        return min(int(weaker.sum()), len(self.schedule) - 1)

    def _conditioning(
        self, sigma: float, degradation: DegradationSettings | None
    ) -> tuple[Tensor, Tensor, Conditioning]:
        """σ, the description of the degradation and what both mean to the network: as every frame has them."""
        level = torch.full((1,), sigma, device=self.device)
        description = describe(degradation).to(self.device)[None]
        return level, description, self.network.tell(level, description)

    def _seen(self, condition: Condition, c: Tensor) -> WindowMotion:
        """Motion in the window. It does not depend on t: found in the first step and kept for the others."""
        if self._motion is None or self._motion[0] is not condition:
            self._motion = condition, WindowMotion(estimated_flows(c), face(c), self._off)
        return self._motion[1]

    def without(self, kinds: Sequence[str]) -> Compact:
        """The same network with some kinds of temporal layers passed over; without all of them, the image network."""
        other = copy(self)
        other._off, other._motion = self._off.union(kinds), None
        return other


def channels_last(network: nn.Module) -> None:
    """Arrange the weights as processors multiply them fastest; those of convolutions in time stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)


def read(path: Path) -> CompactNetwork:
    """The network in safetensors written by `flair train`, in single precision. Raises WeightsError on others.

    A file with φ alone names the file beside it that holds its θ, and the SHA-256 of that.
    """
    try:
        metadata, state = tensors(path)
        if "theta" in metadata:
            theta = path.with_name(Path(metadata["theta"]).name)
            if (found := sha256_of(theta)) != metadata["theta_sha256"]:
                raise ValueError(f"it belongs to another {theta.name}, not to that with SHA-256 {found[:8]}…")
            state = tensors(theta)[1] | state
        config = CompactConfig.from_plain(json.loads(metadata["config"]))
        network = CompactNetwork(config)
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} does not hold a compact FLAIR network: {error}. "
            "Name another file, or reinstall the application if this one came with it."
        ) from None
    return network


def tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a file of weights says of itself, and what it holds, in single precision."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {key: file.get_tensor(key).float() for key in file.keys()}


def load(path: Path, device: torch.device) -> Compact:
    """The network in safetensors as a Denoiser. Raises WeightsError, see `read`."""
    return Compact(read(path), device)


def metadata(config: CompactConfig) -> dict[str, str]:
    """What `read` needs to know beside the weights."""
    return {"config": json.dumps(asdict(config))}
