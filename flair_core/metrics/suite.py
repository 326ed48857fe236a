"""All metrics by name, and their use on clips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flair_core.errors import SettingsError, ShapeError, WeightsError
from flair_core.faces.shots import as_uint8
from flair_core.metrics import artefacts, fidelity
from flair_core.metrics.meters import Mean, Meter, Pair
from flair_core.metrics.region import region
from flair_core.metrics.temporal import Shimmer, WarpingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from flair_core.settings.groups import DegradationSettings
    from flair_core.video import FrameSource

MOST_CUT = 16
"""A scale of 16 cuts off fewer rows and columns than this."""
PIECE, STRIDE = 16, 8
"""Frames of a piece of video for FVD, and from one piece to the next."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What metrics need besides frames."""

    device: torch.device
    degradation: DegradationSettings | None = None
    """What made the observation; without it there is no residual."""
    fetch: bool = False
    """Whether missing weights may be downloaded."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: how it is called, read and built."""

    label: str
    unit: str
    rises: bool | None
    """Whether more is better; None where the truth's value is best."""
    text: str
    build: Callable[[Setup], Meter]
    """Raises WeightsError when a network is missing."""
    shown: float = 1
    """Multiply by this for tables: the paper prints E_warp and KID times 1000."""


def _residual(setup: Setup) -> Meter:
    if setup.degradation is None:
        raise WeightsError("needs the observation and its degradation: give --observation")
    return Mean(fidelity.residual_to(setup.degradation))


def _lpips(setup: Setup) -> Meter:
    from flair_core.metrics import perceptual

    return Mean(perceptual.lpips(perceptual.ALEXNET.path(fetch=setup.fetch), setup.device))


def _inception(distance: str) -> Callable[[Setup], Meter]:
    def build(setup: Setup) -> Meter:
        from flair_core.metrics import distributions, inception

        network = inception.FrameNetwork(inception.INCEPTION.path(fetch=setup.fetch), setup.device)
        return distributions.FrameFeatures(network, getattr(distributions, distance))

    return build


def _fvd(setup: Setup) -> Meter:
    from flair_core.metrics import distributions, i3d

    network = i3d.ClipNetwork(i3d.I3D.path(fetch=setup.fetch), setup.device)
    return distributions.ClipFeatures(network, distributions.frechet_distance, PIECE, STRIDE)


def _identity(setup: Setup) -> Meter:
    from flair_core.metrics import identity

    weights = identity.SFACE.path(fetch=setup.fetch)
    return Mean(identity.identity_similarity(identity.detector(), weights))


def _identity_distance(_: Setup) -> Meter:
    from flair_core.metrics import identity

    return Mean(identity.identity_distance(identity.places()))


def _landmarks(_: Setup) -> Meter:
    from flair_core.metrics import identity

    return Mean(identity.landmark_error(identity.places()))


def _features(setup: Setup) -> Meter:
    from flair_core.metrics import features

    return Mean(features.feature_distance(features.LiteNetwork(setup.device)))


def _features_kid(setup: Setup) -> Meter:
    from flair_core.metrics import distributions, features

    return distributions.FrameFeatures(
        features.LiteNetwork(setup.device), distributions.paired_kernel_distance
    )


