"""How much a number is wanted: functions from an oracle's units to [0, 1], 1 being best.

    Sigmoid         1 / (1 + 10^(-10 k (x - (low + high)/2) / (high - low)))       larger is better
    ReverseSigmoid  1 - Sigmoid                                                    smaller is better
    DoubleSigmoid   rises at low, falls at high: a window with soft edges
    Step            1 in [low, high], else 0
    Ramp            straight from 0 at zero to 1 at one, flat outside; zero > one makes it fall
    Gaussian        exp(-(x - mu)^2 / (2 sigma^2)); Below and Above are its halves, flat on the wanted side

The sigmoids have the parameters of REINVENT, the ramp and the Gaussians are the score modifiers of GuacaMol.
`seiko.oracles.composite` puts them around an oracle.

References:
    Derringer, Suich, "Simultaneous optimization of several response variables", J. Qual. Technol. 12:214, 1980.
    Loeffler et al., "REINVENT 4", J. Cheminform. 16:20, 2024, https://doi.org/10.1186/s13321-024-00812-5.
    Brown et al., "GuacaMol", J. Chem. Inf. Model. 59:1096, 2019, https://arxiv.org/abs/1811.09621.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = [
    "Above",
    "Below",
    "Desirability",
    "DoubleSigmoid",
    "Gaussian",
    "Ramp",
    "ReverseSigmoid",
    "Sigmoid",
    "Step",
]


@runtime_checkable
class Desirability(Protocol):
    """Says how much a number is wanted."""

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sigmoid:
    """Want large values: near 0 below low, one half in the middle, near 1 above high.

    Args:
        low: Where the desirability is about 0, in the oracle's units.
        high: Where it is about 1.
        k: Steepness; at k = 0.5 the ends are 0.003 and 0.997, at 0.25 they are 0.05 and 0.95.

    Raises:
        ValueError: If low is not below high, or k is not positive.
    """

    low: float
    high: float
    k: float = 0.5

    def __post_init__(self) -> None:
        _check_window(self.low, self.high)
        _check_positive("k", self.k)

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        return _logistic(10.0 * self.k * (value - (self.low + self.high) / 2) / (self.high - self.low))


@dataclass(frozen=True, kw_only=True)
class ReverseSigmoid:
    """Want small values: near 1 below low, one half in the middle, near 0 above high.

    Args:
        low: Where the desirability is about 1, in the oracle's units.
        high: Where it is about 0.
        k: Steepness; see `Sigmoid`.

    Raises:
        ValueError: If low is not below high, or k is not positive.
    """

    low: float
    high: float
    k: float = 0.5

    def __post_init__(self) -> None:
        _check_window(self.low, self.high)
        _check_positive("k", self.k)

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        return _logistic(-10.0 * self.k * (value - (self.low + self.high) / 2) / (self.high - self.low))


@dataclass(frozen=True, kw_only=True)
class DoubleSigmoid:
    """Want a window: one half at low and at high, near 1 between them.

    Left of the middle it is 1 / (1 + 10^(-rise (x - low))), right of it 1 / (1 + 10^(fall (x - high))). REINVENT's
    coefficients are rise = coef_si / coef_div and fall = coef_se / coef_div.

    Args:
        low: Left edge, in the oracle's units.
        high: Right edge.
        rise: Steepness of the left edge, decades a unit.
        fall: Steepness of the right edge.

    Raises:
        ValueError: If low is not below high, or a steepness is not positive.
    """

    low: float
    high: float
    rise: float = 1.5
    fall: float = 1.5

    def __post_init__(self) -> None:
        _check_window(self.low, self.high)
        _check_positive("rise", self.rise)
        _check_positive("fall", self.fall)

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        if value < (self.low + self.high) / 2:
            return _logistic(self.rise * (value - self.low))
        return _logistic(-self.fall * (value - self.high))


@dataclass(frozen=True, kw_only=True)
class Step:
    """Want low <= x <= high and nothing else; one end may be left open.

    Args:
        low: Smallest value that is wanted, in the oracle's units.
        high: Largest value that is wanted.

    Raises:
        ValueError: If both ends are open, or low lies above high.
    """

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError("a step needs low, high or both, got neither")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low must not lie above high, got {self.low} and {self.high}")

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 or 1."""
        wanted = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return 1.0 if wanted else 0.0


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """Want values towards one end, linearly between the two points: GuacaMol's clipped score.

    Args:
        one: Where the desirability becomes 1, in the oracle's units.
        zero: Where it becomes 0; above `one` the ramp falls.

    Raises:
        ValueError: If the two points are the same.
    """

    one: float
    zero: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.one) and math.isfinite(self.zero) and self.one != self.zero):
            raise ValueError(f"a ramp needs two different points, got one = {self.one} and zero = {self.zero}")

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        return min(1.0, max(0.0, (value - self.zero) / (self.one - self.zero)))


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """Want one value.

    Args:
        mu: The wanted value, in the oracle's units.
        sigma: Distance at which the desirability has fallen to 0.61.

    Raises:
        ValueError: If sigma is not positive.
    """

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        _check_positive("sigma", self.sigma)

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        distance = (value - self.mu) / self.sigma
        # A product overflows to infinity, where a power would raise.
        return math.exp(-0.5 * distance * distance)


@dataclass(frozen=True, kw_only=True)
class Below(Gaussian):
    """Want values up to mu; above it the desirability falls as a Gaussian does.

    Args:
        mu: Largest value that is fully wanted, in the oracle's units.
        sigma: Distance above mu at which the desirability has fallen to 0.61.
    """

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        return super().desire(max(value, self.mu))


@dataclass(frozen=True, kw_only=True)
class Above(Gaussian):
    """Want values from mu on; below it the desirability falls as a Gaussian does.

    Args:
        mu: Smallest value that is fully wanted, in the oracle's units.
        sigma: Distance below mu at which the desirability has fallen to 0.61.
    """

    def desire(self, value: float) -> float:
        """Return the desirability of a value, 0 to 1."""
        return super().desire(min(value, self.mu))


def _logistic(decades: float) -> float:
    """Return 1 / (1 + 10^-decades); no power overflows, however far the value lies outside."""
    tail = math.pow(10.0, -min(abs(decades), 300.0))
    return 1.0 / (1.0 + tail) if decades >= 0 else tail / (1.0 + tail)


def _check_window(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low must lie below high, got {low} and {high}")


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, got {value}")
