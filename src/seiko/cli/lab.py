"""`ask`, `tell` and `advance`: the loop of a laboratory that answers in its own time."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from seiko.cli.errors import InputError
from seiko.cli.output import as_csv, as_json, deliver, say
from seiko.cli.runs import Force, OutFile, RunPlace, open_run, read_state

__all__ = ["advance", "ask", "tell"]

ASK_COLUMNS = ("id", "design", "kind", "round", "source", "predicted_mean", "predicted_std")
PICTURE_COLUMNS = ("value", "round", "source", "predicted_mean", "predicted_std", "design")
TELL_COLUMNS = ("id", "value", "noise", "status", "reason")


def ask(
    run: RunPlace,
    n: Annotated[
        int | None,
        typer.Option("--n", min=1, help="Size of the round's batch.", show_default="an equal part of what is left"),
    ] = None,
    out: OutFile = None,
    force: Force = False,
) -> None:
    """Print the designs of the open round that wait for a label, choosing them first if there are none yet.

    A CSV table: id, design, kind, round, source, predicted_mean, predicted_std. Asking again prints the same. Images
    are files: with --out FOLDER they are written there, with a table manifest.csv that `seiko tell` takes back.
    """
    from seiko.cli.images import deliver_images, only_images, with_prompts
    from seiko.cli.progress import stages

    with open_run(run) as campaign:
        with stages() as shown:
            queries = campaign.ask(n, progress=shown.progress)
        done, round = campaign.done, campaign.state.round
        rows: list[dict[str, Any]] = [
            {
                "id": query.id,
                "design": query.design.content,
                "kind": query.design.kind,
                "prompt": query.design.prompt,
                "round": query.round,
                "source": query.source,
                "predicted_mean": query.mean,
                "predicted_std": query.std,
            }
            for query in queries
        ]
    try:
        if out is not None and only_images([query.design for query in queries]):
            deliver_images(out, PICTURE_COLUMNS, rows, [query.design for query in queries], force=force)
        else:
            deliver(as_csv(with_prompts(ASK_COLUMNS, rows), rows), out, force=force)
    except InputError as error:
        raise InputError(f"{error} (the batch is kept; asking again prints it)") from error
    if done:
        say(f"{run}: all rounds are finished")
    else:
        say(f"round {round}: {len(rows)} designs wait for a label" + (f", written to {out}" if out else ""))


def tell(
    run: RunPlace,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="CSV with id, value and, if you like, noise, status (value, infeasible, "
            "failed), reason, design; or one JSON object a line; a folder of images; - is standard input.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, print what would be taken, take nothing.")] = False,
    attach: Annotated[bool, typer.Option("--attach", help="Also designs that were never asked; not yet.")] = False,
) -> None:
    """Take the labels of a file: all of them, or none if one line is wrong."""
    from seiko.campaign.label_file import parse_labels, read_labels
    from seiko.cli.images import read_manifest

    if attach:
        raise InputError(
            "--attach (measurements that were never asked for) belongs to a later version; "
            "leave them out of the file, nothing was taken"
        )
    state = read_state(run)
    if file == "-":
        labels = parse_labels(sys.stdin.buffer.read(), state, "standard input")
    elif Path(file).is_dir():
        data, path = read_manifest(Path(file), state)
        labels = parse_labels(data, state, path)
    else:
        labels = read_labels(file, state)
    if dry_run:
        new = {id: label for id, label in labels.items() if state.labels.get(id) != label}
        deliver(as_csv(TELL_COLUMNS, [{"id": id, **asdict(label)} for id, label in new.items()]), None)
        say(f"{len(new)} labels would be taken, {len(labels) - len(new)} are known already; nothing was taken")
        return
    with open_run(run) as campaign:
        taken = campaign.tell(labels)
        state = campaign.state
        pending = len(state.pending())
    deliver(as_json({"taken": taken, "known": len(labels) - taken, "pending": pending}), None)
    say(f"{taken} labels taken, {len(labels) - taken} known already; {pending} are missing")


def advance(
    run: RunPlace,
    without_pending: Annotated[
        bool,
        typer.Option(
            "--without-pending", help="Go on although labels are missing; they are still taken when they come."
        ),
    ] = False,
) -> None:
    """Fit all labels, move the model, finish the round; print its report as JSON."""
    from seiko.cli.progress import stages
    from seiko.cli.summary import round_line

    with open_run(run) as campaign:
        with stages() as shown:
            report = campaign.advance(without_pending=without_pending, progress=shown.progress)
        recipe = campaign.recipe
    deliver(as_json({name: value for name, value in asdict(report).items() if name not in ("samples", "images")}), None)
    say(round_line(report, recipe.rounds, recipe.budget))
