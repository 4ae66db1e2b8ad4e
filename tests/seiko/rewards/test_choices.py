"""The likelihood of answers, by hand and against automatic derivatives."""

from __future__ import annotations

import math

import pytest
import torch

from seiko.rewards import Choices

F = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64)


def test_two_are_bradley_terry_and_a_tie_is_half_a_win_either_way() -> None:
    choices = Choices.of([(0, [1], False), (1, [0], False), (0, [1], True)])
    wins, loses, tie = choices.log_likelihood(F, 0.5).tolist()
    assert wins == pytest.approx(math.log(1 / (1 + math.exp(-1.3 / 0.5))))
    assert math.exp(wins) + math.exp(loses) == pytest.approx(1.0)
    assert tie == pytest.approx((wins + loses) / 2)


def test_the_best_of_four_alike_has_probability_one_in_four() -> None:
    choices = Choices.of([(2, [0, 1, 3], False), (0, [1], False)])
    assert choices.log_likelihood(torch.zeros(4))[0].item() == pytest.approx(math.log(1 / 4))
    total = sum(
        Choices.of([(w, [j for j in range(4) if j != w], False)]).log_likelihood(F, 0.7).exp().item() for w in range(4)
    )
    assert total == pytest.approx(1.0)


def test_derivatives_are_those_of_the_likelihood() -> None:
    choices = Choices.of([(2, [0, 1, 3], False), (0, [1], True), (3, [2], False)])
    f = F.clone().requires_grad_()
    value = choices.log_likelihood(f, 0.6).sum()
    gradient, curvature = choices.derivatives(F, 0.6)
    assert torch.allclose(gradient, torch.autograd.grad(value, f)[0])
    hessian = torch.autograd.functional.hessian(lambda f: choices.log_likelihood(f, 0.6).sum(), F)
    assert torch.allclose(curvature, -hessian)


def test_members_have_a_likelihood_each() -> None:
    choices = Choices.of([(2, [0, 1], False), (0, [1], False)])
    both = choices.log_likelihood(torch.stack([F, -F]))
    assert torch.allclose(both[1], choices.log_likelihood(-F))


def test_a_choice_among_one_is_refused() -> None:
    with pytest.raises(ValueError, match="among two or more"):
        Choices.of([(0, [], False)])
