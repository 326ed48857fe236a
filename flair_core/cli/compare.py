"""`flair compare`: samplers side by side on clean clips of aligned faces."""

from __future__ import annotations

import argparse

from flair_core.cli import experiment


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What to compare, and where to."""
    parser = commands.add_parser(
        "compare",
        help="compare samplers on clean clips: tables, frames, videos",
        epilog="Clips are degraded by each task and restored by each sampler; all share the model.",
    )
    experiment.add_common(parser)
    parser.add_argument(
        "--samplers",
        default="bicubic,pinv,ddnm-noisy,ilvr,diffpir,sr3,flair",
        help="comma-separated, or all (default: %(default)s)",
    )
    parser.add_argument(
        "--tasks", default="bicubic8,blur,jpeg", help="comma-separated, or all (default: %(default)s)"
    )
    parser.add_argument(
        "--metrics",
        default="psnr,ssim,lpips,gmsd,sharpness,e_warp,residual",
        help="comma-separated, or all (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Compare; prints the tables, and writes them with the pictures."""
    from flair_core.experiments import compare, trials
    from flair_core.experiments.baselines import samplers
    from flair_core.experiments.record import Record
    from flair_core.metrics.suite import chosen

    settings, models = experiment.prepared(arguments)
    known = samplers(models)
    names = list(known) if arguments.samplers == "all" else arguments.samplers.split(",")
    tasks = list(trials.TASKS) if arguments.tasks == "all" else arguments.tasks.split(",")
    plan = compare.comparison(tasks, names, settings, models)
    clips = experiment.read(arguments)
    outcomes = experiment.done(arguments, clips, plan, chosen(arguments.metrics))
    record = Record(
        title="Samplers compared",
        text="; ".join(f"{known[name].label}: {known[name].text}" for name in names) + ".",
        tables=compare.tables(outcomes),
        findings=compare.findings(outcomes),
        pictures=experiment.shown(arguments.output, clips[0], outcomes),
        notes=trials.skipped(outcomes),
        made=experiment.made(clips, settings, models),
    )
    experiment.finish(record, arguments.output)
