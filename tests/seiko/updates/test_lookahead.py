from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seiko.diffusion import GaussianTransition, MaskedTransition
from seiko.updates.lookahead import complete, objective_gradient, predicted_value, predicted_x_0


def test_a_gradient_is_of_the_objective_at_the_state(gaussian: Any) -> None:
    value, gradient = objective_gradient(lambda x: (x**2).sum(1), torch.tensor([[1.0, 2.0], [0.0, -1.0]]))
    assert value.tolist() == [5, 1]
    assert gradient.tolist() == [[2, 4], [0, -2]]


def test_the_prediction_of_a_gaussian_step_is_its_own(gaussian: Any) -> None:
    x_t = torch.randn(4, 1)
    law = gaussian.pretrained.transition(x_t, 2)
    torch.testing.assert_close(predicted_x_0(law), gaussian.toy.predict(x_t, 2))
    value = predicted_value(law, gaussian.objective, 0.5, 1)
    torch.testing.assert_close(value, 2 * gaussian.toy.predict(x_t, 2)[:, 0])
    with pytest.raises(TypeError, match="return a DenoisingTransition"):
        predicted_x_0(GaussianTransition(x_t, torch.tensor(1.0)))


def states(*rows: list[int]) -> MaskedTransition:
    x_t = torch.tensor(rows)
    logits = torch.log(torch.tensor([0.7, 0.2, 0.1])).expand(len(rows), x_t.shape[1], 3)
    return MaskedTransition(logits, x_t, torch.ones(len(rows), dtype=torch.int64))


def test_completions_keep_what_is_known_and_follow_the_law_elsewhere() -> None:
    drawn, values = complete(states([3, 1, 3], [2, 2, 2]), lambda x: x.sum(1).double(), 4000)
    assert torch.equal(values, drawn.sum(-1).double())
    assert bool((drawn[0, :, 1] == 1).all())
    assert bool((drawn[1] == 2).all())
    share = torch.bincount(drawn[0, :, 0], minlength=3) / 4000
    torch.testing.assert_close(share, torch.tensor([0.7, 0.2, 0.1]), atol=0.03, rtol=0)


def test_a_state_is_completed_alike_whatever_the_batch_and_other_states_otherwise() -> None:
    def first(x: torch.Tensor) -> torch.Tensor:
        return x[:, 0].double()

    both, _ = complete(states([3, 1, 3], [3, 2, 3]), first, 50)
    assert torch.equal(complete(states([3, 1, 3]), first, 50)[0][0], both[0])
    assert torch.equal(complete(states([3, 2, 3], [3, 3, 3]), first, 50)[0][0], both[1])
    assert not torch.equal(both[0, :, 0], both[1, :, 0])


def test_a_completion_that_turns_up_often_is_valued_once() -> None:
    seen = []

    def objective(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return x.sum(1).double()

    complete(states([3, 3, 3], [3, 3, 3], [0, 1, 2]), objective, 500)
    assert len(seen) == 1
    assert len(torch.unique(seen[0], dim=0)) == len(seen[0]) <= 27


def test_the_value_ahead_is_the_soft_mean() -> None:
    values = torch.tensor([1.0, 0.0, -1.0])
    ahead = predicted_value(states([3, 0], [1, 0]), lambda x: values[x[:, 0]], 0.5, 50_000)
    expected = 0.5 * math.log(0.7 * math.exp(2) + 0.2 + 0.1 * math.exp(-2))
    assert float(ahead[0]) == pytest.approx(expected, abs=0.01)
    assert float(ahead[1]) == pytest.approx(0.0, abs=1e-6)
