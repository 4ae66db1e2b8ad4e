"""How strongly the two anchors hold: fixed coefficients, or a budget of nats held by dual ascent.

The right coefficient is not a number that a user can guess; the distance from the pretrained model is. Under a budget
the coefficient alpha of the pretrained anchor follows the constraint KL(P || p_pre) <= nats:

    excess     =   clip((KL - nats) / nats, -1, 1)
    log alpha  <-  log alpha + rate * excess + damping * (excess - last excess)

The model lags behind its coefficient, so that plain ascent (damping 0) swings about the budget; the second term answers
to where the KL is going.

References:
    Stooke, Achiam, Abbeel, "Responsive Safety in Reinforcement Learning by PID Lagrangian Methods", 2020,
    https://arxiv.org/abs/2007.03964 (section 4: the proportional and integral terms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FixedStrength", "KLBudget", "Strength"]


class Strength(Protocol):
    """Chooses alpha (pretrained anchor) and beta (previous anchor), in reward standard deviations a nat."""

    @property
    def limit(self) -> float | None:
        """Nats from the pretrained model that the round must end within; None if there is no such promise."""
        ...

    def start(self) -> tuple[float, float]:
        """Return the first (alpha, beta)."""
        ...

    def follow(self, alpha: float, kl: float, last_kl: float) -> float:
        """Return the next alpha, seeing the KL to the pretrained model now and one step before, nats."""
        ...


@dataclass(frozen=True, kw_only=True)
class FixedStrength:
    """Constant coefficients.

    Args:
        alpha: Of the pretrained anchor, reward standard deviations a nat.
        beta: Of the previous anchor, likewise.
    """

    alpha: float = 0.1
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not (self.alpha >= 0 and self.beta >= 0 and self.alpha + self.beta > 0):
            raise ValueError(f"alpha and beta must be at least 0 and not both 0, got {self.alpha} and {self.beta}")

    @property
    def limit(self) -> None:
        """No promise."""
        return None

    def start(self) -> tuple[float, float]:
        """Return (alpha, beta)."""
        return self.alpha, self.beta

    def follow(self, alpha: float, kl: float, last_kl: float) -> float:
        """Return alpha as it is."""
        return alpha


@dataclass(frozen=True, kw_only=True)
class KLBudget:
    """Hold the path KL to the pretrained model at a number of nats.

    Args:
        nats: The budget; at most this far from the pretrained model.
        beta: Of the previous anchor, reward standard deviations a nat.
        alpha: First coefficient of the pretrained anchor.
        rate: Of the dual ascent on log alpha, a step.
        damping: Answer of log alpha to a change of the KL.
        least: alpha never falls below this: an objective too weak to use the budget must not end without an anchor.
        most: alpha never rises above this.
    """

    nats: float = 4.0
    beta: float = 0.02
    alpha: float = 0.3
    rate: float = 0.05
    damping: float = 1.0
    least: float = 0.01
    most: float = 10.0

    def __post_init__(self) -> None:
        if not self.nats > 0:
            raise ValueError(f"the KL budget must be a positive number of nats, got {self.nats}")
        if not 0 < self.least <= self.alpha <= self.most:
            raise ValueError(f"alpha must lie between {self.least} and {self.most}, got {self.alpha}")
        if not self.beta >= 0:
            raise ValueError(f"beta must be at least 0, got {self.beta}")

    @property
    def limit(self) -> float:
        """The budget."""
        return self.nats

    def start(self) -> tuple[float, float]:
        """Return (alpha, beta)."""
        return self.alpha, self.beta

    def follow(self, alpha: float, kl: float, last_kl: float) -> float:
        """Return alpha after one step of dual ascent."""
        excess, last = self._excess(kl), self._excess(last_kl)
        change = self.rate * excess + self.damping * (excess - last)
        return min(max(math.exp(math.log(alpha) + change), self.least), self.most)

    def _excess(self, kl: float) -> float:
        return min(max((kl - self.nats) / self.nats, -1.0), 1.0)
