"""Look away from designs that wait, by how far the reward could be below its best around them.

    A_p(x) = A_ref + (A(x) - A_ref) prod_j phi_j(x)   where A(x) > A_ref, else A(x)
    phi_j(x) = Phi((L d(x, x_j) - (M - mean(x_j))) / std(x_j))

M is the best that is known, label or belief of what waits; L bounds how fast the reward changes with the domain's
distance d; Phi is the normal distribution function. If x_j has the reward f, no x nearer to it than (M - f) / L can be
better than M: phi_j is the probability that x lies outside of that ball, under what is believed of f before its label.

The reward model is left as it is and nothing is fitted again, unlike with the kriging believer
(`seiko.campaign.foresight`), which takes the mean of a waiting design for its label. A product needs factors that are
positive: the paper takes the soft-plus of the acquisition, which depends on the reward's offset and unit; here it is
the difference from the lowest label A_ref, as in `seiko.acquisition.Feasible`.

References:
    Gonzalez, Dai, Hennig, Lawrence, "Batch Bayesian optimization via local penalization", AISTATS 2016,
    https://arxiv.org/abs/1505.08052.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.acquisition import Foreseeing, Foreseen, ForeseenShare, Objective, shrink_above
from seiko.designs import Design
from seiko.rewards import Belief

if TYPE_CHECKING:
    from seiko.campaign.history import History

__all__ = ["LocalPenalisation", "Penalised", "steepest"]

MOST = 500  # labelled designs among which the steepest pair is looked for


@dataclass(frozen=True, kw_only=True)
class LocalPenalisation:
    """Penalise candidates near to designs that wait for their labels.

    For models whose designs the reward model sees as states (sequences, molecules, pixels), since d is between states.

    Args:
        lipschitz: L, oracle's units a unit of the domain's distance; None for the steepest pair of labelled designs, as
            the reward model sees them.

    Raises:
        ValueError: If L is not positive.
    """

    lipschitz: float | None = None

    def __post_init__(self) -> None:
        if self.lipschitz is not None and not (math.isfinite(self.lipschitz) and self.lipschitz > 0):
            raise ValueError(
                f"lipschitz must be a positive slope, got {self.lipschitz}; None finds one among the labelled designs"
            )

    def aim(
        self, history: History, belief: Belief, objective: Objective, waiting: list[Design], finished: int
    ) -> Objective:
        """Return the objective, less near to what waits.

        Raises:
            ValueError: If the reward model sees something else than the model's states.
        """
        x, y, _ = history.measured()
        z = history.observed(waiting)
        model = history.model
        if tuple(z.shape[1:]) != tuple(model.event_shape):
            raise ValueError(
                f"LocalPenalisation measures distances between states {tuple(model.event_shape)}, and the reward model "
                f"sees designs as {tuple(z.shape[1:])}: use pending=Believer()"
            )
        with torch.no_grad():
            seen = x[-MOST:]
            slope = self.lipschitz or steepest(model.distance(seen, seen), belief.posterior(seen).mean)
            there = belief.posterior(z)
        return Penalised(
            objective=objective,
            distance=lambda x: model.distance(x, z),
            mean=there.mean,
            std=there.std,
            best=max(float(y.max()), float(there.mean.max())),  # else what promises most would keep nobody away
            lipschitz=slope,
            reference=float(y.min()),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Penalised:
    """An objective that is less near to some designs.

    Args:
        objective: A.
        distance: From `[n, *event]` to `[n, m]` distances from those designs.
        mean: `[m]` what is believed of them, oracle's units.
        std: `[m]` its epistemic standard deviation.
        best: M.
        lipschitz: L.
        reference: A_ref, oracle's units.
    """

    objective: Objective
    distance: Callable[[Tensor], Float[Tensor, "n m"]]
    mean: Float[Tensor, "m"]
    std: Float[Tensor, "m"]
    best: float
    lipschitz: float
    reference: float

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        """Return `[n]` values, oracle's units."""
        return shrink_above(self.reference, self.objective(x), self.outside(x))

    def foresee(self, x: Tensor) -> Foreseen | None:
        """Return what the objective foresees, less near to those designs."""
        foreseen = self.objective.foresee(x) if isinstance(self.objective, Foreseeing) else None
        return None if foreseen is None else ForeseenShare(foreseen, self.outside(x), self.reference)

    def outside(self, x: Tensor) -> Float[Tensor, "n"]:
        """Return the product of phi_j: the probability that x lies outside of all balls, taken as independent."""
        std = self.std.clamp_min(1e-9 * max(1.0, abs(self.best)))
        z = (self.lipschitz * self.distance(x).to(std) - (self.best - self.mean)) / std
        log: Tensor = torch.special.log_ndtr(z).sum(-1)  # logarithms, for many small factors
        return log.exp()


def steepest(distance: Float[Tensor, "n n"], mean: Float[Tensor, "n"]) -> float:
    """Return the largest slope between two designs; 0 if there are no two."""
    slopes = (mean[:, None] - mean[None]).abs() / distance.to(mean)
    return float(slopes[distance > 0].max()) if bool((distance > 0).any()) else 0.0
