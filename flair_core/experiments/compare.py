"""Samplers side by side on tasks: the trials of `flair compare`, of tables 1 and 2, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core.errors import SettingsError
from flair_core.experiments import trials
from flair_core.experiments.baselines import samplers
from flair_core.experiments.record import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flair_core.experiments.record import Table
    from flair_core.experiments.trials import Outcome, Trial
    from flair_core.restoration.models import Models
    from flair_core.settings.groups import RestorationSettings


def comparison(
    tasks: Sequence[str], names: Sequence[str], settings: RestorationSettings, models: Models
) -> list[Trial]:
    """Every sampler on every task. Raises SettingsError for an unknown one."""
    known = samplers(models)
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(f"There is no sampler {unknown[0]!r}; choose from {', '.join(known)}.")
    return [
        trials.Trial(task, known[name].label, known[name].restore, trials.with_task(settings, task), models)
        for task in tasks
        for name in names
    ]


def tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """A table of scores for each task."""
    return [trials.table(task, rows) for task, rows in by_task(outcomes).items()]


def by_task(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each task, in order."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.trial.task, []).append(outcome)
    return found


CLAIMS = (
    ("Data consistency raises PSNR", "FLAIR", "FLAIR without DC", "psnr"),
    ("The mean of samples raises PSNR (FLAIR-SA)", "FLAIR-SA", "FLAIR", "psnr"),
    ("Enhancement costs PSNR", "FLAIR", "FLAIR + G", "psnr"),
    ("The video model lowers E_warp", "FLAIR", "FLAIR image model", "e_warp"),
    ("FLAIR is above DDNM+ in PSNR", "FLAIR", "DDNM+", "psnr"),
)
"""What section 5 says: that the first sampler is better than the second by this metric, on every task."""


def findings(outcomes: Sequence[Outcome]) -> list[Finding]:
    """Those claims of the paper for which both samplers ran."""
    found = []
    for claim, better, worse, metric in CLAIMS:
        sign = -1 if metric == "e_warp" else 1
        gains = {}
        for task, rows in by_task(outcomes).items():
            scores = {row.trial.label: row.scores.get(metric) for row in rows}
            one, other = scores.get(better), scores.get(worse)
            if one is not None and other is not None:
                gains[task] = one - other
        if gains:
            seen = ", ".join(f"{task} {gain:+.3f}" for task, gain in gains.items())
            found.append(Finding(claim, all(sign * gain > 0 for gain in gains.values()), seen))
    return found
