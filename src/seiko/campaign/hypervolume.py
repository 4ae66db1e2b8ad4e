"""Choose a batch by how much it is expected to push the Pareto front out.

    EHVI(x) = E[ hypervolume(front + f(x)) ] - hypervolume(front),     f_j(x) ~ N(mean_j(x), std_j(x)^2) independent

in units of `Property.unit` beyond `Property.reference`, in closed form by BoTorch. A batch is chosen one by one: each
design that is chosen joins the front at its mean before the next is, so that a batch spreads along the front.

References:
    Yang, Emmerich, Deutz, Bäck, "Efficient computation of expected hypervolume improvement using box decomposition
    algorithms", 2019 (the closed form); Daulton, Balandat, Bakshy, "Differentiable expected hypervolume improvement for
    parallel multi-objective Bayesian optimization", NeurIPS 2020, https://arxiv.org/abs/2006.05078.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.objectives import Objectives
from seiko.rewards.several import Several

__all__ = ["ExpectedHypervolume", "expected_improvement"]

_SHORTLIST = 20  # candidates a place in the batch that are looked at again after each choice
_ROWS = 2048


@dataclass(frozen=True, eq=False)
class ExpectedHypervolume:
    """EHVI of states, as the score of a pool; `choose` takes a whole batch.

    Args:
        belief: About the properties.
        objectives: Their directions, units and references.
        labelled: `[n, k]` properties that were measured.
    """

    belief: Several
    objectives: Objectives
    labelled: Tensor = field(repr=False)

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        """Return the expected improvement of each state."""
        mean, std = self.gains(x).chunk(2, dim=1)
        return expected_improvement(mean, std, self.objectives.gains(self.labelled.to(torch.float64)))

    def gains(self, x: Tensor) -> Float[Tensor, "n 2k"]:
        """Return means and standard deviations of the gains, side by side."""
        mean, std, _ = self.belief.properties(x)
        units = torch.tensor([part.unit for part in self.objectives.properties], dtype=torch.float64)
        return torch.cat([self.objectives.gains(mean.to(torch.float64)), std.to(torch.float64) / units], dim=1)

    def choose(self, gains: Float[Tensor, "n 2k"], score: Float[Tensor, "n"], count: int) -> list[int]:
        """Return the rows of a batch, each chosen as if those before it had come out at their means.

        Args:
            gains: Of a pool, see `gains`.
            score: Its expected improvements.
            count: Size of the batch.
        """
        rows = score.argsort(descending=True, stable=True)[: _SHORTLIST * count]
        mean, std = gains[rows].chunk(2, dim=1)
        front = self.objectives.gains(self.labelled.to(torch.float64))
        chosen: list[int] = []
        open_ = torch.ones(len(rows), dtype=torch.bool)
        while len(chosen) < min(count, len(rows)):
            gain = expected_improvement(mean, std, front).masked_fill(~open_, -torch.inf)
            best = int(gain.argmax())
            open_[best] = False
            chosen.append(int(rows[best]))
            front = torch.cat([front, mean[best : best + 1]])
        return chosen


def expected_improvement(
    mean: Float[Tensor, "n k"], std: Float[Tensor, "n k"], known: Float[Tensor, "m k"]
) -> Float[Tensor, "n"]:
    """Return the expected growth of the hypervolume above 0 by one more point.

    Args:
        mean: Means of each property, maximised.
        std: Their standard deviations.
        known: Points that are there; those not above 0 in all properties are left out.

    Raises:
        ImportError: If BoTorch is not installed; the message names the extra.
    """
    try:
        from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
        from botorch.models.model import Model
        from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning
    except ModuleNotFoundError as error:
        raise ImportError("a Pareto front as the objective needs BoTorch: pip install 'seiko[gp]'") from error
    from seiko.metrics.pareto import pareto_front

    @dataclass
    class Looked:
        mean: Tensor
        variance: Tensor

    class Table(Model):
        """A model whose inputs are rows of a table."""

        num_outputs = mean.shape[1]

        def posterior(self, X: Tensor, *args: Any, **kwargs: Any) -> Any:
            at = X[..., 0].long()
            return Looked(mean[at], std[at].square())

    above = known[(known > 0).all(1)]
    front = above[pareto_front(above)]
    zero = torch.zeros(mean.shape[1], dtype=torch.float64)
    boxes: Any = FastNondominatedPartitioning(zero, Y=front)  # the other class is named in the annotation
    ehvi = ExpectedHypervolumeImprovement(Table(), zero.tolist(), boxes)
    rows = torch.arange(len(mean), dtype=torch.float64)[:, None, None]
    parts: Sequence[Tensor] = [ehvi(part) for part in torch.split(rows, _ROWS)]
    return torch.cat(list(parts)) if len(mean) else mean.new_zeros(0)
