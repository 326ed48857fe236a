"""The paper's figures and tables with whatever model, enhancer and clips there are.

What can be compared with the paper are the shapes: how a number moves when a switch is thrown. Each experiment says
whether they are as in the paper.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from flair_core.errors import SettingsError
from flair_core.experiments import compare, trials
from flair_core.experiments.baselines import BASELINES, samplers
from flair_core.experiments.record import Column, Finding, Line, Plot, Table
from flair_core.experiments.trials import Slowed, Trial
from flair_core.metrics.suite import METRICS
from flair_core.settings.groups import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flair_core.experiments.trials import Outcome
    from flair_core.restoration.models import Models
    from flair_core.settings.groups import RestorationSettings

W_TAUS = (0.0, 0.25, 0.5, 0.75, 1.0)
STEPS = (5, 10, 25, 50, 100)
ENHANCED = {"w_tau": 0.5, "tau": 1}
"""FLAIR + G in tables 1 and 2; plain FLAIR has no enhancer there, as in the paper."""
EQUAL = {"psnr": 0.02, "lpips": 0.002, "gmsd": 0.0005, "e_warp": 0.005}
"""Differences below these are none."""


class Found(NamedTuple):
    """What the outcomes of an experiment come to."""

    tables: Sequence[Table]
    plots: Sequence[Plot]
    findings: Sequence[Finding]


class Experiment(NamedTuple):
    """A figure or table of the paper."""

    title: str
    text: str
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    plan: Callable[[Sequence[str], RestorationSettings, Models], list[Trial]]
    """(tasks, settings, models) → trials. Raises SettingsError when the models don't allow it."""
    conclude: Callable[[Sequence[Outcome]], Found]
    sampler: dict[str, float | str]
    """Settings of the sampler as the paper has them; the user's options override them."""


def _flair(task: str, label: str, settings: RestorationSettings, models: Models, **sampler: float) -> Trial:
    chosen = replace(trials.with_task(settings, task), sampler=changed(settings.sampler, **sampler))
    return Trial(task, label, BASELINES["flair"].restore, chosen, models)


def _measured(outcomes: Sequence[Outcome]) -> list[str]:
    return [name for name in METRICS if all(name in outcome.scores for outcome in outcomes)]


def _axis(name: str) -> str:
    metric = METRICS[name]
    return Column(f"{metric.label} {metric.unit}".strip(), metric.rises).head


def _plots(
    outcomes: Sequence[Outcome], x: str, variable: Callable[[Trial], float], log: bool = False
) -> list[Plot]:
    """A plot of each metric over a variable; a line for each label up to its comma."""
    found = []
    for name in _measured(outcomes):
        lines = []
        for label, some in groupby(outcomes, lambda outcome: outcome.trial.label.split(", ")[0]):
            points = [(variable(outcome.trial), outcome.scores[name]) for outcome in some]
            lines.append(Line(label, *map(tuple, zip(*points, strict=True))))
        found.append(Plot(f"{METRICS[name].label} against {x}", x, _axis(name), lines, log))
    return found


# Figure 7a


def _plan_7a(tasks: Sequence[str], settings: RestorationSettings, models: Models) -> list[Trial]:
    return [_flair(task, f"{task}, w_τ = {w:g}", settings, models, w_tau=w) for task in tasks for w in W_TAUS]


def _conclude_7a(outcomes: Sequence[Outcome]) -> Found:
    findings = []
    for task, rows in compare.by_task(outcomes).items():
        psnr = [row.scores["psnr"] for row in rows]
        falls = all(after < before + EQUAL["psnr"] for before, after in pairwise(psnr)) and psnr[-1] < psnr[0]
        findings.append(
            Finding(
                f"{task}: more enhancement costs PSNR", falls, " → ".join(f"{x:.2f}" for x in psnr) + " dB"
            )
        )
        for name in ("lpips", "gmsd", "sharpness"):
            if name in _measured(outcomes):
                values = [row.scores[name] for row in rows]
                # The truth has a sharpness of 1; more is too much.
                error = [abs(1 - value) if name == "sharpness" else value for value in values]
                best = min(range(len(error)), key=error.__getitem__)
                better = best > 0 and error[best] < error[0] - EQUAL.get(name, 0.01)
                seen = f"{values[0]:.3f} → {values[best]:.3f} at w_τ = {W_TAUS[best]:g}"
                findings.append(
                    Finding(f"{task}: some enhancement improves {METRICS[name].label}", better, seen)
                )
    plots = _plots(outcomes, "w_τ", lambda trial: trial.settings.sampler.w_tau)
    return Found([trials.table("Figure 7a", outcomes, "Task and w_τ")], plots, findings)


