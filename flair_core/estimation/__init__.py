"""What happened to the footage, read from the footage itself."""

from flair_core.estimation.estimate import Estimate, estimate_degradation, estimate_shots

__all__ = ["Estimate", "estimate_degradation", "estimate_shots"]
