"""How the errors of a belief go together, and what is left of them once some labels are in.

    cov_j(x, x') = cov(x, x') - cov(x, x_j) cov(x_j, x') / (var(x_j) + noise²)

is the epistemic covariance after a label at x_j; it does not depend on what the label says. So a batch can be chosen
one by one, each design knowing what those before it will teach, before any of them is measured.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import Belief

__all__ = ["Conditioned", "Errors", "Joint"]


class Errors(Protocol):
    """Epistemic covariance of a belief at some states, oracle's units squared."""

    @property
    def variance(self) -> Float[Tensor, "n"]:
        """Of each state; the square of the posterior's std."""
        ...

    def column(self, row: int) -> Float[Tensor, "n"]:
        """Return the covariance of all states with one of them."""
        ...


@runtime_checkable
class Joint(Belief, Protocol):
    """A belief that knows how its errors go together."""

    def errors(self, x: Tensor) -> Errors:
        """Return the epistemic covariance at states x."""
        ...


class Conditioned:
    """Epistemic std of states while some of them are imagined to be labelled; one more costs O(n k) after k.

    Args:
        errors: Of the states.
        noise: Standard deviation of a label about its mean, oracle's units.
    """

    def __init__(self, errors: Errors, noise: float) -> None:
        self._errors, self._noise = errors, noise**2
        self._variance = errors.variance.to(torch.float64)
        self._least = 1e-9 * float(self._variance.max())
        self._factor = self._variance.new_zeros(len(self._variance), 0)

    @property
    def std(self) -> Float[Tensor, "n"]:
        """Of each state, oracle's units."""
        return self._variance.sqrt()

    def label(self, row: int) -> None:
        """Imagine a label at one of the states: a step of the incremental Cholesky factorisation."""
        column = self._errors.column(row).to(torch.float64) - self._factor @ self._factor[row]
        step = column / (self._variance[row] + self._noise).clamp_min(self._least).sqrt()
        self._factor = torch.cat([self._factor, step[:, None]], dim=1)
        self._variance = (self._variance - step.square()).clamp_min(0.0)