METRICS = {
    "psnr": Metric(
        "PSNR",
        "dB",
        True,
        "mean over frames of 10 log10(255² / MSE), RGB",
        lambda _: Mean(fidelity.masked_psnr),
    ),
    "ssim": Metric(
        "SSIM",
        "",
        True,
        "11 × 11 Gaussian window (std 1.5), 8-bit constants, mean over R, G, B and frames",
        lambda _: Mean(fidelity.masked_ssim),
    ),
    "lpips": Metric(
        "LPIPS", "", False, "AlexNet, version 0.1, frames at their own size, mean over frames", _lpips
    ),
    "features": Metric(
        "Features",
        "",
        False,
        "squared distance of unit-length features of EfficientNet-Lite1, four levels, frames at their own size, mean "
        "over frames; training never sees this network",
        _features,
    ),
    "features_kid": Metric(
        "Feat. KID",
        "× 10⁻³",
        False,
        "cubic-kernel MMD² of mean and std of the same features, all frames at once, pairs of one frame left out",
        _features_kid,
        1e3,
    ),
    "gmsd": Metric(
        "GMSD",
        "",
        False,
        "gradient magnitude similarity deviation (Xue et al., 2014) of luma at half size, mean over frames; needs no "
        "network, and stands beside LPIPS where that one's is missing, it does not replace it",
        lambda _: Mean(fidelity.masked_gradient_deviation),
    ),
    "sharpness": Metric(
        "Sharpness",
        "",
        None,
        "std above a 5 × 5 mean, of the restored frame over the clean one's: 1 is as much as the truth has, be it "
        "true or invented",
        lambda _: Mean(fidelity.masked_sharpness),
    ),
    "mesh": Metric(
        "Mesh",
        "",
        None,
        "highest peak of the spectrum over coarser and finer frequencies, restored over clean, periods of 2 to 16 "
        "pixels, mean over frames: 1 is none that the truth has not",
        lambda _: Mean(artefacts.masked_mesh),
    ),
    "halo": Metric(
        "Halo",
        "levels",
        False,
        "the larger of over- and undershoot beyond the clean frame's range within 8 pixels, along its strong edges",
        lambda _: Mean(artefacts.masked_halo),
    ),
    "halo_worst": Metric(
        "Worst halo",
        "%",
        False,
        "the same in percent of the edge's height, over the tenth of the edges where it is highest",
        lambda _: Mean(artefacts.masked_worst_halo),
        100,
    ),
    "grain": Metric(
        "Grain",
        "",
        None,
        "std above a 5 × 5 mean where the clean frame is flattest, restored over clean, both at least that of "
        "rounding to 8 bits: 1 is as much as the truth has",
        lambda _: Mean(artefacts.masked_grain),
    ),
    "fid": Metric(
        "FID",
        "",
        False,
        "Fréchet distance of Inception's 2048 features, resized to 299 × 299, over all frames",
        _inception("frechet_distance"),
    ),
    "kid": Metric(
        "KID",
        "× 10⁻³",
        False,
        "unbiased cubic-kernel MMD² of the same features, all frames at once",
        _inception("kernel_distance"),
        1e3,
    ),
    "fvd": Metric(
        "FVD",
        "",
        False,
        f"Fréchet distance of I3D's logits at 224 × 224, over pieces of {PIECE} frames, one every {STRIDE}",
        _fvd,
    ),
    "e_warp": Metric(
        "E_warp",
        "× 10⁻³",
        False,
        "mean squared difference (RGB summed, [0, 1] scale) of neighbouring restored frames along the motion "
        "between the clean ones (dense inverse search), hidden pixels and motion boundaries left out",
        lambda _: WarpingError(),
        1e3,
    ),
    "shimmer": Metric(
        "Shimmer",
        "× 10⁻³",
        False,
        "E_warp of what differs from the clean clip: 0 for the truth, and where errors move with the picture",
        lambda _: Shimmer(),
        1e3,
    ),
    "residual": Metric(
        "Residual", "levels", False, "rms of A x̂ − y in 8-bit levels; that of the truth is σ_e", _residual
    ),
    "identity": Metric(
        "Identity", "", True, "cosine of SFace's descriptions, over frames with a face in both", _identity
    ),
    "identity_distance": Metric(
        "Id. dist.",
        "",
        False,
        "distance of the descriptions of dlib's network, both faces cut out at the clean one's landmarks; below 0.6 "
        "counts as the same person",
        _identity_distance,
    ),
    "landmarks": Metric(
        "Landmarks",
        "%",
        False,
        "mean distance of five landmarks (the program's own) in percent of the eye distance",
        _landmarks,
    ),
}


def chosen(names: str) -> list[str]:
    """Metrics from "psnr,ssim" or "all". Raises SettingsError for an unknown one."""
    if names == "all":
        return list(METRICS)
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in METRICS]:
        raise SettingsError(f"There is no metric {unknown[0]!r}; choose from {', '.join(METRICS)} or all.")
    return wanted


class Evaluation:
    """Several metrics at work on pairs of frames; a metric that can't run says why in `skipped`."""

    def __init__(self, names: list[str], setup: Setup) -> None:
        self.skipped: dict[str, str] = {}
        self._meters: dict[str, Meter] = {}
        for name in names:
            try:
                self._meters[name] = METRICS[name].build(setup)
            except WeightsError as error:
                self.skipped[name] = str(error)

    def add(self, pair: Pair) -> dict[str, float]:
        """Take the next pair of a clip; returns those metrics that have a finite value for it alone.

        Raises ShapeError when the frames differ in size.
        """
        if pair.clean.shape != pair.restored.shape:
            (height, width), (found_height, found_width) = pair.clean.shape[:2], pair.restored.shape[:2]
            raise ShapeError(
                f"The reference is {width} × {height} pixels, the restored {found_width} × {found_height}. "
                "Compare clips of one size."
            )
        values = {name: meter.add(pair) for name, meter in self._meters.items()}
        return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}

    def cut(self) -> None:
        """The next pair belongs to another clip."""
        for meter in self._meters.values():
            meter.cut()

    def scores(self) -> dict[str, float]:
        """What can be told of all pairs, in units as METRICS shows them; the rest is added to `skipped`."""
        found = {}
        for name, meter in self._meters.items():
            value = meter.result()
            if math.isnan(value):
                self.skipped[name] = "had nothing to measure: clips too short or small, or no face"
            elif math.isinf(value):
                self.skipped[name] = "is infinite: the restoration equals the reference"
            else:
                found[name] = value * METRICS[name].shown
        return found


def pairs(
    clean: FrameSource, restored: FrameSource, observed: FrameSource | None = None, where: str = "frame"
) -> Iterator[Pair]:
    """Two clips frame by frame. Raises ShapeError when they differ in length.

    `flair degrade` cuts frames to multiples of the scale; what it cut off the clean frame is cut off here.
    """
    for other in (restored, observed):
        if other is not None and len(other) != len(clean):
            raise ShapeError(
                f"{clean.path.name} has {len(clean)} frames, but {other.path.name} {len(other)}. "
                "Compare clips of the same frames."
            )
    mask = region(where, clean)
    seen = iter(observed.frames()) if observed is not None else None
    for frame, other_frame in zip(clean.frames(), restored.frames(), strict=True):
        y = as_uint8(next(seen).rgb) if seen is not None else None
        rgb, result, inside = as_uint8(frame.rgb), as_uint8(other_frame.rgb), mask(frame.index)
        height, width = result.shape[:2]
        if 0 <= rgb.shape[0] - height < MOST_CUT and 0 <= rgb.shape[1] - width < MOST_CUT:
            rgb, inside = rgb[:height, :width], None if inside is None else inside[:height, :width]
        yield Pair(rgb, result, inside, y)
