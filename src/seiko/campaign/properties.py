"""Several objectives in the loop: a reward model a property, one belief of them together, and what a batch goes by.

weighted   belief about the weighted value; batch and update go by the recipe's acquisition of it
pareto     the update goes by the acquisition of the round's random scalarisation, the batch by the expected
           hypervolume improvement; the belief that is reported is that of the equally weighted scalarisation
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.hypervolume import ExpectedHypervolume
from seiko.campaign.objectives import Objectives
from seiko.campaign.state import Query, RunState
from seiko.oracles import Label
from seiko.rewards import FitReport, RewardModel
from seiko.rewards.several import Several

__all__ = ["Outcomes", "fit_properties", "outcomes", "properties_of", "pushing", "this_round"]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What was measured of all designs, for those who look at it.

    Args:
        pairs: Designs with their labels, round by round.
        values: Their properties' own units.
        gains: The same, larger is better, from the references on; see `Objectives.gains`.
        reference: Where a hypervolume starts, in gains: the references, and the worst value for what has none.
    """

    pairs: list[tuple[Query, Label]]
    values: Float[Tensor, "n k"]
    gains: Float[Tensor, "n k"]
    reference: Float[Tensor, "k"]


def outcomes(state: RunState, objectives: Objectives) -> Outcomes | None:
    """Return what a run has measured; None before the first label."""
    pairs = sorted(state.values(), key=lambda pair: (pair[0].round, pair[0].id))
    if not pairs:
        return None
    values = properties_of(objectives, pairs)
    gains = objectives.gains(values)
    known = torch.tensor([part.reference is not None for part in objectives.properties])
    return Outcomes(pairs, values, gains, torch.where(known, torch.zeros_like(gains[0]), gains.amin(0)))


def properties_of(objectives: Objectives, pairs: Sequence[tuple[Query, Label]]) -> Float[Tensor, "n k"]:
    """Return what was measured of each design, property by property."""
    rows = [[dict(label.values)[name] for name in objectives.names] for _, label in pairs]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(pairs), len(objectives.names))


def fit_properties(
    objectives: Objectives, model: RewardModel, x: Tensor, values: Float[Tensor, "n k"], seed: int
) -> Several:
    """Fit each property on its own.

    Args:
        objectives: What they are.
        model: The recipe's reward model; the same for each, with hyperparameters of its own.
        x: Designs as the reward model sees them.
        values: What was measured of them.
        seed: As in `seiko.rewards.base.RewardModel.fit`; the same for each.
    """
    begun = time.perf_counter()
    beliefs = tuple(model.fit(x, column.to(torch.float32), None, seed) for column in values.T)
    combine = objectives.scalar(values)
    overall = combine(values)
    with torch.no_grad():
        residual = overall - combine(torch.stack([belief.posterior(x).mean.double() for belief in beliefs], dim=-1))
    spread = float(overall.std(correction=0))
    report = FitReport(
        labels=len(values),
        held_out=None,
        residual_std=float(residual.square().mean().sqrt()),
        std_scale=1.0,
        seconds=time.perf_counter() - begun,
    )
    scale = spread if spread > 1e-9 * max(1e-9, float(overall.abs().max())) else 1.0
    return Several(report=report, scale=scale, beliefs=beliefs, combine=combine)


def this_round(objectives: Objectives, belief: Several, values: Float[Tensor, "n k"], seed: int) -> Several:
    """Return the belief that an update goes by: with `pareto` of one random scalarisation, else the same."""
    if objectives.combine == "weighted":
        return belief
    return replace(belief, combine=objectives.scalar(values, objectives.draw_weights(seed)))


def pushing(objectives: Objectives, belief: Several, values: Float[Tensor, "n k"]) -> ExpectedHypervolume:
    """Return what a batch is chosen by with `pareto`."""
    return ExpectedHypervolume(belief, objectives, values)
