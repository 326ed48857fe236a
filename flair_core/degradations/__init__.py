"""What happened to the footage, eq. (10): operators A, their pseudo-inverses A⁺, noise and JPEG."""

from flair_core.degradations.base import Degradation, Identity, Linear, Operator
from flair_core.degradations.cosine import SeparableDownsample
from flair_core.degradations.fourier import BlurDownsample
from flair_core.degradations.jpeg import Jpeg, JpegDegradation
from flair_core.degradations.kernels import blur_kernel
from flair_core.degradations.levels import Levels
from flair_core.degradations.model import build, degrade, enlarged, linear
from flair_core.degradations.own import demanded
from flair_core.degradations.released import ReleasedBlur
from flair_core.degradations.resize import repeat, upscale

__all__ = [
    "BlurDownsample",
    "Degradation",
    "Identity",
    "Jpeg",
    "JpegDegradation",
    "Levels",
    "Linear",
    "Operator",
    "ReleasedBlur",
    "SeparableDownsample",
    "blur_kernel",
    "build",
    "degrade",
    "demanded",
    "enlarged",
    "linear",
    "repeat",
    "upscale",
]
