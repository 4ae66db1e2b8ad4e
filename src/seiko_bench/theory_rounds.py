"""Run a campaign round by round, and hold each round against its closed form.

The model's exact law is made after every round, from the belief, the objective and the coefficients that the round
really had. Laws and rows are kept beside the run, so that an interrupted benchmark goes on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seiko.campaign import Campaign, PoolExhausted, Recipe, RoundReport, run
from seiko.models import ModelPolicy
from seiko.report.style import replace_bytes
from seiko_bench.exact import law
from seiko_bench.measure import judge
from seiko_bench.theory_ground import Ground, read_law, write_law
from seiko_bench.theory_judge import judge_round, summary

__all__ = ["MODULES", "rounds"]

MODULES = ("seiko_bench.theory_parts",)
"""Where the ledgers' recipes may find classes, beside the library."""


def rounds(ground: Ground, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Run a recipe in a closed loop, or resume it, and judge each round exactly.

    Args:
        ground: The space that the recipe's model and oracle live on.
        recipe: What is run; it needs an update.
        folder: Where run, laws and rows are kept.

    Returns:
        The record of `measure.judge`, with that of `theory_judge.summary` in it; seconds are those of fits and updates.
        `collapsed` is the round whose batch the model had too few designs for, after which there was no other.

    Raises:
        ValueError: If the recipe has no update, or the run went on without being judged.
    """
    if recipe.update is None:
        raise ValueError("this recipe has no update: there is no closed form that its model could follow")
    rows: list[dict[str, Any]] = []
    kept = folder / "theory.json"
    if kept.exists():
        rows = json.loads(kept.read_text())
    with Campaign.open(folder / "run", recipe, modules=MODULES) as campaign:

        def catch_up(report: RoundReport | None = None) -> None:
            finished = len(campaign.state.reports)
            if finished > len(rows) + 1:
                raise ValueError(
                    f"{folder} holds {finished} rounds of which {len(rows)} were judged: start another run"
                )
            if finished == len(rows) + 1:
                rows.append(_judge_last(ground, campaign, folder))
                replace_bytes(kept, json.dumps(rows).encode())

        catch_up()
        collapsed: int | None = None
        try:
            run(campaign, finished=catch_up)
        except PoolExhausted:
            if not rows:
                raise
            collapsed = len(rows) + 1
        seconds = sum(report.seconds for report in campaign.state.reports)
        return (
            judge(campaign)
            | summary(rows)
            | {"seed": recipe.seed, "seconds": round(seconds, 1), "collapsed": collapsed}
        )


def _judge_last(ground: Ground, campaign: Campaign, folder: Path) -> dict[str, Any]:
    report, belief, objective = campaign.state.reports[-1], campaign.belief(), campaign.objective()
    if belief is None or objective is None or report.alpha is None or report.beta is None:
        raise ValueError(f"round {report.round} has no feasible label: nothing was fitted, and no update made")
    current = law(ModelPolicy(campaign.model))
    write_law(folder / f"law-{report.round}.npy", current)
    row = judge_round(
        ground,
        belief,
        objective,
        alpha=report.alpha * belief.scale,
        beta=report.beta * belief.scale,
        previous=read_law(folder / f"law-{report.round - 1}.npy") if report.round > 1 else ground.pretrained,
        current=current,
    )
    return {"round": report.round, "labels": report.labels_used} | row
