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
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from seiko.designs import Design
from seiko.oracles.base import Label, Oracle
from seiko.oracles.desirability import Desirability
from seiko.oracles.noise import Noisy

__all__ = ["Desired", "Measured", "WeightedGeometricMean", "WeightedMean"]


@dataclass(frozen=True, kw_only=True)
class _Composed(Noisy, ABC):
    """Ask every part about every design, and combine the values of each design."""

    @property
    @abstractmethod
    def _parts(self) -> tuple[Oracle, ...]:
        """Return the oracles that are asked."""

    @abstractmethod
    def _combine(self, values: Sequence[float]) -> float:
        """Return the noiseless value of the whole."""

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        answers = _answers(designs, self._parts)
        return [self._label(design, labels) for design, *labels in zip(designs, *answers, strict=True)]

    def _label(self, design: Design, labels: Sequence[Label]) -> Label:
        if (broken := _broken(self._parts, labels)) is not None:
            return broken
        whole = self._measured(self._combine([label.value for label in labels if label.value is not None]), design)
        # How a part's noise passes through the whole is not known here: better no standard deviation than a wrong one.
        return whole if all(label.noise is None for label in labels) else Label(value=whole.value)


@dataclass(frozen=True, kw_only=True)
class Desired(_Composed):
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

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"{type(self.desirability).__name__.lower()}({_name(self.oracle)})"

    @property
    def _parts(self) -> tuple[Oracle, ...]:
        return (self.oracle,)

    def _combine(self, values: Sequence[float]) -> float:
        return self.desirability.desire(values[0])


@dataclass(frozen=True, kw_only=True)
class _Mean(_Composed):
    """What the two means have in common."""

    oracles: tuple[Oracle, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_weights(self.oracles, self.weights)

    @property
    def _parts(self) -> tuple[Oracle, ...]:
        return self.oracles

    def _mean(self, values: Sequence[float]) -> float:
        weights = self.weights or (1.0,) * len(values)
        return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)


@dataclass(frozen=True, kw_only=True)
class WeightedMean(_Mean):
    """Answer with the weighted arithmetic mean of several oracles: one may make up for another.

    Args:
        oracles: The parts, in comparable units, larger being better in each.
        weights: One positive number a part, of which only the ratios count; empty for equal weights.
        noise: Standard deviation of Gaussian noise added to the mean, in units of the value.
        seed: Seed of that noise; the same design always gets the same label.

    Raises:
        ValueError: If there is no part, the weights do not match the parts, or the noise is negative or not finite.
    """

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"mean({', '.join(map(_name, self.oracles))})"

    def _combine(self, values: Sequence[float]) -> float:
        return self._mean(values)


@dataclass(frozen=True, kw_only=True)
class WeightedGeometricMean(_Mean):
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

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"geometric_mean({', '.join(map(_name, self.oracles))})"

    def _label(self, design: Design, labels: Sequence[Label]) -> Label:
        for oracle, label in zip(self.oracles, labels, strict=True):
            _check_negative(oracle, label)
        return super()._label(design, labels)

    def _combine(self, values: Sequence[float]) -> float:
        return math.exp(self._mean([math.log(v) for v in values])) if min(values) > 0 else 0.0


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
