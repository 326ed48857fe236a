"""What happened to the footage, read from the footage itself."""

from flair_core.estimation.estimate import Estimated, estimate_degradation, estimate_shots

__all__ = ["Estimated", "estimate_degradation", "estimate_shots"]
