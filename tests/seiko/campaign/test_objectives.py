"""Several numbers made one: by hand, and as functions that an update can climb."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seiko.campaign import Objectives, Property
from seiko.campaign.objectives import complete
from seiko.oracles import Label, Ramp

WEIGHTED = Objectives(
    properties=(
        Property(name="a", weight=3.0, desirability=Ramp(zero=0.0, one=10.0)),
        Property(name="b", goal="min", unit=2.0),
    )
)
PARETO = Objectives(
    properties=(Property(name="a", reference=1.0, unit=2.0), Property(name="b", goal="min", reference=5.0)),
    combine="pareto",
)


def test_weighted_by_hand() -> None:
    assert WEIGHTED.overall({"a": 5.0, "b": 4.0}) == pytest.approx((3 * 0.5 - 4.0 / 2.0) / 4)


def test_a_broken_constraint_is_worth_the_floor() -> None:
    limited = Objectives(properties=(Property(name="a", at_least=1.0), Property(name="b", at_most=2.0)), floor=-1.0)
    assert limited.overall({"a": 1.0, "b": 2.0}) == 1.5
    assert limited.overall({"a": 0.9, "b": 2.0}) == -1.0
    assert limited.overall({"a": 9.0, "b": 2.1}) == -1.0
    smooth = limited.scalar(torch.tensor([[0.0, 0.0], [2.0, 3.0]]))
    inside, outside = smooth(torch.tensor([[1.5, 1.5], [0.5, 1.5]])).tolist()
    assert inside == pytest.approx(1.5, abs=0.01)
    assert outside == pytest.approx(-1.0, abs=0.01)


def test_chebyshev_by_hand() -> None:
    # gains (2 - 1) / 2 = .5 and 5 - 3 = 2
    assert PARETO.overall({"a": 2.0, "b": 3.0}) == pytest.approx(0.5 * 0.5 + 0.05 * 0.5 * 2.5)


@pytest.mark.parametrize("objectives", [WEIGHTED, PARETO])
def test_the_differentiable_form_agrees_with_the_exact_one(objectives: Objectives) -> None:
    values = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 8
    exact = [objectives.overall(dict(zip("ab", row, strict=True))) for row in values.tolist()]
    assert torch.allclose(objectives.scalar(values)(values), torch.tensor(exact, dtype=torch.float64), atol=1e-4)
    leaf = values.clone().requires_grad_()
    objectives.scalar(values)(leaf).sum().backward()
    assert leaf.grad is not None
    assert bool((leaf.grad[:, 1] <= 0).all())  # less of b is better
    assert float(leaf.grad[:, 0].sum()) > 0


def test_random_hypervolume_scalarisations_have_the_hypervolume_as_their_mean() -> None:
    objectives = Objectives(
        properties=(Property(name="a", reference=0.0), Property(name="b", reference=0.0)),
        combine="pareto",
        scalarisation="hypervolume",
    )
    values = torch.tensor([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]], dtype=torch.float64)
    means = [float(objectives.scalar(values, objectives.draw_weights(seed))(values).max()) for seed in range(3000)]
    # hypervolume = c_k E[max_y s(y)], c_2 = pi / 4; the staircase has 6
    assert math.pi / 4 * sum(means) / len(means) == pytest.approx(6.0, rel=0.05)


def test_weights_are_drawn_by_the_seed_and_lie_on_the_simplex() -> None:
    drawn = torch.stack([PARETO.draw_weights(seed) for seed in range(400)])
    assert torch.equal(PARETO.draw_weights(3), PARETO.draw_weights(3))
    assert torch.allclose(drawn.sum(1), torch.ones(400, dtype=torch.float64))
    assert float(drawn[:, 0].mean()) == pytest.approx(0.5, abs=0.05)
    assert float(drawn[:, 0].var()) == pytest.approx(1 / 12, abs=0.02)  # uniform


def test_labels_are_completed_or_refused() -> None:
    label = Label(values=(("b", 4.0), ("a", 5.0)))
    whole = complete(WEIGHTED, "1-0001", label)
    assert whole.value == pytest.approx(-0.125)
    assert whole.values == (("a", 5.0), ("b", 4.0))
    assert complete(WEIGHTED, "1-0001", whole) == whole
    assert complete(WEIGHTED, "1-0001", Label.infeasible("no")) == Label.infeasible("no")
    assert complete(None, "1-0001", Label(value=1.0)).value == 1.0
    with pytest.raises(ValueError, match="'1-0001' has no b: this run needs a, b of each design"):
        complete(WEIGHTED, "1-0001", Label(values=(("a", 5.0),)))
    with pytest.raises(ValueError, match=r"has the value 0\.3, its properties make it -0\.125"):
        complete(WEIGHTED, "1-0001", Label(value=0.3, values=label.values))
    with pytest.raises(ValueError, match=r"several numbers \(a, b\), and this run's recipe has no objectives"):
        complete(None, "1-0001", label)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"properties": (Property(name="a"),)}, "two properties at least, got 1"),
        ({"properties": (Property(name="a"), Property(name="a"))}, "'a' is there twice"),
        ({"properties": (Property(name="a", weight=0), Property(name="b", weight=0))}, "weights must not all be 0"),
        ({"properties": (Property(name="a"), Property(name="b")), "combine": "pareto"}, "a reference for a"),
        (
            {
                "properties": (Property(name="a", reference=0.0, at_least=1.0), PARETO.properties[1]),
                "combine": "pareto",
            },
            "a has a desirability or a constraint",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Objectives(**changes)
    with pytest.raises(ValueError, match="lower case, other than id, value"):
        Property(name="value")
    with pytest.raises(ValueError, match="unit of a must be positive, got 0"):
        Property(name="a", unit=0)
