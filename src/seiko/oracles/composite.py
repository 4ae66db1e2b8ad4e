"""Oracles made of oracles: a desirability around one, means of several.

    Desired                 d(v(x))
    WeightedMean            sum_j w_j v_j(x) / sum_j w_j
    WeightedGeometricMean   exp(sum_j w_j log v_j(x) / sum_j w_j),   0 as soon as one v_j is 0
    Measured                all v_j(x) as they are, for a campaign with several objectives

A design that one part cannot label is infeasible for the whole, or failed where no part calls it infeasible; a design
costs one label however many parts are asked. Noise may sit in the parts, in the whole, or in both; its standard
deviation is told where only the whole has some. Parts with the same seed draw the same noise for a design: give them
different seeds where their measurements are independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seiko.designs import Design
from seiko.oracles.base import Label, Oracle
from seiko.oracles.desirability import Desirability
from seiko.oracles.noise import check_noise, noisy_label

__all__ = ["Desired", "Measured", "WeightedGeometricMean", "WeightedMean"]


@dataclass(frozen=True, kw_only=True)
class Desired:
    """Answer with the desirability of another oracle's value, 0 to 1, larger is better.

    Args:
        oracle: Oracle whose value is judged.
        desirability: From that oracle's units to [0, 1].
        noise: Standard deviation of Gaussian noise added to the desirability.
        seed: Seed of that noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    oracle: Oracle
    desirability: Desirability
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.noise)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"{type(self.desirability).__name__.lower()}({_name(self.oracle)})"

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return _ask(designs, [self.oracle], lambda v: self.desirability.desire(v[0]), self.noise, self.seed)


@dataclass(frozen=True, kw_only=True)
class WeightedMean:
    """Answer with the weighted arithmetic mean of several oracles: one may make up for another.

    Args:
        oracles: The parts, in comparable units, larger being better in each.
        weights: One positive number a part, of which only the ratios count; empty for equal weights.
        noise: Standard deviation of Gaussian noise added to the mean, in units of the value.
        seed: Seed of that noise; the same design always gets the same label.

    Raises:
        ValueError: If there is no part, the weights do not match the parts, or the noise is negative or not finite.
    """

    oracles: tuple[Oracle, ...]
    weights: tuple[float, ...] = ()
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.noise)
        _check_weights(self.oracles, self.weights)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"mean({', '.join(map(_name, self.oracles))})"

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return _ask(designs, self.oracles, self._mean, self.noise, self.seed)

    def _mean(self, values: Sequence[float]) -> float:
        weights = self.weights or (1.0,) * len(values)
        return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)


@dataclass(frozen=True, kw_only=True)
class WeightedGeometricMean:
    """Answer with the weighted geometric mean of several oracles: each must be good.

    Args:
        oracles: The parts, with values of at least 0, larger being better in each; put `Desired` around others.
        weights: One positive number a part, of which only the ratios count; empty for equal weights.
        noise: Standard deviation of Gaussian noise added to the mean, in units of the value.
        seed: Seed of that noise; the same design always gets the same label.

    Raises:
        ValueError: If there is no part, the weights do not match the parts, the noise is negative or not finite, or a
            part answers with a negative number that is not of its own noise.
    """

    oracles: tuple[Oracle, ...]
    weights: tuple[float, ...] = ()
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.noise)
        _check_weights(self.oracles, self.weights)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"geometric_mean({', '.join(map(_name, self.oracles))})"

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return _ask(designs, self.oracles, self._mean, self.noise, self.seed, check=_check_negative)

    def _mean(self, values: Sequence[float]) -> float:
        if min(values) <= 0:
            return 0.0
        weights = self.weights or (1.0,) * len(values)
        logs = math.fsum(w * math.log(v) for w, v in zip(weights, values, strict=True))
        return math.exp(logs / math.fsum(weights))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Answer with several numbers a design; the campaign's `Objectives` make one of them.

    Args:
        oracles: The parts.
        names: What each number is called.

    Raises:
        ValueError: If there is no part, or the names do not match the parts or repeat.
    """

    oracles: tuple[Oracle, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_weights(self.oracles, ())
        if len(set(self.names)) != len(self.oracles):
            raise ValueError(f"{len(self.oracles)} oracles need as many names, all different, got {self.names}")

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return ", ".join(self.names)

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        answers = _answers(designs, self.oracles)
        return [_broken(self.oracles, labels) or self._all(labels) for labels in zip(*answers, strict=True)]

    def _all(self, labels: Sequence[Label]) -> Label:
        pairs = zip(self.names, labels, strict=True)
        return Label(values=tuple((name, label.value) for name, label in pairs if label.value is not None))


def _ask(
    designs: Sequence[Design],
    oracles: Sequence[Oracle],
    combine: Callable[[Sequence[float]], float],
    noise: float,
    seed: int,
    check: Callable[[Oracle, Label], None] | None = None,
) -> list[Label]:
    """Ask every part about every design and combine the values of each design."""
    answers = _answers(designs, oracles)
    if check is not None:
        for oracle, labels in zip(oracles, answers, strict=True):
            for label in labels:
                check(oracle, label)
    return [
        _one(design, oracles, labels, combine, noise, seed) for design, *labels in zip(designs, *answers, strict=True)
    ]


def _answers(designs: Sequence[Design], oracles: Sequence[Oracle]) -> list[list[Label]]:
    answers = [oracle(designs) for oracle in oracles]
    for oracle, labels in zip(oracles, answers, strict=True):
        if len(labels) != len(designs):
            raise ValueError(f"oracle {_name(oracle)} gave {len(labels)} labels for {len(designs)} designs")
    return answers


def _broken(oracles: Sequence[Oracle], labels: Sequence[Label]) -> Label | None:
    """Return the label of a design that one part cannot label, None where all can."""
    for status in ("infeasible", "failed"):
        for oracle, label in zip(oracles, labels, strict=True):
            if label.status == status:
                return Label(status=label.status, reason=f"{_name(oracle)}: {label.reason or status}")
    return None


def _one(
    design: Design,
    oracles: Sequence[Oracle],
    labels: Sequence[Label],
    combine: Callable[[Sequence[float]], float],
    noise: float,
    seed: int,
) -> Label:
    if (broken := _broken(oracles, labels)) is not None:
        return broken
    value = combine([label.value for label in labels if label.value is not None])
    whole = noisy_label(value, noise=noise, seed=seed, key=design.key)
    # How a part's noise passes through the whole is not known here: better no standard deviation than a wrong one.
    return whole if all(label.noise is None for label in labels) else Label(value=whole.value)


def _check_negative(oracle: Oracle, label: Label) -> None:
    if label.value is not None and label.value < 0 and not label.noise:
        raise ValueError(
            f"a geometric mean needs values of at least 0, but {_name(oracle)} answered {label.value}: "
            "put Desired with a desirability around it"
        )


def _check_weights(oracles: Sequence[Oracle], weights: Sequence[float]) -> None:
    if not oracles:
        raise ValueError("a mean needs at least one oracle, got none")
    if weights and len(weights) != len(oracles):
        raise ValueError(f"{len(oracles)} oracles need as many weights, got {len(weights)}")
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"a weight must be a positive number, got {weight}")


def _name(oracle: Oracle) -> str:
    return str(getattr(oracle, "name", type(oracle).__name__))
