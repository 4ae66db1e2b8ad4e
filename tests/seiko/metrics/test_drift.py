"""The alarm is quiet when nothing has changed, also with few reference samples, and loud when something has."""

from __future__ import annotations

import math

import pytest
import torch

from seiko.metrics import Drift, PropertyRange, drift


def draws(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_range_is_made_of_order_statistics() -> None:
    values = torch.arange(1.0, 100.0)  # 99 values: gap i is i/100 of the law
    both = PropertyRange.fit("logP", values, share=0.05)
    assert (both.low, both.high, both.tail, both.body) == (5.0, 95.0, 10, 90)
    assert both.expected == pytest.approx(0.1)
    high = PropertyRange.fit("SA", values, share=0.05, side="high")
    assert (high.low, high.high, high.expected) == (-math.inf, 95.0, pytest.approx(0.05))
    low = PropertyRange.fit("QED", torch.cat([values, torch.tensor([math.nan])]), share=0.05, side="low")
    assert (low.low, low.high) == (5.0, math.inf)


@pytest.mark.parametrize("discrete", [False, True])
def test_no_drift_no_alarm(discrete: bool) -> None:
    """Of 1,500 comparisons of 100 samples with 100 of the same law at most 5 % may cry; a binomial does in 12 %."""
    cries = 0
    for seed in range(1500):
        x = draws(seed, 200, 2)
        x = x.round() if discrete else x
        ranges = [PropertyRange.fit(str(i), x[:100, i]) for i in range(2)]
        cries += any(found.alarm for found in drift(ranges, x[100:], false_alarm=0.05, least=0.0))
    assert cries <= 75 + 3 * math.sqrt(75 * 0.95)


def test_the_share_outside_has_its_law() -> None:
    """The p-value is that of the counts themselves: simulated with reference and new samples drawn anew."""
    limits = PropertyRange.fit("x", draws(0, 60), share=0.05)
    at_least_ten = drift([limits], torch.cat([torch.full((10, 1), 99.0), torch.zeros(70, 1)]))[0].p_value
    x = torch.rand(20_000, 140, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ordered = x[:, :60].sort(dim=1).values
    rank = limits.tail // 2
    new = x[:, 60:]
    outside = ((new < ordered[:, rank - 1, None]) | (new > ordered[:, 60 - rank, None])).sum(dim=1)
    assert at_least_ten == pytest.approx(float((outside >= 10).double().mean()), abs=0.01)


def test_drift_is_told_in_words() -> None:
    ranges = [PropertyRange.fit(name, draws(0, 1000)) for name in ("logP", "weight")]
    new = torch.stack([draws(1, 200) + 2.5, draws(2, 200)], dim=1)
    moved, still = drift(ranges, new)
    assert moved.alarm
    assert not still.alarm
    assert moved.above > 80
    assert moved.below == 0
    assert moved.sentence.startswith(f"logP: of 200 new samples {100 * moved.share:.0f} % above ")
    assert "2 % of the pretrained model's own" in moved.sentence
    nothing = Drift(range=ranges[0], n=5, below=0, above=0, p_value=1.0, alarm=False)
    assert "no new sample lies outside" in nothing.sentence


def test_sure_but_small_is_no_alarm() -> None:
    limits = PropertyRange.fit("x", draws(0, 100_000))
    new = torch.cat([torch.full((400,), 99.0), torch.zeros(9600)]).to(torch.float64)[:, None]
    (found,) = drift([limits], new)
    assert found.p_value < 1e-6
    assert not found.alarm
    assert drift([limits], new, least=0.01)[0].alarm


def test_one_watched_end_and_missing_values() -> None:
    qed = PropertyRange.fit("QED", draws(0, 500), side="low")
    assert not drift([qed], torch.full((50, 1), 9.0))[0].alarm
    assert drift([qed], torch.full((50, 1), -9.0))[0].alarm
    nothing = drift([qed], torch.full((50, 1), torch.nan))[0]
    assert (nothing.n, nothing.alarm, nothing.share) == (0, False, 0.0)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least 20 samples with a finite value, got 19"):
        PropertyRange.fit("x", torch.ones(19))
    with pytest.raises(ValueError, match=r"share must lie in \(0, 0.5\), got 0.5"):
        PropertyRange.fit("x", torch.ones(20), share=0.5)
    limits = PropertyRange.fit("x", draws(0, 50))
    with pytest.raises(ValueError, match="2 properties need as many ranges, got 1"):
        drift([limits], torch.ones(3, 2))
    with pytest.raises(ValueError, match="false_alarm must lie"):
        drift([limits], torch.ones(3, 1), false_alarm=0.0)