# Figure 7b


def _plan_7b(tasks: Sequence[str], settings: RestorationSettings, models: Models) -> list[Trial]:
    return [
        _flair(task, f"{task} {label}, K = {steps}", settings, models, steps=steps, gamma=gamma)
        for task in tasks
        for label, gamma in (("with DC", settings.sampler.gamma), ("without DC", 0.0))
        for steps in STEPS
    ]


def _conclude_7b(outcomes: Sequence[Outcome]) -> Found:
    findings = []
    for task, rows in compare.by_task(outcomes).items():
        half = len(rows) // 2
        gains = [
            on.scores["psnr"] - off.scores["psnr"] for on, off in zip(rows[:half], rows[half:], strict=True)
        ]
        seen = ", ".join(f"K = {steps} {gain:+.2f} dB" for steps, gain in zip(STEPS, gains, strict=True))
        findings.append(Finding(f"{task}: data consistency raises PSNR at every K", min(gains) > 0, seen))
    plots = _plots(outcomes, "K", lambda trial: trial.settings.sampler.steps, log=True)
    return Found([trials.table("Figure 7b", outcomes, "Task, DC and K")], plots, findings)


# Tables 1 and 2

SAMPLERS = (
    "bicubic", "pinv", "ddnm", "ddnm-noisy", "ilvr", "diffpir", "dr2", "flair-no-dc", "flair", "flair-sa",
)  # fmt: skip


def _plan_tables(tasks: Sequence[str], settings: RestorationSettings, models: Models) -> list[Trial]:
    plain = replace(settings, sampler=changed(settings.sampler, w_tau=0.0))
    enhanced = ENHANCED if settings.sampler.w_tau == 0 else {}
    plan = compare.comparison(tasks, SAMPLERS, plain, models)
    plan += [_flair(task, "FLAIR + G", settings, models, **enhanced) for task in tasks]
    return sorted(plan, key=lambda trial: tasks.index(trial.task))


def _conclude_tables(outcomes: Sequence[Outcome]) -> Found:
    return Found(compare.tables(outcomes), [], compare.findings(outcomes))


# Table 3


def _plan_3(tasks: Sequence[str], settings: RestorationSettings, models: Models) -> list[Trial]:
    known = samplers(models)
    if "flair-image" not in known:
        raise SettingsError(
            f"The model {settings.sampler.model!r} has no temporal layers to switch off. "
            "Choose a video model by --model."
        )
    plain = replace(settings, sampler=changed(settings.sampler, w_tau=0.0))
    enhanced = [_flair(task, "FLAIR + G", settings, models) for task in tasks if settings.sampler.w_tau > 0]
    names = ["bicubic", *(name for name in known if name.startswith("flair-no-") and name not in BASELINES)]
    names += ["flair-image", "flair"]
    return sorted(
        [*compare.comparison(tasks, names, plain, models), *enhanced], key=lambda t: tasks.index(t.task)
    )


def _conclude_3(outcomes: Sequence[Outcome]) -> Found:
    findings = compare.findings(outcomes)
    for task, rows in compare.by_task(outcomes).items():
        scores = {row.trial.label: row.scores for row in rows}
        whole = scores["FLAIR"]["psnr"]
        partial = {
            label: score["psnr"] - whole
            for label, score in scores.items()
            if label.startswith("FLAIR without ")
        }
        if partial:
            seen = ", ".join(f"{label} {gain:+.3f} dB" for label, gain in partial.items())
            findings.append(
                Finding(
                    f"{task}: all temporal layers together are best in PSNR", max(partial.values()) <= 0, seen
                )
            )
    return Found(compare.tables(outcomes), [], findings)


# Table 4

SLOWED = 4
"""Section 5.4 leaves one of so many frames."""
RESTORERS = ("bicubic", "ddnm-noisy", "dr2", "sr3", "flair")
ORDERS = {True: "interpolated, then {}", False: "{}, then interpolated"}


