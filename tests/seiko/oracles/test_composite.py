"""Oracles around oracles: means by hand, states of the parts, noise of the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from seiko.config import from_json, to_json
from seiko.designs import Design
from seiko.oracles import Below, Desired, Label, Oracle, Ramp, TFBind8, WeightedGeometricMean, WeightedMean
from seiko.oracles.noise import keyed_normal

DESIGNS = [Design("A"), Design("C"), Design("G")]


@dataclass(frozen=True, kw_only=True)
class Table:
    labels: tuple[Label, ...]
    name: str = "table"

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        return list(self.labels[: len(designs)])


def table(*values: float, name: str = "table") -> Table:
    return Table(labels=tuple(Label(value=value) for value in values), name=name)


def values(oracle: Oracle) -> list[float | None]:
    return [label.value for label in oracle(DESIGNS)]


def test_means_by_hand() -> None:
    parts = (table(0.2, 0.0, 1.0), table(0.8, 0.6, 1.0))
    assert values(WeightedMean(oracles=parts)) == pytest.approx([0.5, 0.3, 1.0])
    assert values(WeightedMean(oracles=parts, weights=(3, 1))) == pytest.approx([0.35, 0.15, 1.0])
    assert values(WeightedGeometricMean(oracles=parts)) == pytest.approx([0.4, 0.0, 1.0])
    expected = math.exp((3 * math.log(0.2) + math.log(0.8)) / 4)
    for weights in ((3.0, 1.0), (0.75, 0.25)):
        assert values(WeightedGeometricMean(oracles=parts, weights=weights)) == pytest.approx([expected, 0.0, 1.0])


def test_desired_passes_the_value_through() -> None:
    assert values(Desired(oracle=table(-1.0, 2.0, 8.0), desirability=Ramp(one=4.0))) == [0.0, 0.5, 1.0]
    assert Desired(oracle=TFBind8(), desirability=Below(mu=0, sigma=1)).name == "below(tfbind8)"


def test_a_part_that_cannot_label_decides() -> None:
    broken = Table(labels=(Label.failed("spilled"), Label.failed("spilled"), Label(value=1.0)), name="assay")
    absurd = Table(labels=(Label(value=1.0), Label.infeasible("explodes"), Label(value=1.0)), name="rules")
    for kind in (WeightedMean, WeightedGeometricMean):
        labels = kind(oracles=(broken, absurd))(DESIGNS)
        assert labels == [Label.failed("assay: spilled"), Label.infeasible("rules: explodes"), Label(value=1.0)]
    assert Desired(oracle=absurd, desirability=Ramp(one=2.0))(DESIGNS)[1] == Label.infeasible("rules: explodes")


@pytest.mark.parametrize(
    "oracle",
    [
        WeightedMean(oracles=(table(0.5, 0.5, 0.5),), noise=0.1, seed=7),
        WeightedGeometricMean(oracles=(table(0.5, 0.5, 0.5),), noise=0.1, seed=7),
        Desired(oracle=table(1.0, 1.0, 1.0), desirability=Ramp(one=2.0), noise=0.1, seed=7),
    ],
)
def test_noise_of_the_whole(oracle: Oracle) -> None:
    for design, label in zip(DESIGNS, oracle(DESIGNS), strict=True):
        assert label.noise == 0.1
        assert label.value == pytest.approx(0.5 + 0.1 * keyed_normal(7, design.key))


def test_noise_of_a_part_is_not_told_as_that_of_the_whole() -> None:
    noisy = Table(labels=(Label(value=0.5, noise=0.2), Label(value=-0.1, noise=0.2), Label(value=0.5, noise=0.2)))
    labels = WeightedGeometricMean(oracles=(noisy, table(0.5, 0.5, 0.5)), noise=0.1)(DESIGNS)
    assert [label.noise for label in labels] == [None] * 3
    # Noise may carry a part below 0; there the whole is 0, before its own noise.
    assert labels[1].value == pytest.approx(0.1 * keyed_normal(0, DESIGNS[1].key))


def test_refuses_what_has_no_mean() -> None:
    with pytest.raises(ValueError, match="values of at least 0, but table answered -1"):
        WeightedGeometricMean(oracles=(table(-1.0, 1.0, 1.0),))(DESIGNS)
    with pytest.raises(ValueError, match="at least one oracle"):
        WeightedMean(oracles=())
    with pytest.raises(ValueError, match="2 oracles need as many weights, got 1"):
        WeightedMean(oracles=(table(1.0), table(1.0)), weights=(1.0,))
    with pytest.raises(ValueError, match="weight must be a positive number, got 0"):
        WeightedGeometricMean(oracles=(table(1.0),), weights=(0.0,))
    with pytest.raises(ValueError, match="gave 2 labels for 3 designs"):
        WeightedMean(oracles=(table(1.0, 1.0),))(DESIGNS)
    with pytest.raises(ValueError, match="noise must be"):
        Desired(oracle=TFBind8(), desirability=Ramp(one=1.0), noise=-0.1)


def test_reads_back_from_a_recipe() -> None:
    oracle = WeightedGeometricMean(
        oracles=(TFBind8(), Desired(oracle=TFBind8(noise=0.1, seed=1), desirability=Ramp(one=0.8))), weights=(2.0, 1.0)
    )
    assert from_json(to_json(oracle)) == oracle
