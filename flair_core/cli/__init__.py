"""`flair`: the command line over the core. Each command has a file with `add` (its options) and `run`.

Heavy modules are imported when a command runs, so that `flair --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from flair_core.cli import (
    autopsy,
    compare,
    degrade,
    doctor,
    estimate,
    eval,
    experiment,
    interpolate,
    jobs,
    models,
    report,
    restore,
    train,
)
from flair_core.errors import FlairError
from flair_core.runtime import memory, openmp

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    restore,
    jobs,
    degrade,
    estimate,
    interpolate,
    eval,
    compare,
    experiment,
    autopsy,
    report,
    models,
    train,
    doctor,
)


class CommandParser(argparse.ArgumentParser):
    """Says what is wrong in one line and exits with 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message without the usage."""
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = CommandParser(prog="flair", description="Restore faces in old footage with the FLAIR method.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 on success, 2 on bad input, 130 when interrupted."""
    arguments = parser().parse_args(argv)
    openmp.choose()
    memory.keep()
    try:
        return int(arguments.run(arguments) or 0)
    except FlairError as error:
        print(f"flair {arguments.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever reads our output has seen enough, as `head` does; nothing may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"flair {arguments.command}: {error.strerror or error}{where}. Choose another place, or make room.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"flair {arguments.command}: interrupted; nothing was left half-written.", file=sys.stderr)
        return 130