def _plan_4(tasks: Sequence[str], settings: RestorationSettings, models: Models) -> list[Trial]:
    return [
        replace(trial, label=order.format(trial.label), slowed=Slowed(SLOWED, first))
        for task in tasks
        for first, order in ORDERS.items()
        for trial in compare.comparison([task], RESTORERS, settings, models)
    ]


def _conclude_4(outcomes: Sequence[Outcome]) -> Found:
    """What the paper's table says: FLAIR is above DDNM in PSNR and best in LPIPS in both orders.

    Restoring first is better in PSNR, interpolating first in LPIPS.
    """
    findings = []
    names = [name for name in ("psnr", "lpips") if name in _measured(outcomes)]
    for task, rows in compare.by_task(outcomes).items():
        scores = {row.trial.label: row.scores for row in rows}
        flair, ddnm = BASELINES["flair"].label, BASELINES["ddnm-noisy"].label
        early, late = (scores[order.format(flair)] for order in ORDERS.values())
        for name in names:
            metric, gain = METRICS[name], late[name] - early[name]
            claim = (
                "restoring first is better in PSNR"
                if metric.rises
                else "interpolating first is better in LPIPS"
            )
            findings.append(Finding(f"{task}: {claim} (FLAIR)", gain > 0, f"{gain:+.3f}"))
            for order in ORDERS.values():
                labels = [ddnm] if metric.rises else [BASELINES[name].label for name in RESTORERS]
                best = (max if metric.rises else min)(
                    scores[order.format(label)][name] for label in labels if label != flair
                )
                own, claim = scores[order.format(flair)][name], "above DDNM+" if metric.rises else "best"
                seen = f"{own:.3f} against {best:.3f}"
                holds = own > best if metric.rises else own < best
                findings.append(
                    Finding(f"{task}: {order.format(flair)}, is {claim} in {metric.label}", holds, seen)
                )
    return Found(compare.tables(outcomes), [], findings)


EXPERIMENTS = {
    "fig7a": Experiment(
        "Figure 7a: enhancement",
        "PSNR and perception against w_τ, the weight of the enhancer at its last step, K = 25 and τ = 5.",
        ("bicubic4", "bicubic16", "jpeg"),
        ("psnr", "lpips", "gmsd", "sharpness"),
        _plan_7a,
        _conclude_7a,
        {"steps": 25, "tau": 5, "w_curve": ""},
    ),
    "fig7b": Experiment(
        "Figure 7b: data consistency",
        "PSNR and perception against the number of steps K, with and without data consistency, for a mix of ×4 "
        "downsampling, Gaussian blur and JPEG of quality 60.",
        ("jpeg-clean",),
        ("psnr", "lpips", "gmsd", "sharpness"),
        _plan_7b,
        _conclude_7b,
        {},
    ),
    "table1": Experiment(
        "Table 1: samplers on short clips",
        "The samplers on each task; all share one network and one start, so that only the refinements differ. FLAIR "
        "without DC is the conditional network alone, as SR3 is; FLAIR has no enhancer but where it says so.",
        ("bicubic4", "bicubic8", "bicubic16", "blur", "motion", "jpeg"),
        ("psnr", "ssim", "lpips", "gmsd", "fid", "kid", "fvd", "e_warp"),
        _plan_tables,
        _conclude_tables,
        {},
    ),
    "table2": Experiment(
        "Table 2: samplers on long clips",
        "As table 1, on clips as long as they are: give more --frames.",
        ("bicubic8", "blur", "jpeg"),
        ("psnr", "ssim", "lpips", "gmsd", "fid", "kid", "fvd", "e_warp"),
        _plan_tables,
        _conclude_tables,
        {},
    ),
    "table3": Experiment(
        "Table 3: temporal layers",
        "Warping error and quality of the video model, of the same without one kind of temporal layers, and of its "
        "image model; with an enhancer as well where w_τ is above 0.",
        ("bicubic8",),
        ("psnr", "ssim", "lpips", "gmsd", "fid", "kid", "fvd", "e_warp"),
        _plan_3,
        _conclude_3,
        {},
    ),
    "table4": Experiment(
        "Table 4: space-time super-resolution",
        f"One of {SLOWED} frames is seen, degraded by the task; those between are made of their neighbours, before "
        "the restoration or after it.",
        ("bicubic8",),
        ("psnr", "ssim", "lpips", "gmsd", "fid", "kid", "fvd", "e_warp"),
        _plan_4,
        _conclude_4,
        {},
    ),
}
