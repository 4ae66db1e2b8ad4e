"""What is believed when a batch is chosen while other designs still wait for their labels.

A design that waits is never asked again. But what the reward model would say after its label matters too: without it a
second batch asked at once crowds around the same optimum. The kriging believer takes the reward model at its word:

    (x_j, y_j = mean(x_j), noise s) for each design j that waits,      s² = predictive variance - epistemic variance

are fitted along with the real labels. The mean stays about where it is, the uncertainty near the waiting designs
shrinks as if they had been measured, and an optimistic acquisition looks elsewhere. The invented labels are in no
report and in no ledger. Local penalisation (`seiko.campaign.penalisation`) leaves the belief alone and takes from the
objective near to what waits.

Labels that came since the last round was finished (in parts, late, attached) are fitted here as well: nothing that is
known is left out of a choice. In a loop without either, the belief is that of the last round.

References:
    Ginsbourger, Le Riche, Carraro, "Kriging is well-suited to parallelize optimization", 2010,
    https://doi.org/10.1007/978-3-642-10701-6_6 (the kriging believer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from seiko.acquisition import Objective
from seiko.campaign.seeds import Purpose
from seiko.designs import Design
from seiko.rewards import Belief, predictive

if TYPE_CHECKING:
    from seiko.campaign.history import History

__all__ = ["Believer", "Foresight", "outlook"]


class Foresight(Protocol):
    """Says what a batch is chosen by while other designs wait."""

    def aim(
        self, history: History, belief: Belief, objective: Objective, waiting: list[Design], finished: int
    ) -> Objective | None:
        """Return what is to be maximised.

        Args:
            history: Of the run.
            belief: What is believed of the labels that came.
            objective: What would be maximised if nothing waited.
            waiting: The designs that wait.
            finished: Rounds that are finished.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Believer:
    """Fit the reward model's own mean at the designs that wait, as labels.

    Args:
        noise: Factor on the noise of these labels; larger values trust them less.

    Raises:
        ValueError: If the factor is not positive.
    """

    noise: float = 1.0

    def __post_init__(self) -> None:
        if not self.noise > 0:
            raise ValueError(
                f"noise must be a positive factor, got {self.noise}; to ignore what waits give pending=None"
            )

    def aim(
        self, history: History, belief: Belief, objective: Objective, waiting: list[Design], finished: int
    ) -> Objective | None:
        """Return the acquisition of a belief that has seen itself at the designs that wait."""
        return history.aim(finished, self(history, belief, waiting, history.state.round))

    def __call__(self, history: History, belief: Belief, waiting: list[Design], round: int) -> Belief:
        """Return a belief that has seen the labels and, at the designs that wait, itself."""
        x, y, noise = history.measured()
        z = history.observed(waiting)
        with torch.no_grad():
            mean, std = predictive(belief, z, None)
            spread = (std**2 - belief.posterior(z).std ** 2).clamp_min(1e-6 * std**2).sqrt()
        noise = torch.full_like(y, float("nan")) if noise is None else noise
        return history.recipe.reward_model.fit(
            torch.cat([x, z]),
            torch.cat([y, mean.to(y)]),
            torch.cat([noise.to(y), self.noise * spread.to(y)]),
            history.seed(round, Purpose.FIT),
        )


def outlook(history: History) -> tuple[Belief | None, Objective | None]:
    """Return what the labels of designs to be chosen now are predicted by, and what they are chosen by.

    With comparisons or several objectives the designs that wait are not imagined, only never asked twice.

    Args:
        history: Of the run; nothing of it is changed.
    """
    recipe, state, finished = history.recipe, history.state, len(history.state.reports)
    belief = history.belief(finished)
    if recipe.selection.iid:
        return belief, history.objective(finished)
    if state.learnt_at > state.fitted_to:
        belief = history.fit(state.round)
    objective = history.push(finished, belief)
    waiting = [query.design for query in state.pending()]
    if belief is None or objective is None or recipe.pending is None or not waiting or not history.scores_only:
        return belief, objective
    return belief, recipe.pending.aim(history, belief, objective, waiting, finished)
