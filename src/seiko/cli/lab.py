"""`advance`, `retract` and `abandon`: what a laboratory does beside asking and telling."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from seiko.cli.output import as_json, deliver, say
from seiko.cli.runs import RunPlace, open_run

__all__ = ["abandon", "advance", "retract"]

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Queries.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words; it is kept.", show_default=False)]


def retract(
    run: RunPlace,
    ids: Ids,
    reason: Reason,
    replicate: Annotated[
        int | None, typer.Option("--replicate", min=1, help="Only this measurement.", show_default="all of them")
    ] = None,
) -> None:
    """Take labels away that were wrong. They stay paid, are not fitted any more, and others can be told instead."""
    with open_run(run) as campaign:
        taken = campaign.retract(ids, reason, replicate=replicate)
        fitted = sum(1 for id in ids if 0 < campaign.state.records[id].first <= campaign.state.fitted_to)
    deliver(as_json({"retracted": taken, "known": len(set(ids)) - taken}), None)
    after = f"; finished rounds had been fitted to {fitted} of them and stay as they are" if fitted else ""
    say(f"{taken} labels retracted{after}")


def abandon(run: RunPlace, ids: Ids, reason: Reason) -> None:
    """Wait no longer for designs that nobody will measure; their labels go back into the budget."""
    with open_run(run) as campaign:
        taken = campaign.abandon(ids, reason)
        pending = len(campaign.state.pending())
    deliver(as_json({"abandoned": taken, "known": len(set(ids)) - taken, "pending": pending}), None)
    say(f"{taken} designs are waited for no longer; {pending} labels are missing")


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
    deliver(as_json({name: value for name, value in asdict(report).items() if name != "samples"}), None)
    say(round_line(report, recipe.rounds, recipe.budget))
