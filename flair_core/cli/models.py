"""`flair models`: the checkpoints that can be used, and bringing in what others publish."""

from __future__ import annotations

import argparse
import sys

from flair_core.cli import options
from flair_core.errors import WeightsError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """list, get, import, verify."""
    parser = commands.add_parser("models", help="list, download, import and verify checkpoints")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="what there is, under which licence, and where to get it").set_defaults(
        run=listed
    )
    get = actions.add_parser("get", help="download a checkpoint, check it and keep it")
    get.add_argument("name")
    get.add_argument("--yes", action="store_true", help="agree to its licence without being asked")
    get.set_defaults(run=got)
    fetch = actions.add_parser("import", help="check a fetched file against its network and keep it")
    fetch.add_argument("file", type=options.path)
    fetch.add_argument("--name", help="which model it is, when the file's name does not tell")
    fetch.set_defaults(run=imported)
    verify = actions.add_parser("verify", help="check that imported models are unchanged")
    verify.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    verify.set_defaults(run=verified)


def listed(_: argparse.Namespace) -> None:
    """One paragraph for each checkpoint."""
    from flair_core.checkpoints import (
        store,
    )

    for status in store.listing():
        entry = status.checkpoint
        size = f", {entry.size / 2**20:.0f} MB" if entry.size else ""
        checksum = f", SHA-256 {entry.sha256}" if entry.sha256 else ""
        here = f"here: {status.path}" if status.path else f"not here: {entry.source}"
        print(
            f"{entry.name}\n  {entry.purpose}\n  licence: {entry.licence}\n  file: {entry.file}{size}{checksum}"
        )
        print(f"  {here}")
    print(f"Imported models lie in {store.folder()}.")


def got(arguments: argparse.Namespace) -> int:
    """Tell what it is, ask, download; print where the model lies now. 2 when the user declines."""
    from tqdm import tqdm

    from flair_core import importing
    from flair_core.checkpoints import (
        catalogue,
    )

    entry = catalogue.CHECKPOINTS.get(arguments.name)
    if entry is not None and entry.url and not arguments.yes:
        print(f"{entry.name}: {entry.purpose}\nlicence: {entry.licence}", file=sys.stderr)
        print(f"{entry.size:,} bytes, SHA-256 {entry.sha256}\nfrom {entry.url}", file=sys.stderr)
        try:
            agreed = input("Download it under this licence? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            agreed = False
        if not agreed:
            print("flair models: nothing was downloaded.", file=sys.stderr)
            return 2
    with tqdm(unit="B", unit_scale=True, total=entry.size if entry else None) as bar:

        def progress(here: int, _: int) -> None:
            bar.update(here - bar.n)

        print(importing.download(arguments.name, progress))
    return 0


def imported(arguments: argparse.Namespace) -> None:
    """Print where the model lies now."""
    from flair_core import importing

    print(importing.import_checkpoint(arguments.file, arguments.name))


def verified(arguments: argparse.Namespace) -> int:
    """One line for each model; 2 when one of them is damaged."""
    from flair_core import importing
    from flair_core.checkpoints import (
        store,
    )

    failed = 0
    for name in arguments.names or [status.checkpoint.name for status in store.listing() if status.path]:
        try:
            published = importing.verify(name).as_published
        except WeightsError as error:
            print(f"flair models: {error}", file=sys.stderr)
            failed = 2
            continue
        origin = {True: ", exactly as published", False: ", not the published file", None: ""}[published]
        print(f"{name}: unchanged{origin}")
    return failed
