from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.updates import Anchor, KLBudget, Problem, SoftBestOf, hold_budget


@dataclass(frozen=True)
class Unconditional:
    """A policy that takes a conditioning and does not look at it."""

    policy: Any
    memoryless: bool = True

    @property
    def num_steps(self) -> int:
        return self.policy.num_steps  # type: ignore[no-any-return]

    def prior(self, noise: Noise) -> torch.Tensor:
        return self.policy.prior(noise)  # type: ignore[no-any-return]

    def transition(self, x_t: torch.Tensor, k: int, conditioning: Any) -> Any:
        return self.policy.transition(x_t, k)

    def parameters(self) -> list[Any]:
        return []


def one(setting: Any, alpha: float = 0.5) -> Problem[Any]:
    return Problem(setting.objective, (Anchor(setting.pretrained, alpha),))


def test_one_draw_is_no_choice() -> None:
    with pytest.raises(ValueError, match="draws must be at least 2, to have a choice, got 1"):
        SoftBestOf(draws=1)


def test_a_design_is_the_same_whatever_else_is_drawn(setting: Any) -> None:
    noise, problem = Noise.seeded(0, 24), one(setting)
    whole = SoftBestOf(draws=4).draw(setting.pretrained, problem, None, noise).x_0
    parts = [SoftBestOf(draws=4).draw(setting.pretrained, problem, None, noise[i : i + 7]).x_0 for i in range(0, 24, 7)]
    torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.equal(SoftBestOf(draws=4).draw(setting.pretrained, problem, None, Noise.seeded(1, 24)).x_0, whole)


def test_as_alpha_falls_the_best_of_the_draws_is_kept(setting: Any) -> None:
    noise, steering = Noise.seeded(0, 64), SoftBestOf(draws=8)
    draws = steering.propose(setting.pretrained, setting.objective, None, noise)
    drawn = steering.choose(draws, one(setting, 1e-6), noise)
    torch.testing.assert_close(drawn.objective, draws.values.amax(1).float())
    torch.testing.assert_close(drawn.objective, setting.objective(drawn.x_0))
    assert drawn.kl == pytest.approx(math.log(8) - 7 / 8, abs=0.15)  # where no two draws are alike
    alone = steering.choose(
        steering.propose(setting.pretrained, setting.objective, None, noise[:1]), one(setting, 1e-6), noise[:1]
    )
    assert alone.kl <= math.log(8) + 1e-9


def test_a_flat_objective_keeps_any_draw_and_costs_nothing(setting: Any) -> None:
    flat = Problem(lambda x: setting.objective(x) * 0 + 3.0, (Anchor(setting.pretrained, 0.5),))
    drawn = SoftBestOf(draws=4).draw(setting.pretrained, flat, None, Noise.seeded(0, 32))
    assert drawn.kl == pytest.approx(0, abs=1e-9)
    assert drawn.log_z == pytest.approx(6.0)
    assert drawn.effective_samples == 32


def test_a_budget_is_found_on_one_set_of_draws(setting: Any) -> None:
    asked = []

    def counted(x: torch.Tensor) -> torch.Tensor:
        asked.append(len(x))
        return setting.objective(x)  # type: ignore[no-any-return]

    budget = KLBudget(nats=0.5, beta=0.0)
    _, _, drawn = hold_budget(
        SoftBestOf(draws=8), setting.pretrained, counted, setting.pretrained, budget, None, Noise.seeded(0, 128)
    )
    assert 0.95 * 0.5 <= drawn.kl <= 0.5
    assert sum(asked) == 8 * 128


def test_the_budget_counts_what_was_folded_in(setting: Any) -> None:
    previous = lambda x: 2 * setting.objective(x)  # noqa: E731
    alpha, problem, drawn = hold_budget(
        SoftBestOf(draws=8),
        setting.pretrained,
        setting.objective,
        setting.pretrained,
        KLBudget(nats=0.5, beta=0.2),
        None,
        Noise.seeded(0, 128),
        previous=previous,
    )
    assert problem.temperature == pytest.approx(alpha + 0.2)
    assert drawn.objective == pytest.approx(1.4 * setting.objective(drawn.x_0))


def test_nats_are_counted_for_each_prompt_by_itself(setting: Any) -> None:
    # two prompts whose objectives differ by a constant: each keeps what it would have kept alone, at the same nats
    noise, steering = Noise.seeded(0, 128), SoftBestOf(draws=8)
    asked = torch.arange(128)[:, None] % 2
    shift = 50.0 * asked[:, 0]
    policy = Unconditional(setting.pretrained)
    plain = steering.choose(steering.propose(policy, setting.objective, asked, noise), one(setting), noise)
    moved = steering.choose(
        steering.propose(policy, lambda x: setting.objective(x) + shift, asked, noise), one(setting), noise
    )
    assert torch.equal(plain.x_0, moved.x_0)
    assert moved.kl == pytest.approx(plain.kl)
    together = steering.choose(steering.propose(policy, setting.objective, None, noise), one(setting), noise)
    assert plain.kl == pytest.approx(together.kl, rel=0.1)


def test_kept_positions_stay(masked: Any) -> None:
    start = torch.tensor([[0, 3, 3]] * 16 + [[3, 2, 3]] * 16)
    x_0 = SoftBestOf(draws=4).draw(masked.pretrained, one(masked), None, Noise.seeded(0, 32), start).x_0
    assert bool((x_0[:16, 0] == 0).all())
    assert bool((x_0[16:, 1] == 2).all())
    assert bool((x_0 != 3).all())


def test_a_second_anchor_is_refused_with_the_way_out(setting: Any) -> None:
    with pytest.raises(ValueError, match="set beta = 0, or fold"):
        SoftBestOf().draw(setting.pretrained, setting.problem(0.5, 0.1), None, Noise.seeded(0, 4))


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "nan"), (math.inf, "inf")])
def test_a_reward_that_is_not_finite_is_refused(setting: Any, value: float, shown: str) -> None:
    broken = Problem(lambda x: torch.full((len(x),), value), (Anchor(setting.pretrained, 0.5),))
    with pytest.raises(FloatingPointError, match=f"the objective is {shown} at some draws, and must be finite"):
        SoftBestOf().draw(setting.pretrained, broken, None, Noise.seeded(0, 4))
