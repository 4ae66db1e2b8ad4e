"""`status`, `report` and `export`: look at a run and take things out of it; none of them changes it."""

from __future__ import annotations

import os
import secrets
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from seiko.cli.errors import InputError
from seiko.cli.images import deliver_images, with_prompts
from seiko.cli.measurements import as_measurements, measurement_rows
from seiko.cli.molecules import as_molecules
from seiko.cli.output import as_csv, as_json, as_jsonl, deliver, say
from seiko.cli.runs import MODEL_FILES, RunPlace, beside, open_run, read_state
from seiko.designs import IMAGE, Design

__all__ = ["export", "report", "status"]

NOT_OF_IMAGES = ("id", "kind")


class TableFormat(StrEnum):
    """Formats of a table; smiles and sdf are for molecules, png for images."""

    csv = "csv"
    jsonl = "jsonl"
    smiles = "smiles"
    sdf = "sdf"
    png = "png"


def status(
    run: RunPlace,
    as_object: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Say where a run stands and what to do next; loads no model."""
    from seiko.campaign.ledger import shown_place
    from seiko.cli.summary import status as status_of

    values = status_of(read_state(run), shown_place(run))
    if as_object:
        deliver(as_json(values), None)
        return
    for alarm in values["alarms"]:
        say(f"alarm: {alarm['sentence']}")
    shown = {name: value for name, value in values.items() if name not in ("pending_ids", "alarms")}
    shown["batch_means"] = " ".join("–" if mean is None else f"{mean:.3f}" for mean in values["batch_means"])
    width = max(map(len, shown))
    deliver("".join(f"{name:<{width}}  {_words(value)}\n" for name, value in shown.items()), None)


def _words(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def report(
    run: RunPlace,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="Where to write it.", show_default="RUN/report.html"),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What each is compared with: known molecules (SMILES, or a data set's name), a folder of PNG.",
        ),
    ] = None,
) -> None:
    """Draw a run on one self-contained HTML page and print its path."""
    from seiko.report import write
    from seiko.report.run import report_data

    path = beside(run, out, "report.html")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file")
    known: tuple[str, ...] = ()
    pictures: tuple[bytes, ...] = ()
    if reference is not None and Path(reference).is_dir():
        from seiko.report.image_run import known_images

        pictures = known_images(Path(reference))
    elif reference is not None:
        from seiko.campaign.library import read_library

        try:
            known = read_library(reference)
        except (OSError, ValueError) as error:
            raise InputError(str(error)) from error
    with open_run(run) as campaign:
        data = report_data(campaign, known=known, pictures=pictures)
    deliver(f"{write(data, path)}\n", None)
    for alarm in data.alarms:
        say(f"alarm: {alarm}")


def export(
    run: RunPlace,
    labels: Annotated[bool, typer.Option("--labels", help="All labels, as a table.")] = False,
    replicates: Annotated[
        bool,
        typer.Option(
            "--replicates",
            help="With --labels: one row a measurement, with its replicate, batch, plate, well, time and noise.",
        ),
    ] = False,
    model: Annotated[
        bool, typer.Option("--model", help="The model after the last finished round, as a folder.")
    ] = False,
    format: Annotated[
        TableFormat, typer.Option("--format", help="Of the table; smiles and sdf are for molecules, png for images.")
    ] = TableFormat.csv,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File of the table (else standard output), or folder of the model."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is at FILE.")] = False,
) -> None:
    """Take the labels or the model out of a run; without --out the model goes to RUN/model, replacing what is there."""
    if labels == model:
        raise InputError("say what to export: --labels or --model")
    if replicates and (model or format not in (TableFormat.csv, TableFormat.jsonl)):
        raise InputError("--replicates is for --labels as csv or jsonl: one row a measurement")
    if replicates:
        measured = measurement_rows(run)
        deliver(as_measurements(measured, format), out, force=force)
        say(f"{len(measured)} measurements" + (f", written to {out}" if out else ""))
        return
    if labels:
        from seiko.campaign.label_table import labelled_rows

        rows = labelled_rows(read_state(run))
        if format is TableFormat.png:
            _export_images(run, rows, out, force=force)
            say(f"{len(rows)} labelled images, written to {out}")
            return
        deliver(_label_table(rows, format), out, force=force)
        say(f"{len(rows)} labels" + (f", written to {out}" if out else ""))
        return
    folder = beside(run, out, "model")
    _export_model(run, folder, force=force or out is None)
    deliver(f"{folder}\n", None)


def _label_table(rows: list[dict[str, Any]], format: TableFormat) -> str:
    from seiko.campaign.label_table import LABEL_COLUMNS

    if format is TableFormat.csv:
        properties = dict.fromkeys(name for row in rows for name in row if name not in (*LABEL_COLUMNS, "prompt"))
        return as_csv((*with_prompts(LABEL_COLUMNS, rows), *properties), rows)
    if format is TableFormat.jsonl:
        return as_jsonl(rows)
    return as_molecules(rows, "smiles" if format is TableFormat.smiles else "sdf")


def _export_images(run: str, rows: list[dict[str, Any]], out: Path | None, *, force: bool) -> None:
    """Write labelled images with the labels beside them; no model is loaded."""
    from seiko.campaign.label_table import LABEL_COLUMNS
    from seiko.campaign.ledger import Ledger

    columns = tuple(column for column in LABEL_COLUMNS if column not in NOT_OF_IMAGES)
    if any(row["kind"] != IMAGE for row in rows):
        raise InputError("--format png is for images, and this run's designs are others: use csv")
    with Ledger.open(run) as ledger:
        designs = [Design(r["design"], IMAGE, r["prompt"], ledger.artifacts.get(r["design"])) for r in rows]
    deliver_images(out, columns, rows, designs, force=force)


def _export_model(run: str, out: Path, *, force: bool) -> None:
    """Write the model beside its destination first, so that a folder is whole or not there."""
    from seiko.campaign.ledger import shown_place
    from seiko.models import Savable
    from seiko.updates import Steering

    if out.exists() and not (out.is_dir() and (force or not any(out.iterdir()))):
        raise InputError(
            f"{out} exists: name another folder" + ("" if out.is_file() else ", or replace it with --force")
        )
    if out.is_dir() and any(out.iterdir()) and not any((out / file).is_file() for file in MODEL_FILES):
        raise InputError(f"{out} is not a model's folder; it is not replaced")
    if not out.absolute().parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {out.absolute().parent}")
    with open_run(run) as campaign:
        finished = len(campaign.state.reports)
        if finished and isinstance(campaign.recipe.update, Steering):
            raise InputError(
                "this run steers the pretrained model and has no weights of its own: draw designs, "
                f"seiko sample {shown_place(run)}"
            )
        model = campaign.model
        if not isinstance(model, Savable):
            raise InputError(f"a {type(model).__name__} cannot be exported in this version")
        temporary = out.absolute().with_name(f".{out.absolute().name}-{secrets.token_hex(8)}.tmp")
        try:
            model.save_pretrained(temporary)
            if out.is_dir():
                shutil.rmtree(out)
            os.replace(temporary, out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    say(f"{out}: the " + (f"model after round {finished}" if finished else "pretrained model, no round is finished"))
