"""Drift alarm: have new samples left the range in which the pretrained model's own samples lay?

    range      [x_(r), x_(s)], order statistics of m reference values, about 1 % beyond each end
    outside    of n new samples of the same law: Beta-binomial(n, r + m + 1 - s, s - r), whatever that law is
    alarm      P(as many outside or more) <= false_alarm / number of properties,  and a share outside worth a word

The ends are estimates themselves: a binomial test at the nominal share forgets that and cries wolf (of 200 reference
samples, the "1 %" beyond an end is anything from .1 % to 3 %). The Beta-binomial is exact for continuous properties
and holds back with discrete ones; it tends to the binomial as m grows. Under no drift at all the chance of *any* alarm
is at most `false_alarm`. Tuning is meant to move the property that it is paid for: watch one end of it, or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from scipy.stats import betabinom
from torch import Tensor

__all__ = ["Drift", "PropertyRange", "Side", "drift"]

Side = Literal["both", "low", "high"]


@dataclass(frozen=True, kw_only=True)
class PropertyRange:
    """Where a property of the pretrained model's samples lies.

    Args:
        name: The property, in words.
        low: Lower end, in the property's units; -inf where it is not watched.
        high: Upper end; inf where it is not watched.
        tail: Gaps between order statistics outside of the range, r + m + 1 - s.
        body: Gaps inside of it, s - r.
    """

    name: str
    low: float
    high: float
    tail: int
    body: int

    @property
    def expected(self) -> float:
        """Share of new samples expected outside if nothing has changed."""
        return self.tail / (self.tail + self.body)

    @classmethod
    def fit(cls, name: str, values: Float[Tensor, "m"], *, share: float = 0.01, side: Side = "both") -> PropertyRange:
        """Take the range from the pretrained model's samples; values that are not finite are left out.

        Args:
            name: The property, in words.
            values: Its values, m samples.
            share: Share beyond each end that is watched; at least one sample in any case.
            side: Which end is watched: ``"low"``, ``"high"`` or ``"both"``.

        Raises:
            ValueError: If there are fewer than 20 finite values, the share is not in (0, .5) or the side is unknown.
        """
        if not 0.0 < share < 0.5:
            raise ValueError(f"share must lie in (0, 0.5), got {share}")
        if side not in get_args(Side):
            raise ValueError(f"side must be one of {', '.join(get_args(Side))}, got {side!r}")
        ordered = values[values.isfinite()].to(torch.float64).sort().values
        m = len(ordered)
        if m < 20:
            raise ValueError(f"the range of {name} needs at least 20 samples with a finite value, got {m}")
        rank = max(1, round(share * (m + 1)))
        low = float(ordered[rank - 1]) if side != "high" else -math.inf
        high = float(ordered[m - rank]) if side != "low" else math.inf
        tail = rank * (2 if side == "both" else 1)
        return cls(name=name, low=low, high=high, tail=tail, body=m + 1 - tail)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How new samples lie against a range.

    Args:
        range: The range.
        n: New samples with a finite value.
        below: How many lie below it.
        above: How many lie above it.
        p_value: Chance of as many outside, or more, if nothing has changed.
        alarm: Whether that is too many.
    """

    range: PropertyRange
    n: int
    below: int
    above: int
    p_value: float
    alarm: bool

    @property
    def share(self) -> float:
        """Share of new samples outside."""
        return (self.below + self.above) / self.n if self.n else 0.0

    @property
    def sentence(self) -> str:
        """What happened, in words, whether or not it is an alarm."""
        ends = [(self.below, "below", self.range.low), (self.above, "above", self.range.high)]
        where = " and ".join(
            f"{100 * count / self.n:.0f} % {word} {end:.3g}"
            for count, word, end in ends
            if count and (count * 10 >= self.below + self.above)
        )
        if not where:
            return f"{self.range.name}: no new sample lies outside of the pretrained model's range."
        return (
            f"{self.range.name}: of {self.n:,} new samples {where}, where {100 * self.range.expected:.0f} % of the "
            "pretrained model's own lie outside."
        )


def drift(
    ranges: Sequence[PropertyRange], values: Float[Tensor, "n k"], *, false_alarm: float = 0.01, least: float = 0.05
) -> tuple[Drift, ...]:
    """Compare new samples with the ranges of the pretrained model's samples, property by property.

    Args:
        ranges: One a column.
        values: Properties of n new, independent samples; what is not finite is left out.
        false_alarm: Chance of any alarm among all properties if nothing has changed.
        least: Share outside below which there is no alarm, however sure it is: with many samples every small move is.

    Raises:
        ValueError: If the ranges do not fit the columns, or a share is out of bounds.
    """
    if len(ranges) != values.shape[1]:
        raise ValueError(f"{values.shape[1]} properties need as many ranges, got {len(ranges)}")
    if not 0.0 < false_alarm < 1.0 or not 0.0 <= least <= 1.0:
        raise ValueError(f"false_alarm must lie in (0, 1) and least in [0, 1], got {false_alarm} and {least}")
    found = []
    for column, limits in zip(values.T, ranges, strict=True):
        known = column[column.isfinite()].to(torch.float64)
        n, below, above = len(known), int((known < limits.low).sum()), int((known > limits.high).sum())
        p_value = float(betabinom.sf(below + above - 1, n, limits.tail, limits.body)) if n else 1.0
        alarm = n > 0 and p_value <= false_alarm / len(ranges) and below + above >= least * n
        found.append(Drift(range=limits, n=n, below=below, above=above, p_value=p_value, alarm=alarm))
    return tuple(found)
