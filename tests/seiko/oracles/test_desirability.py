"""Desirabilities: values at the points that define them, REINVENT's numbers, refusals."""

from __future__ import annotations

import math

import pytest

from seiko.oracles import (
    Above,
    Below,
    Desirability,
    DoubleSigmoid,
    Gaussian,
    Ramp,
    ReverseSigmoid,
    Sigmoid,
    Step,
)

ALL: list[Desirability] = [
    Sigmoid(low=1, high=3),
    ReverseSigmoid(low=1, high=3),
    DoubleSigmoid(low=1, high=3),
    Step(low=1, high=3),
    Ramp(one=3, zero=1),
    Gaussian(mu=2, sigma=1),
    Below(mu=2, sigma=1),
    Above(mu=2, sigma=1),
]


@pytest.mark.parametrize("desirability", ALL)
def test_lies_in_the_unit_interval_however_far(desirability: Desirability) -> None:
    values = [-1e300, -1e6, -1.0, 0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 10.0, 1e6, 1e300]
    assert all(0 <= desirability.desire(value) <= 1 for value in values)


def test_sigmoid_by_hand() -> None:
    assert Sigmoid(low=1, high=3).desire(2.0) == 0.5
    assert Sigmoid(low=1, high=3, k=0.5).desire(3.0) == pytest.approx(1 / (1 + 10**-2.5))
    assert Sigmoid(low=1, high=3, k=0.25).desire(1.0) == pytest.approx(1 / (1 + 10**1.25))
    for value in (-4.0, 1.0, 2.3, 9.0):
        total = Sigmoid(low=1, high=3).desire(value) + ReverseSigmoid(low=1, high=3).desire(value)
        assert total == pytest.approx(1.0)


def test_double_sigmoid_is_a_window() -> None:
    window = DoubleSigmoid(low=1, high=7, rise=1.5, fall=3.0)
    assert window.desire(1.0) == 0.5
    assert window.desire(7.0) == 0.5
    assert window.desire(4.0) > 0.999
    assert window.desire(0.0) == pytest.approx(1 / (1 + 10**1.5))
    assert window.desire(8.0) == pytest.approx(1 / (1 + 10**3.0))


def test_step_and_ramp() -> None:
    assert [Step(low=1, high=3).desire(value) for value in (0.9, 1.0, 3.0, 3.1)] == [0, 1, 1, 0]
    assert [Step(low=1).desire(value) for value in (0.9, 100.0)] == [0, 1]
    assert [Step(high=1).desire(value) for value in (-100.0, 1.1)] == [1, 0]
    assert [Ramp(one=0.8).desire(value) for value in (-1.0, 0.4, 0.8, 0.9)] == [0, 0.5, 1, 1]
    assert [Ramp(one=4.4, zero=8.8).desire(value) for value in (0.0, 6.6, 9.0)] == pytest.approx([1, 0.5, 0])


def test_gaussians() -> None:
    assert Gaussian(mu=2, sigma=0.5).desire(3.0) == pytest.approx(math.exp(-2))
    assert Below(mu=2, sigma=0.5).desire(-7.0) == Above(mu=2, sigma=0.5).desire(70.0) == 1.0
    assert Below(mu=2, sigma=0.5).desire(3.0) == Above(mu=2, sigma=0.5).desire(1.0) == pytest.approx(math.exp(-2))


def test_refuses_what_is_no_shape() -> None:
    with pytest.raises(ValueError, match="low must lie below high, got 3 and 1"):
        Sigmoid(low=3, high=1)
    with pytest.raises(ValueError, match="k must be positive"):
        ReverseSigmoid(low=1, high=3, k=0)
    with pytest.raises(ValueError, match="rise must be positive"):
        DoubleSigmoid(low=1, high=3, rise=-1)
    with pytest.raises(ValueError, match="needs low, high or both"):
        Step()
    with pytest.raises(ValueError, match="two different points"):
        Ramp(one=0.0)
    with pytest.raises(ValueError, match="sigma must be positive"):
        Below(mu=1, sigma=float("nan"))
