"""Judge a finished run by the oracle itself: what its users cannot do, and a benchmark must.

The oracle is asked here outside of the budget, after the run, and the run never sees the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from seiko.campaign import Campaign, Recipe, run
from seiko.diffusion import Noise

__all__ = ["judge", "run_and_judge"]

FRESH = 2000  # model samples that a run is judged by


def run_and_judge(
    recipe: Recipe, folder: Path, also: Callable[[Campaign], dict[str, Any]] = lambda campaign: {}
) -> dict[str, Any]:
    """Run a recipe in a closed loop (or resume it) and judge it, `also` by more; adds the seconds that it took.

    The seconds are those between the ledger's first event and its last: the pauses of a run that was resumed count.
    """
    with Campaign.open(folder, recipe) as campaign:
        run(campaign)
        times = [datetime.fromisoformat(event.created_at) for event in campaign.ledger.read()]
        seconds = (times[-1] - times[0]).total_seconds()
        return judge(campaign) | also(campaign) | {"seed": recipe.seed, "seconds": round(seconds, 1)}


def judge(campaign: Campaign, fresh: int = FRESH) -> dict[str, Any]:
    """Return what a finished run reached.

    Returns:
        model_mean: Mean true reward of fresh samples of the last model, infeasible ones left out.
        model_feasible: Share of them that the oracle can label.
        kl: Path KL of the last model (or an estimate of the steered law's) from the pretrained one, nats.
        diversity: Mean pairwise distance of the samples, in the domain's unit.
        distinct: Share of distinct designs among the samples.
        best, top10, top100: Of the labelled designs, distinct ones only.
        labels: Labels bought.
        duplicates: Labels bought for a design that had been bought before.
        rounds: By round: labels, best so far, batch mean, feasible share, KL, coverage, Spearman.
    """
    oracle = campaign.recipe.oracle
    if oracle is None:
        raise ValueError("only a recipe with an oracle can be judged")
    state, model = campaign.state, campaign.model
    seen = campaign.sampler.look(Noise.seeded(10_000 + campaign.recipe.seed, fresh))
    designs = model.export(seen.x_0)
    values = np.array([label.value for label in oracle(designs) if label.value is not None])
    distances = model.distance(seen.x_0, seen.x_0)
    bought = [query.design.key for query in state.queries.values()]
    found = {query.design.key: float(label.value or 0.0) for query, label in state.values()}  # `values` have a number
    labelled = sorted(found.values(), reverse=True)
    return {
        "model_mean": float(values.mean()) if len(values) else None,
        "model_feasible": len(values) / fresh,
        "kl": seen.kl_pretrained,
        "diversity": float(distances.sum() / (fresh * (fresh - 1))),
        "distinct": len({design.key for design in designs}) / fresh,
        "best": labelled[0] if labelled else None,
        "top10": float(np.mean(labelled[:10])) if labelled else None,
        "top100": float(np.mean(labelled[:100])) if labelled else None,
        "labels": len(bought),
        "duplicates": len(bought) - len(set(bought)),
        "rounds": [
            {
                "round": report.round,
                "labels": report.labels_used,
                "best": report.best,
                "batch_mean": report.batch_mean,
                "feasible": report.feasible,
                "kl": report.kl_pretrained,
                "diversity": report.diversity,
                "alpha": report.alpha,
                "believed_mean": report.believed_mean,
                "coverage": report.prequential.coverage if report.prequential else None,
                "spearman": report.prequential.spearman if report.prequential else None,
            }
            for report in state.reports
        ],
    }
