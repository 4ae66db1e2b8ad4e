"""Numbers become labels of which larger is better, with the noise that belongs to them."""

from __future__ import annotations

import math

import pytest

from seiko.campaign.units import Units
from seiko.oracles import Label


def test_scale_then_logarithm_then_sign() -> None:
    made = Units(scale=1e-3, log10=True, minimise=True)(Label(value=100_000.0, noise=10_000.0, replicate=2))
    assert made.value == pytest.approx(-2.0)
    assert made.noise == pytest.approx(0.1 / math.log(10))
    assert made.replicate == 2
    assert Units()(Label(value=0.5, noise=0.1)) == Label(value=0.5, noise=0.1)
    assert Units(log10=True)(Label.infeasible("no")) == Label.infeasible("no")


def test_the_noise_of_a_logarithm_is_that_of_a_small_step() -> None:
    value, noise, step = 3.0, 0.02, 1e-6
    slope = (math.log10(value + step) - math.log10(value - step)) / (2 * step)
    assert Units(log10=True)(Label(value=value, noise=noise)).noise == pytest.approx(slope * noise, rel=1e-6)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_is_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be a positive factor"):
        Units(scale=scale)


@pytest.mark.parametrize(
    ("value", "units"), [(0.0, Units(log10=True)), (-1.0, Units(log10=True)), (1e300, Units(scale=1e300))]
)
def test_what_has_no_number_is_refused(value: float, units: Units) -> None:
    with pytest.raises(ValueError, match=r"a logarithm needs a positive value|not a finite number any more"):
        units(Label(value=value))


def test_labels_of_one_sense_stand_beside_each_other() -> None:
    assert Units(scale=5.0).same_sense(Units())
    assert not Units(minimise=True).same_sense(Units())
    assert Units(log10=True, minimise=True).in_words() == "--log10 --minimise"
