from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.updates import (
    SMC,
    FixedStrength,
    Guidance,
    KLBudget,
    SoftBestOf,
    Steering,
    fold,
    hold_budget,
    tilt,
)

STEERINGS = pytest.mark.parametrize(
    "steering", [Guidance(), SMC(particles=64), SoftBestOf()], ids=["guidance", "smc", "best-of"]
)


def test_all_kinds_keep_the_contract() -> None:
    kinds: list[Steering] = [Guidance(), SMC(particles=32), SoftBestOf()]
    assert [kind.population for kind in kinds] == [1, 32, 1]


def test_a_round_without_a_previous_law_has_one_anchor(setting: Any) -> None:
    problem = fold(setting.objective, setting.pretrained, 0.3, 0.2)
    assert [anchor.coefficient for anchor in problem.anchors] == [0.5]
    assert problem.objective is setting.objective


def test_folding_gives_the_optimum_of_both_anchors(masked: Any) -> None:
    # two rounds in closed form: the second anchored to the first's law, against the tilt of the folded problem
    toy, alpha, beta = masked.toy, 0.5, 0.3
    pretrained = toy.law("pretrained").detach()
    first_round = fold(masked.objective, masked.pretrained, alpha)
    previous, _ = toy.tilted(masked.objective(toy.designs), [(pretrained, alpha)])
    rewards = torch.randn(27, generator=torch.Generator().manual_seed(5))
    expected, _ = toy.tilted(rewards, [(pretrained, alpha), (previous, beta)])
    second_round = fold(lambda x: toy.lookup(rewards, x), masked.pretrained, alpha, beta, previous=tilt(first_round))
    assert second_round.temperature == alpha + beta
    law = torch.softmax(pretrained.log() + tilt(second_round)(toy.designs), 0)
    torch.testing.assert_close(law, expected)


@STEERINGS
@pytest.mark.parametrize("nats", [0.2, 0.6])
def test_the_budget_is_held_and_used(setting: Any, steering: Any, nats: float) -> None:
    budget = KLBudget(nats=nats, beta=0.0, alpha=0.3)
    alpha, problem, drawn = hold_budget(
        steering, setting.pretrained, setting.objective, setting.pretrained, budget, None, Noise.seeded(0, 512)
    )
    assert 0.9 * nats < drawn.kl <= nats
    assert budget.least < alpha < budget.most
    assert problem.temperature == alpha
    again = steering.draw(setting.pretrained, problem, None, Noise.seeded(0, 512))
    assert torch.equal(again.x_0, drawn.x_0)


@STEERINGS
def test_an_objective_too_weak_for_the_budget_ends_at_the_least_alpha(setting: Any, steering: Any) -> None:
    alpha, _, drawn = hold_budget(
        steering,
        setting.pretrained,
        lambda x: 1e-3 * setting.objective(x),
        setting.pretrained,
        KLBudget(nats=4.0, beta=0.0),
        None,
        Noise.seeded(0, 256),
    )
    assert alpha == KLBudget().least
    assert drawn.kl < 1.0


def test_a_budget_too_tight_for_the_range_ends_at_the_largest_alpha(gaussian: Any) -> None:
    budget = KLBudget(nats=1e-6, beta=0.0, most=1.0)
    alpha, _, _ = hold_budget(
        Guidance(), gaussian.pretrained, gaussian.objective, gaussian.pretrained, budget, None, Noise.seeded(0, 64)
    )
    assert alpha == 1.0


def test_a_fixed_strength_is_drawn_from_as_it_is(gaussian: Any) -> None:
    alpha, problem, _ = hold_budget(
        Guidance(),
        gaussian.pretrained,
        gaussian.objective,
        gaussian.pretrained,
        FixedStrength(alpha=0.3, beta=0.1),
        None,
        Noise.seeded(0, 8),
        previous=lambda x: 0 * x[:, 0],
    )
    assert alpha == 0.3
    assert problem.temperature == pytest.approx(0.4)
