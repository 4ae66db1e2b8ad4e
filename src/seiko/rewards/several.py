"""One belief made of several: what is believed of a function of properties that were fitted each on its own.

    overall(x) = h(f_1(x), ..., f_k(x)),     f_j independent, f_j(x) ~ N(mean_j(x), std_j(x)^2)

Mean and std of h over draws f_j = mean_j + std_j z_j, where z is one fixed scrambled Sobol sequence of normal numbers:
the same for every x and every call, so that the posterior is a smooth function of x. h may be what it likes: a weighted
mean, desirabilities, a constraint (its share of draws is the probability that it holds), a minimum.

References:
    Balandat et al., "BoTorch: a framework for efficient Monte-Carlo Bayesian optimization", 2020,
    https://arxiv.org/abs/1910.06403 (fixed base samples).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import Belief, FitReport, Posterior

__all__ = ["Combine", "Several"]

Combine = Callable[[Tensor], Tensor]
"""h: properties `[..., n, k]` to `[..., n]`, differentiable."""

DRAWS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Several:
    """What is believed of a function of several properties.

    Args:
        report: What the fits saw.
        scale: Standard deviation of the overall labels.
        beliefs: One a property.
        combine: h.
    """

    report: FitReport
    scale: float
    beliefs: tuple[Belief, ...]
    combine: Combine = field(repr=False)

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and std of the overall value; members only where all properties have equally many."""
        mean, std, members = self.properties(x)
        drawn = self.combine(mean + std * self._draws.to(mean)[:, None])
        variance = drawn.var(0, correction=0)
        return Posterior(
            mean=drawn.mean(0),
            std=variance.clamp_min(torch.finfo(mean.dtype).tiny ** 0.5).sqrt(),
            members=None if members is None else self.combine(members),
        )

    def properties(self, x: Tensor) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"], Float[Tensor, "m n k"] | None]:
        """Return mean, std and members of each property, in its own units."""
        found = [belief.posterior(x) for belief in self.beliefs]
        members = [posterior.members for posterior in found if posterior.members is not None]
        same = len(members) == len(found) and len({len(part) for part in members}) == 1
        return (
            torch.stack([posterior.mean for posterior in found], dim=-1),
            torch.stack([posterior.std for posterior in found], dim=-1),
            torch.stack(members, dim=-1) if same else None,
        )

    def draw(self, generator: torch.Generator) -> Several:
        """Return the same function of one draw of each property."""
        beliefs = tuple(belief.draw(generator) for belief in self.beliefs)
        return Several(report=self.report, scale=self.scale, beliefs=beliefs, combine=self.combine)

    @cached_property
    def _draws(self) -> Float[Tensor, "s k"]:
        engine = torch.quasirandom.SobolEngine(len(self.beliefs), scramble=True, seed=0)  # type: ignore[no-untyped-call]
        uniform = engine.draw(DRAWS, dtype=torch.float64)
        normal = torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))
        draws: Tensor = (normal - normal.mean(0)) / normal.std(0, correction=0)
        return draws
