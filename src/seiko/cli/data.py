"""`data list` and `data fetch`: the data sets that recipes and oracles stand on."""

from __future__ import annotations

import difflib
import sys
from typing import Annotated

import typer

from seiko.cli.errors import InputError
from seiko.cli.output import as_csv, deliver, say

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Find data sets: SEIKO_DATA, then the cache, then a download with a pinned SHA-256.",
)


@app.command("list")
def list_() -> None:
    """List the data sets that are known: name, file, bytes, where it lies, what it is."""
    from seiko.data import list_datasets, locate

    rows = []
    for dataset in list_datasets():
        path = locate(dataset.name)
        where = str(path) if path else "downloadable" if dataset.remotes else "only by SEIKO_DATA"
        rows.append(
            {
                "name": dataset.name,
                "file": dataset.file,
                "bytes": dataset.size,
                "where": where,
                "description": dataset.description,
            }
        )
    if sys.stdout.isatty():
        width = max(len(str(row["name"])) for row in rows)
        deliver(
            "".join(f"{row['name']:<{width}}  {row['description']}\n{'':<{width}}  {row['where']}\n" for row in rows),
            None,
        )
    else:
        deliver(as_csv(("name", "file", "bytes", "where", "description"), rows), None)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `seiko data list` says.", show_default=False)],
) -> None:
    """Print the path of a data set's file, checked; download it if it is not on this machine."""
    from seiko.data import fetch as fetch_file
    from seiko.data import list_datasets

    names = [dataset.name for dataset in list_datasets()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        raise InputError(f"no data set {name!r}{hint} There are: {', '.join(names)}")
    path = fetch_file(name)
    deliver(f"{path}\n", None)
    say(f"{name}: its SHA-256 is the expected one")
