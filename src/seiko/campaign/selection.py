"""How a batch is chosen from the pool of candidates.

The pool that a selection sees holds no duplicate and nothing that the ledger knows, except under
`Everything(paper=True)`, where each i.i.d. draw of the model is labelled as it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.acquisition import Foreseen
from seiko.diffusion import State

__all__ = [
    "Batchwise",
    "Distance",
    "Diverse",
    "Everything",
    "Mixed",
    "OneByOne",
    "Pool",
    "Selection",
    "TopAcquisition",
]

Distance = Callable[[State, State], Float[Tensor, "n m"]]


@dataclass(frozen=True)
class Pool:
    """Candidates for a batch, in the order in which they were drawn.

    Args:
        x: `[n, *event]` states.
        score: `[n]` acquisition, larger is better; None before the first fit.
        distance: Pairwise distance between states, given by the domain.
        foresee: Returns the acquisition as it will be after labels of some; None where that is not known.
    """

    x: State
    score: Float[Tensor, "n"] | None
    distance: Distance
    foresee: Callable[[], Foreseen | None] = lambda: None


@runtime_checkable
class Batchwise(Protocol):
    """A score that knows better than its own order which designs make a batch, for `TopAcquisition` and `OneByOne`."""

    def gains(self, x: State) -> Float[Tensor, "n c"]:
        """Return what it needs to know of each candidate."""
        ...

    def choose(self, gains: Float[Tensor, "n c"], score: Float[Tensor, "n"], count: int) -> list[int]:
        """Return the rows of the batch; at most `count`."""
        ...


class Selection(Protocol):
    """Chooses a batch."""

    @property
    def iid(self) -> bool:
        """Whether the batch must be i.i.d. draws of the model, duplicates included."""
        ...

    def __call__(self, pool: Pool, count: int) -> list[int]:
        """Return the rows of the batch; at most `count`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Everything:
    """Label each draw of the model, without choosing.

    Args:
        paper: Keep duplicates and known designs too, as in the paper's algorithm; for comparisons. A label is then
            bought twice.
    """

    paper: bool = False

    @property
    def iid(self) -> bool:
        """Whether duplicates are kept."""
        return self.paper

    def __call__(self, pool: Pool, count: int) -> list[int]:
        """Return the first candidates."""
        return list(range(min(count, len(pool.x))))


@dataclass(frozen=True, kw_only=True)
class TopAcquisition:
    """Take the candidates of largest acquisition; before the first fit, the first ones drawn."""

    @property
    def iid(self) -> bool:
        """False."""
        return False

    def __call__(self, pool: Pool, count: int) -> list[int]:
        """Return the best candidates, best first."""
        if pool.score is None:
            return list(range(min(count, len(pool.x))))
        order: list[int] = pool.score.argsort(descending=True, stable=True)[:count].tolist()
        return order


@dataclass(frozen=True, kw_only=True)
class OneByOne:
    """Take the candidate of largest acquisition, imagine its label at the mean, and go on with what is then largest.

    The mean stays, the uncertainty around each choice shrinks as its label will shrink it. So one batch does not spend
    all its labels on one guess, which is what the best by an optimistic acquisition do where the belief is wrong.
    Where nothing is imagined, without optimism (`Greedy`) or by one draw of the posterior (`Thompson`), this is
    `TopAcquisition`. The belief must know how its errors go together (`seiko.rewards.joint`), as an ensemble does not.

    References:
        Desautels, Krause, Burdick, "Parallelizing exploration-exploitation tradeoffs in Gaussian process bandit
        optimization", JMLR 15, 2014 (GP-BUCB, Algorithm 2).
    """

    @property
    def iid(self) -> bool:
        """False."""
        return False

    def __call__(self, pool: Pool, count: int) -> list[int]:
        """Return the batch in the order chosen."""
        foreseen = None if pool.score is None else pool.foresee()
        if foreseen is None:
            return TopAcquisition()(pool, count)
        chosen: list[int] = []
        for _ in range(min(count, len(pool.x))):
            value = foreseen.value
            value[chosen] = -torch.inf
            chosen.append(int(value.argmax()))
            foreseen.label(chosen[-1])
        return chosen


@dataclass(frozen=True, kw_only=True)
class Diverse:
    """Greedy max-min: of the candidates of largest acquisition, each time the one farthest from those chosen.

    Args:
        shortlist: The choice is among shortlist * count candidates of largest acquisition; 1 is `TopAcquisition`.

    References:
        Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985 (the greedy, within a factor of 2).
    """

    shortlist: float = 3.0

    def __post_init__(self) -> None:
        if not self.shortlist >= 1:
            raise ValueError(f"shortlist must be at least 1, got {self.shortlist}")

    @property
    def iid(self) -> bool:
        """False."""
        return False

    def __call__(self, pool: Pool, count: int) -> list[int]:
        """Return the batch, the candidate of largest acquisition first."""
        rows = torch.tensor(TopAcquisition()(pool, max(count, round(self.shortlist * count))))
        if len(rows) <= count:
            found: list[int] = rows.tolist()
            return found
        x = pool.x[rows]
        chosen = [0]
        nearest = pool.distance(x, x[:1])[:, 0].clone()
        while len(chosen) < count:
            nearest[chosen[-1]] = -1
            chosen.append(int(nearest.argmax()))
            nearest = torch.minimum(nearest, pool.distance(x, x[chosen[-1]][None])[:, 0])
        return [int(rows[i]) for i in chosen]


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Take part of a batch by acquisition, and the rest as it was drawn, so that the model's own draws are judged too.

    Labels of what is best teach nothing of what the model draws meanwhile, and it is there that the update asks the
    belief. The pool's first candidates are those of the first source: put `Fresh` there.

    Args:
        drawn: Share of a batch that is taken in the order drawn, in (0, 1).
    """

    drawn: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.drawn < 1:
            raise ValueError(
                f"drawn must lie between 0 and 1, got {self.drawn}: TopAcquisition takes none as drawn, Everything all"
            )

    @property
    def iid(self) -> bool:
        """False."""
        return False

    def __call__(self, pool: Pool, count: int) -> list[int]:
        """Return the best candidates, best first, and then others in the order drawn."""
        best = TopAcquisition()(pool, count - round(self.drawn * count))
        taken = set(best)
        rest = (row for row in range(len(pool.x)) if row not in taken)
        return [*best, *islice(rest, min(count, len(pool.x)) - len(best))]
