"""Expected hypervolume improvement: against sampling, and a batch that spreads along the front."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("botorch")

from seiko.campaign import Objectives, Property
from seiko.campaign.hypervolume import ExpectedHypervolume, expected_improvement
from seiko.metrics.pareto import hypervolume
from seiko.rewards import FitReport, Posterior
from seiko.rewards.several import Several

FRONT = torch.tensor([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [0.5, 0.5]], dtype=torch.float64)


def test_a_certain_point_adds_what_it_adds() -> None:
    mean = torch.tensor([[2.5, 2.5], [1.0, 1.0], [-1.0, 5.0]], dtype=torch.float64)
    found = expected_improvement(mean, torch.full_like(mean, 1e-6), FRONT)
    grown = hypervolume(torch.cat([FRONT, mean[:1]]), torch.zeros(2)) - hypervolume(FRONT, torch.zeros(2))
    # the standard deviation is clamped at 3e-5
    assert found.tolist() == pytest.approx([grown, 0.0, 0.0], abs=1e-3)


@pytest.mark.parametrize("known", [FRONT, FRONT[:0], FRONT - 10.0])
def test_it_is_the_mean_of_what_draws_add(known: torch.Tensor) -> None:
    mean, std = torch.tensor([[2.0, 2.5]], dtype=torch.float64), torch.tensor([[0.5, 0.7]], dtype=torch.float64)
    zero, generator = torch.zeros(2), torch.Generator().manual_seed(0)
    draws = mean + std * torch.randn(4000, 2, generator=generator, dtype=torch.float64)
    before = hypervolume(known, zero)
    grown = sum(hypervolume(torch.cat([known, draw[None]]), zero) - before for draw in draws[:1500]) / 1500
    assert float(expected_improvement(mean, std, known)) == pytest.approx(grown, rel=0.1)


class Line:
    """Believes in one coordinate of a two-dimensional state."""

    report = FitReport(labels=1, held_out=None, residual_std=0.1, std_scale=1.0, seconds=0.0)
    scale = 1.0

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def posterior(self, x: torch.Tensor) -> Posterior:
        return Posterior(mean=x[:, self.axis], std=torch.full((len(x),), 0.1))

    def draw(self, generator: torch.Generator) -> Line:
        return self


def test_a_batch_spreads_along_the_front() -> None:
    objectives = Objectives(
        properties=(Property(name="a", reference=0.0), Property(name="b", reference=0.0)), combine="pareto"
    )
    angle = torch.linspace(0.02, torch.pi / 2 - 0.02, 60)
    pool = torch.stack([angle.cos(), angle.sin()], dim=1)
    beliefs = (Line(0), Line(1))
    belief = Several(report=Line.report, scale=1.0, beliefs=beliefs, combine=objectives.scalar(pool))
    score = ExpectedHypervolume(belief, objectives, torch.tensor([[0.2, 0.2]]))
    values = score(pool)
    assert 20 < int(values.argmax()) < 40  # the middle of the arc is worth most
    rows = score.choose(score.gains(pool), values, 5)
    top = values.argsort(descending=True)[:5]
    assert len(set(rows)) == 5
    assert float(angle[rows].std()) > 3 * float(angle[top].std())
    chosen, best = (hypervolume(pool[list(r)], torch.zeros(2)) for r in (rows, top.tolist()))
    assert chosen > best + 0.05
