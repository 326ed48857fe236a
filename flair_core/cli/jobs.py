"""`flair jobs`: the list of render jobs."""

from __future__ import annotations

import argparse
import sys

from flair_core.cli import restore
from flair_core.errors import FlairError, JobError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """One subcommand for each thing to do with the list."""
    parser = commands.add_parser("jobs", help="list, resume, pause, cancel or clear render jobs")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="print all jobs in order").set_defaults(run=_list)
    resume = actions.add_parser("resume", help="go on with jobs")
    resume.add_argument("id", type=int, nargs="*", help="which ones; default: all that wait, rest or failed")
    resume.set_defaults(run=_resume)
    for name, what in (("pause", "stop jobs, to go on later"), ("cancel", "give jobs up")):
        action = actions.add_parser(name, help=f"{what}; a running one stops after its current step")
        action.add_argument("id", type=int, nargs="+")
        action.set_defaults(run=_change, change=name)
    clear = actions.add_parser("clear", help="forget the jobs that are done or given up")
    clear.add_argument("--cache", action="store_true", help="also delete all restored faces that are kept")
    clear.set_defaults(run=_clear)


def _list(_: argparse.Namespace) -> None:
    from flair_core.jobs.queue import Jobs

    for job in Jobs().list():
        frames = f"{job.done}/{job.total}" if job.total else "-"
        print(f"{job.id:4}  {job.state:9}  {frames:>13}  {job.request.source} -> {job.request.output}")
        for line in filter(None, (job.error, *job.notes)):
            print(f"      {line}")


def _resume(arguments: argparse.Namespace) -> None:
    """Jobs one after the other; one that fails does not keep the others from being done."""
    from flair_core.jobs.queue import FINISHED, Jobs, State

    jobs, failures = Jobs(), 0
    ids = arguments.id or [
        job.id for job in jobs.list() if job.state not in FINISHED and job.state is not State.RUNNING
    ]
    for id in ids:
        try:
            if jobs.get(id).state is not State.QUEUED:
                jobs.retry(id)
            restore.follow(jobs, jobs.get(id))
        except FlairError as error:
            failures += 1
            print(f"flair jobs: job {id}: {error}", file=sys.stderr)
    if failures:
        raise JobError(f"{failures} of {len(ids)} jobs were not done; see above.")


def _change(arguments: argparse.Namespace) -> None:
    from flair_core.jobs.queue import Jobs

    jobs = Jobs()
    change = {"pause": jobs.pause, "cancel": jobs.cancel}[arguments.change]
    for id in arguments.id:
        change(id)


def _clear(arguments: argparse.Namespace) -> None:
    from flair_core.jobs.queue import Jobs
    from flair_core.kept.cache import Cache

    print(f"{Jobs().clear()} jobs forgotten")
    if arguments.cache:
        print(f"{Cache().clear() / 1e6:.0f} MB of restored faces deleted")
