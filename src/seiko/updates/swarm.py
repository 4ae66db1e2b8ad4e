"""The particles of sequential Monte Carlo: their weights, their resampling, and what they descend from.

    log Z       sum over resamplings of log mean weight, one a population
    effective   N² / sum over families of (their members)²: how many of N particles have a descent of their own

Resampling is systematic: with one uniform number u, particle i is taken as often as (n + u) / N, n = 0..N - 1, falls
into its part of the cumulated weights.

References:
    Kitagawa, "Monte Carlo Filter and Smoother for Non-Gaussian Nonlinear State Space Models", 1996 (resampling at equal
    distances).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion import Noise, State, Transition

__all__ = ["Swarm", "take"]

T = TypeVar("T", bound=Transition)

_RESAMPLE = -11  # sub-stream: where the resampling starts


@dataclass
class Swarm:
    """The particles of all populations, one row each, population by population.

    Args:
        x: States.
        noise: Their streams.
        size: N.
        log_weight: `[b]` since the last resampling.
        potential: `[b]` U at the states.
        log_z: One a population.
        family: `[b]` which row each particle descends from.
        path: States so far; kept only where a Gaussian chain is moved at the end.
        keeps_path: Whether they are kept.
    """

    x: State
    noise: Noise
    size: int
    log_weight: Float[Tensor, "b"]
    potential: Float[Tensor, "b"]
    log_z: Float[Tensor, "n"]
    family: Int64[Tensor, "b"]
    path: list[State]
    keeps_path: bool

    @classmethod
    def at(cls, x: State, noise: Noise, size: int, keeps_path: bool) -> Swarm:
        """Return the particles at their start."""
        zeros = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        rows = torch.arange(len(x), device=x.device)
        return cls(x, noise, size, zeros, zeros, zeros[::size].clone(), rows, [x] if keeps_path else [], keeps_path)

    def weigh(self, potential: Tensor, k: int, threshold: float) -> Int64[Tensor, "b"] | None:
        """Weight by a new potential, and resample the populations that need it.

        Args:
            potential: `[b]` U at the states, nats.
            k: The step that is next; names the randomness.
            threshold: A population is resampled if its effective sample size is below this share of N.

        Returns:
            The row that each particle was taken from; None if no population was resampled.

        Raises:
            FloatingPointError: If a potential is not a number.
        """
        if bool(potential.isnan().any()):
            raise FloatingPointError(f"the objective is not a number ahead of step {k}: check the reward")
        self.log_weight = self.log_weight + potential.double() - self.potential
        self.potential = potential.double()
        blocks = self.log_weight.reshape(-1, self.size)
        weight = torch.softmax(blocks, 1)
        poor = 1 / (weight**2).sum(1) < threshold * self.size
        if not bool(poor.any()):
            return None
        first = self.noise[:: self.size].fold_in(_RESAMPLE).fold_in(k).uniform()
        level = (torch.arange(self.size, device=first.device) + first[:, None]) / self.size
        # rounding may leave the last sum below the last level
        chosen = torch.searchsorted(weight.cumsum(1), level).clamp(max=self.size - 1)
        stay = torch.arange(self.size, device=first.device).expand_as(chosen)
        offset = torch.arange(len(poor), device=first.device)[:, None] * self.size
        rows = (torch.where(poor[:, None], chosen, stay) + offset).flatten()
        gained = torch.logsumexp(blocks, 1) - math.log(self.size)
        self.log_z = self.log_z + torch.where(poor, gained, 0.0)
        self.log_weight = torch.where(poor[:, None], 0.0, blocks).flatten()
        self.x, self.potential, self.family = self.x[rows], self.potential[rows], self.family[rows]
        self.path = [x[rows] for x in self.path]
        return rows

    def advance(self, base: T, proposal: T, k: int) -> None:
        """Draw the next states."""
        self.x = proposal.sample(self.noise.fold_in(k))
        if proposal is not base:
            self.log_weight = self.log_weight + (base.log_prob(self.x) - proposal.log_prob(self.x)).double()
        if self.keeps_path:
            self.path.append(self.x)

    def effective(self) -> float:
        """Return the number of independent draws: 1 / sum over families of (their share)², summed over populations."""
        counts = torch.bincount(self.family, minlength=len(self.x)).double().reshape(-1, self.size)
        return float((self.size**2 / (counts**2).sum(1)).sum())


def take(law: T, rows: Int64[Tensor, "b"]) -> T:
    """Return the law of some rows; what a whole batch shares stays."""
    fields = {field.name: getattr(law, field.name) for field in dataclasses.fields(law)}  # type: ignore[arg-type]
    taken = {
        name: value[rows]
        for name, value in fields.items()
        if isinstance(value, Tensor) and value.dim() > 0 and len(value) == len(rows)
    }
    return dataclasses.replace(law, **taken)  # type: ignore[type-var]
