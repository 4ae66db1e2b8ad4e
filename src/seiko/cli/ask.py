"""`ask`: the designs that wait for a label, as a table, a plate, or a file of the laboratory's own kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seiko.cli.batch_files import AskFormat, as_batch, format_of
from seiko.cli.errors import InputError
from seiko.cli.images import PICTURE_COLUMNS, deliver_images, only_images
from seiko.cli.output import deliver, say
from seiko.cli.runs import Force, RunPlace, open_run

if TYPE_CHECKING:
    from seiko.campaign import Campaign, Query
    from seiko.campaign.plates import Plate
    from seiko.designs import Design

__all__ = ["ask"]


def ask(
    run: RunPlace,
    n: Annotated[
        int | None,
        typer.Option("--n", min=1, help="Size of the round's batch.", show_default="an equal part of what is left"),
    ] = None,
    another: Annotated[
        bool, typer.Option("--another", help="Choose one more batch while the round's others wait; print it alone.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write here, not to standard output; a folder for images.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        AskFormat | None, typer.Option("--format", help="Of the file.", show_default="by its ending, else csv")
    ] = None,
    plate: Annotated[
        int | None,
        typer.Option("--plate", metavar="96|384", help="Lay the batch out on plates of so many wells; it is kept."),
    ] = None,
    replicates: Annotated[int, typer.Option("--replicates", min=1, help="Wells of each design; with --plate.")] = 1,
    control: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            metavar="NAME=DESIGN",
            help="On every plate; repeatable. NAME alone is a place without a design.",
            show_default=False,
        ),
    ] = None,
    control_wells: Annotated[int, typer.Option("--control-wells", min=1, help="Wells of each control.")] = 1,
    layout_seed: Annotated[
        int | None, typer.Option("--layout-seed", help="Draws the wells.", show_default="the recipe's seed")
    ] = None,
    force: Force = False,
) -> None:
    """Print the designs of the open round that wait for a label, choosing them first if there are none yet.

    A table: id, design, kind, round, source, predicted_mean, predicted_std; on plates plate, well and replicate first.
    Asking again prints the same, unless it is for another batch. Images are files: with --out FOLDER they are written
    there, with a table manifest.csv that `seiko tell` takes back.
    """
    from seiko.cli.progress import stages

    pictures = format is None and plate is None and out is not None and not out.suffix
    format = format_of(format, out)
    if plate is None and (control or replicates > 1 or control_wells > 1 or layout_seed is not None):
        raise InputError("--replicates, --control, --control-wells and --layout-seed belong to --plate 96 or 384")
    if plate not in (None, 96, 384):
        raise InputError(f"--plate must be 96 or 384, got {plate}")
    with open_run(run) as campaign:
        with stages() as shown:
            queries = campaign.ask(n, another=another, progress=shown.progress)
        why, round = campaign.stopped_because, campaign.state.round
        if plate is None or not queries:
            rows = [_row(query) for query in queries]
        else:
            plates = campaign.lay_out(
                wells=plate,
                replicates=replicates,
                controls=_controls(campaign, control or []),
                control_wells=control_wells,
                seed=layout_seed,
            )
            rows = _plate_rows(campaign, plates)
    try:
        if pictures and only_images([query.design for query in queries]):
            deliver_images(out, PICTURE_COLUMNS, rows, [query.design for query in queries], force=force)
        else:
            deliver(as_batch(rows, format, queries, out), out, force=force)
    except InputError as error:
        raise InputError(f"{error} (the batch is kept; asking again prints it)") from error
    if why is not None:
        say(why)
    else:
        say(f"round {round}: {len(queries)} designs wait for a label" + (f", written to {out}" if out else ""))


def _row(query: Query) -> dict[str, Any]:
    return {
        "id": query.id,
        "design": query.design.content,
        "kind": query.design.kind,
        "prompt": query.design.prompt,
        "round": query.round,
        "source": query.source,
        "predicted_mean": query.mean,
        "predicted_std": query.std,
    }


def _plate_rows(campaign: Campaign, plates: list[Plate]) -> list[dict[str, Any]]:
    queries = campaign.state.queries
    rows: list[dict[str, Any]] = []
    for plate in plates:
        for well, (id, replicate) in plate.at.items():
            place = {"plate": plate.name, "well": well, "replicate": replicate}
            about = _row(queries[id]) if id in queries else {"id": id, "source": "control"}
            rows.append({**place, **about})
    return rows


def _controls(campaign: Campaign, given: list[str]) -> dict[str, Design | None]:
    controls: dict[str, Design | None] = {}
    for text in given:
        name, _, content = text.partition("=")
        if name in controls:
            raise InputError(f"--control {name} is there twice: more wells of it are --control-wells")
        controls[name] = campaign.design(content) if content else None
    return controls
