"""How an update's learning rate runs over the steps of a round.

Adam's first steps move every weight by the whole rate, whatever its gradient; its last ones leave the model wherever
the noise of their batch has taken it. A rate that rises first and falls towards 0 at the end mends both.

References:
    Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017, https://arxiv.org/abs/1706.02677
    (section 2.2: gradual warm-up);
    Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024,
    https://arxiv.org/abs/2405.18392 (a constant rate that falls linearly at the end);
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
    https://arxiv.org/abs/1608.03983 (Eq. 5: the cosine).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["CONSTANT", "Cosine", "RateSchedule", "Trapezoid"]


@dataclass(frozen=True, kw_only=True)
class Trapezoid:
    """Linear warm-up, a plateau, linear decay; without either, a constant rate.

        factor    =   min(1, (step + 1) / (warmup * steps)) * min(1, (steps - step) / (decay * steps))

    Args:
        warmup: Share of a round's steps, the first, over which the rate rises.
        decay: Share of them, the last, over which it falls.
    """

    warmup: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("warmup", "decay"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ValueError(f"{name} must be a share of a round's steps, from 0 to 1, got {value}")

    def factor(self, step: int, steps: int) -> float:
        """Return what the rate is multiplied by at a step, counted from 0, of so many."""
        rising = 1.0 if self.warmup == 0 else min(1.0, (step + 1) / (self.warmup * steps))
        falling = 1.0 if self.decay == 0 else min(1.0, (steps - step) / (self.decay * steps))
        return rising * falling


@dataclass(frozen=True)
class Cosine:
    """Half a wave from the rate down to a thousandth of it: factor = (1 + cos(pi * step / steps)) / 2."""

    def factor(self, step: int, steps: int) -> float:
        """Return what the rate is multiplied by at a step, counted from 0, of so many."""
        return max((1 + math.cos(math.pi * step / steps)) / 2, 1e-3)


RateSchedule: TypeAlias = Trapezoid | Cosine

CONSTANT = Trapezoid()
