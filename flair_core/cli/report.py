"""`flair report`: what experiments found as one HTML file."""

from __future__ import annotations

import argparse

from flair_core.cli import options


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The folders, and the file."""
    parser = commands.add_parser(
        "report", help="one self-contained HTML file from what compare, experiment and autopsy wrote"
    )
    parser.add_argument(
        "folders", type=options.path, nargs="+", metavar="FOLDER", help="folders with a record.json"
    )
    parser.add_argument("-o", "--output", type=options.path, required=True, help="the HTML file")
    parser.add_argument("--title", default="FLAIR Studio report", help="its heading")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write it; prints its path."""
    from flair_core.errors import MediaError
    from flair_core.experiments.report import report

    text = report(arguments.folders, arguments.title)
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MediaError(
            f"{arguments.output} can't be written ({error.strerror}). Name another file."
        ) from None
    print(arguments.output)
