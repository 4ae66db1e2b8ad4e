"""`seiko ledger`: check a run's memory, take it elsewhere bit for bit, bring it to the newest schema."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from seiko.cli.errors import FAILURE, InputError
from seiko.cli.output import as_json, deliver, say
from seiko.cli.runs import Force, OutFile, RunPlace

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Check a run's memory, take it elsewhere bit for bit, bring it to the newest schema.",
)
Beside = Annotated[
    Path | None,
    typer.Option(
        "--artifacts", metavar="FOLDER", help="Artifacts as files here, not in the lines.", show_default=False
    ),
]


@app.command()
def verify(
    run: RunPlace,
    expect: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="A digest noted earlier, which an event must have.", show_default=False),
    ] = None,
) -> None:
    """Read everything: chain, artifacts, database, sense; print what was found as JSON and say what is wrong."""
    from seiko.campaign.ledger import Ledger
    from seiko.campaign.verification import verify as check

    with Ledger.open(run) as ledger:
        verdict, place = check(ledger, expect), ledger.place
    deliver(as_json({"run": place, "sound": not verdict.faults, **asdict(verdict)}), None)
    for line in (*verdict.faults, *verdict.remarks):
        say(line)
    if verdict.faults:
        say(f"{place}: {len(verdict.faults)} faults; restore the run from a backup or an export")
        raise typer.Exit(FAILURE)
    say(f"{place}: sound; {verdict.events} events, {verdict.artifacts} artifacts, last digest {verdict.digest}")


@app.command()
def export(run: RunPlace, out: OutFile = None, artifacts: Beside = None, force: Force = False) -> None:
    """Write a run as JSON lines, which `import` rebuilds bit for bit."""
    from seiko.campaign.ledger import Ledger
    from seiko.campaign.ledger.transfer import export_lines

    if artifacts is not None:
        artifacts.mkdir(parents=True, exist_ok=True)
    with Ledger.open(run) as ledger:
        if out is None:
            for line in export_lines(ledger, artifacts):
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        else:
            _write(out, export_lines(ledger, artifacts), force=force)
            say(f"{ledger.place}: written to {out}")


@app.command(name="import")
def import_(
    run: RunPlace,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote.", show_default=False)],
    artifacts: Beside = None,
) -> None:
    """Rebuild a run from an export; refuse one that does not verify."""
    from seiko.campaign.ledger import shown_place
    from seiko.campaign.ledger.transfer import ExportInvalid, import_file

    try:
        header = import_file(file, run, artifacts)
    except ExportInvalid as error:
        raise InputError(f"{file}: {error}; nothing was imported") from error
    deliver(as_json({"run": shown_place(run), **{key: asdict(header)[key] for key in _IMPORTED}}), None)
    say(f"{shown_place(run)}: {header.events} events and {header.artifacts} artifacts, as they were in {header.run}")


_IMPORTED = ("events", "artifacts", "digest")


@app.command()
def migrate(
    run: RunPlace,
    backup: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Copy the database here first.", show_default="beside the database"),
    ] = None,
) -> None:
    """Bring an older ledger to this version's schema, after a copy; an older one also works as it is."""
    from seiko.campaign.ledger import shown_place
    from seiko.campaign.ledger.base import SCHEMA
    from seiko.campaign.ledger.migration import migrate as move

    copy = move(run, backup)
    deliver(as_json({"run": shown_place(run), "schema": SCHEMA, "backup": None if copy is None else str(copy)}), None)
    say(f"{shown_place(run)}: " + (f"has schema {SCHEMA} already" if copy is None else f"migrated; copy in {copy}"))


def _write(out: Path, lines: Iterable[bytes], *, force: bool) -> None:
    """Write a file whole or not at all, line by line."""
    if out.is_dir() or (out.exists() and not force):
        raise InputError(f"{out} exists: name another file" + ("" if out.is_dir() else ", or replace it with --force"))
    if not out.absolute().parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {out.parent}")
    temporary = out.with_name(f".{out.name}-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
