"""What every reward model promises, whatever it is made of."""

from __future__ import annotations

import math

import pytest
import torch

from seiko.rewards import Belief, RewardModel, spearman

ATOL = 1e-5


def test_it_learns(reward_model: RewardModel, landscape) -> None:
    x, y = landscape.some(300)
    belief = reward_model.fit(x, y, None, 0)
    assert isinstance(belief, Belief)
    assert spearman(belief.posterior(landscape.x).mean, landscape.y) > 0.4
    assert belief.scale == pytest.approx(float(y.std(correction=0)))
    report = belief.report
    assert report.labels == 300
    assert report.held_out is not None
    assert 0.85 <= report.held_out.coverage <= 1.0
    assert report.residual_std > 0


def test_same_arguments_give_the_same_belief(reward_model: RewardModel, landscape) -> None:
    x, y = landscape.some(60)
    torch.manual_seed(1)
    first = reward_model.fit(x, y, None, 3).posterior(landscape.x[:50])
    torch.manual_seed(2)
    second = reward_model.fit(x, y, None, 3).posterior(landscape.x[:50])
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.std, second.std)


def test_fitting_leaves_the_global_generator_alone(reward_model: RewardModel, landscape) -> None:
    state = torch.get_rng_state()
    reward_model.fit(*landscape.some(30), None, 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_both_strands_are_one(reward_model: RewardModel, landscape) -> None:
    belief = reward_model.fit(*landscape.some(80), None, 0)
    x = landscape.x[::41]
    forward, backward = belief.posterior(x), belief.posterior((3 - x).flip(1))
    torch.testing.assert_close(forward.mean, backward.mean, atol=ATOL, rtol=0)
    torch.testing.assert_close(forward.std, backward.std, atol=ATOL, rtol=0)


def test_units_are_the_oracles(reward_model: RewardModel, landscape) -> None:
    x, y = landscape.some(80)
    plain = reward_model.fit(x, y, None, 0)
    other = reward_model.fit(x, 1000.0 * y - 7.0, None, 0)
    a, b = plain.posterior(landscape.x[:100]), other.posterior(landscape.x[:100])
    torch.testing.assert_close(b.mean, 1000.0 * a.mean - 7.0, atol=0.5, rtol=1e-3)
    torch.testing.assert_close(b.std, 1000.0 * a.std, atol=0.5, rtol=1e-3)
    assert other.report.residual_std == pytest.approx(1000.0 * plain.report.residual_std, rel=1e-2)


def test_tokens_and_one_hots_agree(reward_model: RewardModel, landscape) -> None:
    belief = reward_model.fit(*landscape.some(80), None, 0)
    x = landscape.x[::97].clone()
    x[0, 2] = 4  # a masked position
    relaxed = torch.nn.functional.one_hot(x, 5).to(torch.float32)
    a, b = belief.posterior(x), belief.posterior(relaxed)
    torch.testing.assert_close(a.mean, b.mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(a.std, b.std, atol=1e-4, rtol=0)


def test_the_gradient_reaches_a_relaxed_state(reward_model: RewardModel, landscape) -> None:
    belief = reward_model.fit(*landscape.some(80), None, 0)
    weights = torch.rand(3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    relaxed = (weights / weights.sum(-1, keepdim=True)).requires_grad_()

    def objective(z: torch.Tensor) -> torch.Tensor:
        posterior = belief.posterior(z)
        return posterior.mean + posterior.std

    assert torch.autograd.gradcheck(objective, relaxed, eps=1e-7, atol=1e-5)
    (gradient,) = torch.autograd.grad(objective(relaxed).sum(), relaxed)
    assert float(gradient[..., :4].abs().max()) > 0
    assert float(gradient[..., 4].abs().max()) == 0  # the mask's column says nothing


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_labels(reward_model: RewardModel, landscape, n: int) -> None:
    belief = reward_model.fit(*landscape.some(n), None, 0)
    posterior = belief.posterior(landscape.x[:40])
    assert bool(torch.isfinite(posterior.mean).all())
    assert bool((posterior.std >= 0).all())
    assert bool(torch.isfinite(posterior.std).all())
    assert math.isfinite(belief.report.residual_std)


def test_constant_labels(reward_model: RewardModel, landscape) -> None:
    x, y = landscape.some(40)
    belief = reward_model.fit(x, torch.full_like(y, 0.1), None, 0)
    posterior = belief.posterior(landscape.x[:40])
    assert belief.scale == 1.0
    assert bool(torch.isfinite(posterior.std).all())
    torch.testing.assert_close(posterior.mean, torch.full_like(posterior.mean, 0.1), atol=0.15, rtol=0)


def test_no_labels_is_an_error(reward_model: RewardModel, landscape) -> None:
    with pytest.raises(ValueError, match="at least one label, got 0"):
        reward_model.fit(landscape.x[:0], landscape.y[:0], None, 0)


def test_a_draw_is_one_function(reward_model: RewardModel, landscape) -> None:
    belief = reward_model.fit(*landscape.some(80), None, 0)
    x = landscape.x[::61]
    draws = [belief.draw(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1, 2)]
    values = [draw.posterior(x) for draw in draws]
    assert float(values[0].std.max()) == 0
    assert torch.equal(values[0].mean, values[1].mean)
    assert not all(torch.equal(values[0].mean, v.mean) for v in values[2:])
    again = draws[0].draw(torch.Generator().manual_seed(9)).posterior(x)
    assert torch.equal(again.mean, values[0].mean)


def test_a_noisy_label_counts_less(reward_model: RewardModel, landscape) -> None:
    x, y = landscape.some(100)
    wrong = y.clone()
    wrong[:30] += 3.0  # and known to be off by that much
    noise = torch.full_like(y, torch.nan)
    noise[:30] = 3.0
    clean, told, untold = (reward_model.fit(x, v, s, 0) for v, s in ((y, None), (wrong, noise), (wrong, None)))
    rest = landscape.x[::37]
    truth = clean.posterior(rest).mean
    error_told = float((told.posterior(rest).mean - truth).abs().mean())
    error_untold = float((untold.posterior(rest).mean - truth).abs().mean())
    assert error_told < 0.6 * error_untold
