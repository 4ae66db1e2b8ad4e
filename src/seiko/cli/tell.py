"""`tell`: labels from a file, and measurements that were not asked for."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seiko.cli.errors import InputError
from seiko.cli.images import measured_images, read_manifest
from seiko.cli.output import as_csv, as_json, deliver, say
from seiko.cli.runs import RunPlace, open_run, read_state
from seiko.designs import IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seiko.campaign import Campaign
    from seiko.campaign.label_file import Reading
    from seiko.designs import Design
    from seiko.oracles import Label

__all__ = ["tell"]

TELL_COLUMNS = ("id", "replicate", "value", "noise", "status", "reason", "retry")
ATTACH_COLUMNS = ("design", *TELL_COLUMNS[1:6])


def tell(
    run: RunPlace,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="A table with id (or well) and value and, if you like, noise, status (value, infeasible, failed), "
            "reason, retry, replicate, design; one JSON object a line; a grid in the shape of a plate; or winner, "
            "loser and, if you like, rater, choice, tie; a folder of images with a manifest.csv; - is standard input.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, print what would be taken, take nothing.")] = False,
    attach: Annotated[
        bool,
        typer.Option(
            "--attach",
            help="Measurements that were not asked for: design and value. They are fitted, cost nothing, and are never "
            "asked.",
        ),
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="OURS=THEIRS", help="Read a column of another name; repeatable.", show_default=False
        ),
    ] = None,
    scale: Annotated[float, typer.Option("--scale", help="Factor on values and noise, before all else.")] = 1.0,
    log10: Annotated[bool, typer.Option("--log10", help="Take the logarithm of the values.")] = False,
    minimise: Annotated[bool, typer.Option("--minimise", help="Smaller values are better.")] = False,
    plate: Annotated[
        str | None,
        typer.Option("--plate", metavar="NAME", help="Plate that the wells are of.", show_default="the only one"),
    ] = None,
) -> None:
    """Take the labels or comparisons of a file: all of them, or none if one line is wrong."""
    from seiko.campaign.comparison_file import is_comparison_file
    from seiko.campaign.label_file import Reading
    from seiko.campaign.units import Units
    from seiko.cli.compare import tell_comparisons

    units = Units(scale=scale, log10=log10, minimise=minimise)
    reading = Reading(columns=_columns(column or []), units=units, plate=plate)
    if file == "-":
        data, name = sys.stdin.buffer.read(), "standard input"
    elif not Path(file).is_dir():
        data, name = Path(file).read_bytes(), file
    elif attach:
        return _attach_images(run, Path(file), reading, dry_run)
    else:
        data, name = read_manifest(Path(file), read_state(run))
    if is_comparison_file(data):
        tell_comparisons(run, data, name, dry_run=dry_run)
    elif attach:
        _attach(run, data, name, reading, dry_run)
    else:
        _tell(run, data, name, reading, dry_run)


def _tell(run: str, data: bytes, name: str, reading: Reading, dry_run: bool) -> None:
    from seiko.campaign.label_file import parse_labels
    from seiko.campaign.taking import new_labels

    state = read_state(run)
    labels = parse_labels(data, state, name, reading)
    total = sum(map(len, labels.values()))
    if dry_run:
        new = new_labels(state, labels)
        _show(TELL_COLUMNS, [{"id": id, **asdict(label)} for id, found in new.items() for label in found], total)
        return
    with open_run(run) as campaign:
        taken = campaign.tell(labels, units=reading.units)
        pending = len(campaign.state.pending())
    deliver(as_json({"taken": taken, "known": total - taken, "pending": pending}), None)
    say(f"{taken} labels taken, {total - taken} known already; {pending} are missing")


def _attach(run: str, data: bytes, name: str, reading: Reading, dry_run: bool) -> None:
    from seiko.campaign.attach_file import parse_measured

    with open_run(run) as campaign:
        kind = campaign.design("").kind
        if kind == IMAGE:
            raise InputError("images are attached with their files: name a folder with PNG files and a manifest.csv")
        measured = parse_measured(data, kind, name, reading, campaign.readable, campaign.recipe.objectives)
        _take_attached(campaign, measured, reading, dry_run)


def _attach_images(run: str, folder: Path, reading: Reading, dry_run: bool) -> None:
    measured = measured_images(folder, reading)
    with open_run(run) as campaign:
        _take_attached(campaign, measured, reading, dry_run)


def _take_attached(campaign: Campaign, measured: Mapping[Design, list[Label]], reading: Reading, dry_run: bool) -> None:
    total = sum(map(len, measured.values()))
    if dry_run:
        new = campaign.attachable(measured)
        rows = [{"design": design.content, **asdict(label)} for design, label in new]
        _show(ATTACH_COLUMNS, rows, total)
        return
    taken = campaign.attach(measured, units=reading.units)
    deliver(as_json({"attached": taken, "known": total - taken}), None)
    say(f"{taken} measurements attached, {total - taken} known already; none of these designs will be asked for")


def _show(columns: tuple[str, ...], rows: list[dict[str, Any]], total: int) -> None:
    for row in rows:
        row["retry"] = "yes" if row["retry"] else None
    deliver(as_csv(columns, rows), None)
    say(f"{len(rows)} labels would be taken, {total - len(rows)} are known already; nothing was taken")


def _columns(given: list[str]) -> dict[str, str]:
    columns = {}
    for text in given:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise InputError(f"--column is given as OURS=THEIRS, for example value=Readout, got {text!r}")
        columns[ours.strip().lower()] = theirs
    return columns
