"""Local penalisation: the closed form, and that a second batch keeps away from the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seiko.acquisition import Foreseen
from seiko.campaign import Campaign, LocalPenalisation, Query, Recipe
from seiko.campaign.foresight import outlook
from seiko.campaign.penalisation import Penalised, steepest
from seiko.config import from_json, to_json


def flat(x: Tensor) -> Tensor:
    """An acquisition that is 3 everywhere but below 0, where it is less than any label."""
    return torch.where(x[:, 0] < 0, torch.tensor(-5.0), torch.tensor(3.0))


def penalised(z: list[float], mean: list[float], std: list[float], slope: float = 2.0) -> Penalised:
    there = torch.tensor(z)
    return Penalised(
        objective=flat,
        distance=lambda x: (x - there).abs(),
        mean=torch.tensor(mean),
        std=torch.tensor(std),
        best=1.0,
        lipschitz=slope,
        reference=-1.0,
    )


def at(*x: float) -> Tensor:
    return torch.tensor(x)[:, None]


def normal(z: float) -> float:
    return float(torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(z)))


def test_one_design_that_waits_has_a_ball_around_it() -> None:
    one = penalised([5.0], [0.0], [0.5])
    # its radius is (M - mean) / L = .5, where the probability is a half
    assert one.outside(at(5.5, 4.5)).tolist() == pytest.approx([0.5, 0.5])
    assert one.outside(at(5.0, 6.0, 5.75)).tolist() == pytest.approx([normal(-2), normal(2), normal(1)], abs=1e-6)
    assert one.outside(at(50.0)).tolist() == [1.0]
    # .5 erfc(-z / sqrt 2), as the paper writes it
    z = (2.0 * 0.3 - 1.0 + 0.0) / (2**0.5 * 0.5)
    assert one.outside(at(5.3)).item() == pytest.approx(0.5 * float(torch.erfc(torch.tensor(-z))), abs=1e-6)


def test_balls_are_multiplied_and_the_reference_is_where_they_lead() -> None:
    two = penalised([5.0, 6.0], [0.0, 1.0], [0.5, 0.25])
    expected = normal((2 * 0.5 - 1) / 0.5) * normal((2 * 0.5 - 0) / 0.25)
    assert two.outside(at(5.5)).item() == pytest.approx(expected, abs=1e-6)
    assert two(at(5.5)).item() == pytest.approx(-1.0 + 4.0 * expected, abs=1e-5)
    assert two(at(50.0)).item() == pytest.approx(3.0)
    assert two(at(-1.0)).item() == -5.0  # below the lowest label nothing is praised


def test_what_is_known_exactly_is_all_or_nothing() -> None:
    sure = penalised([5.0], [0.0], [0.0])
    assert sure.outside(at(5.49, 5.51)).tolist() == [0.0, 1.0]


def test_the_steepest_pair_gives_the_slope() -> None:
    x = torch.tensor([0.0, 1.0, 3.0, 3.0])
    assert steepest((x[:, None] - x).abs(), torch.tensor([0.0, 0.5, 4.5, 4.0])) == pytest.approx(2.0)
    assert steepest(torch.zeros(1, 1), torch.zeros(1)) == 0.0
    with pytest.raises(ValueError, match="lipschitz must be a positive slope, got 0"):
        LocalPenalisation(lipschitz=0)


def test_it_is_written_with_the_recipe(tiny: Callable[..., Recipe]) -> None:
    recipe = tiny(pending=LocalPenalisation(lipschitz=0.5))
    assert from_json(to_json(recipe)) == recipe


def test_another_batch_keeps_away_from_what_waits(tmp_path: Path, tiny: Callable[..., Recipe]) -> None:
    def value(query: Query) -> float:
        return query.design.content.count("A") / len(query.design.content)

    with Campaign.open(tmp_path / "run", tiny(budget=60, rounds=2, pending=LocalPenalisation())) as campaign:
        campaign.tell({query.id: value(query) for query in campaign.ask()})
        campaign.advance()
        history = campaign._history
        assert outlook(history)[1] is history.objective(1), "nothing waits"
        waiting = campaign.ask(5)
        belief, objective = outlook(history)
        assert belief is history.belief(1)
        assert isinstance(objective, Penalised)
        z = history.model.ingest([query.design for query in waiting])
        fresh = history.model.ingest(campaign.sample(200))
        near = history.model.distance(fresh, z).amin(1) <= 1
        outside = objective.outside(fresh)
        assert objective.outside(z).max() <= 0.5 + 1e-6, "each of them is at the heart of a ball"
        assert outside[near].mean() < outside[~near].mean()
        assert len(campaign.ask(5, another=True)) == 5


def test_what_is_foreseen_is_penalised_as_well() -> None:
    class Known:
        """An objective of which every label takes one off."""

        def __init__(self) -> None:
            self.value = torch.tensor([1.0, 2.0])

        def __call__(self, x: Tensor) -> Tensor:
            return torch.tensor([1.0, 2.0])

        def label(self, row: int) -> None:
            self.value = self.value - torch.eye(2)[row]

        def foresee(self, x: Tensor) -> Foreseen:
            return self

    objective = replace(penalised([0.0], [0.0], [0.5]), objective=Known())
    x = at(0.1, 0.4)
    foreseen = objective.foresee(x)
    assert foreseen is not None
    assert torch.equal(foreseen.value, objective(x))
    foreseen.label(1)
    kept = objective.outside(x)
    torch.testing.assert_close(foreseen.value, -1.0 + kept * torch.tensor([2.0, 2.0]))
    assert penalised([0.0], [0.0], [0.5]).foresee(x) is None  # `flat` foresees nothing
