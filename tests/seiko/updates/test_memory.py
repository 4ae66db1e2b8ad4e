from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.diffusion import Noise
from seiko.models import EnumerableToy, ModelPolicy
from seiko.updates import Anchor, FixedStrength, KLBudget, MemoryDistill, Problem, improve
from seiko.updates.forward import masked_at
from seiko.updates.memory import _late_steps, _new_rows, conditionals, log_likelihood


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"most": 0}, "most must be at least 1, got 0"),
        ({"orders": 0}, "orders must be at least 1, got 0"),
        ({"explore": -1}, "explore must be at least 0 designs a trajectory, got -1"),
        ({"effective": 0.5}, "effective must be at least 1 design, got 0.5"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MemoryDistill(**wrong)


def test_conditionals_are_those_of_the_weighted_designs() -> None:
    x = torch.tensor([[0, 0], [0, 1], [1, 1]])
    weight = torch.tensor([0.5, 0.3, 0.2])
    drawn = torch.tensor([[0, 1], [0, 1], [0, 1]])
    hidden = torch.tensor([[True, True], [False, True], [True, False]])
    found = conditionals(x, weight, drawn, hidden, 2)
    torch.testing.assert_close(found[0], torch.tensor([[0.8, 0.2], [0.5, 0.5]]))
    torch.testing.assert_close(found[1, 1], torch.tensor([0.625, 0.375]))
    torch.testing.assert_close(found[2, 0], torch.tensor([0.6, 0.4]))


@pytest.mark.parametrize("letters", [3, 1 << 40])
def test_only_rows_that_are_new_are_found_each_once(letters: int) -> None:
    known = torch.tensor([[0, 1], [2, letters - 1]])
    x = torch.tensor([[2, letters - 1], [1, 1], [0, 0], [1, 1], [0, 1]])
    assert _new_rows(known, x).tolist() == [1, 2]
    assert _new_rows(x[:0], x).tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize(("num_steps", "length"), [(4, 4), (2, 5), (6, 4)])
def test_the_masked_positions_are_those_of_the_chain(num_steps: int, length: int) -> None:
    masked = masked_at(num_steps, length, torch.device("cpu"))
    left = length
    for k in range(num_steps, 0, -1):
        assert int(masked[k]) == left
        left -= -(-left // k)
    assert left == 0


def test_late_steps_are_weighted_back() -> None:
    u = torch.rand(200_000, generator=torch.Generator().manual_seed(0))
    k, importance = _late_steps(5, u)
    share = torch.bincount(k, minlength=6)[1:] / len(u)
    torch.testing.assert_close(share, (1 / torch.arange(1, 6)) / (1 / torch.arange(1, 6)).sum(), atol=5e-3, rtol=0)
    per_step = torch.stack([importance[k == step].sum() for step in range(1, 6)]) / len(u)
    torch.testing.assert_close(per_step, torch.ones(5), atol=2e-2, rtol=0)


def test_likelihoods_are_the_law_of_the_model(masked: Any) -> None:
    toy: EnumerableToy = masked.toy
    with torch.no_grad():
        for parameter in masked.policy.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
        x = toy.designs
        found = log_likelihood(masked.policy, x, None, Noise.seeded(0, len(x)), 2000)
    torch.testing.assert_close(found.exp(), toy.law("current").detach().to(found), atol=2e-3, rtol=0.02)


@pytest.mark.parametrize("beta", [0.0, 0.2])
def test_it_reaches_the_closed_form(masked: Any, beta: float) -> None:
    toy: EnumerableToy = masked.toy
    update = MemoryDistill(learning_rate=0.1, epochs=10, batch=128, effective=1, orders=8)
    improve(
        masked.policy,
        update,
        masked.objective,
        pretrained=ModelPolicy(toy, "pretrained"),
        previous=ModelPolicy(toy, "previous"),
        strength=FixedStrength(alpha=0.5, beta=beta),
        steps=30,
        samples=128,
        seed=0,
    )
    with torch.no_grad():
        # both anchors are the same law here
        law, best = toy.law("current"), toy.law("pretrained") * torch.exp(masked.objective(toy.designs) / (0.5 + beta))
        best = best / best.sum()
    assert float((law - best).abs().sum() / 2) < 0.03


def test_a_gaussian_model_is_refused(gaussian: Any) -> None:
    update = MemoryDistill()
    problem = gaussian.problem()
    with pytest.raises(TypeError, match="MemoryDistill is for masked models"):
        update.step(update.init(gaussian.policy), gaussian.policy, problem, None, Noise.seeded(0, 8))


def test_conditioning_is_refused(masked: Any) -> None:
    update = MemoryDistill()
    with pytest.raises(ValueError, match="takes no conditioning"):
        update.step(update.init(masked.policy), masked.policy, masked.problem(), torch.zeros(8), Noise.seeded(0, 8))


def test_the_memory_grows_and_forgets_nothing(masked: Any) -> None:
    update = MemoryDistill(epochs=1, batch=16)
    state = update.init(masked.policy)
    sizes = []
    for step in range(3):
        update.step(state, masked.policy, masked.problem(), None, Noise.seeded(0, 4).fold_in(step))
        sizes.append(len(state.x))
        assert len(torch.unique(state.x, dim=0)) == len(state.x)
        torch.testing.assert_close(state.objective, masked.problem().objective(state.x))
    assert sizes[0] < sizes[-1]


def test_the_rate_falls_over_a_round(masked: Any) -> None:
    update = MemoryDistill(learning_rate=0.2)
    state = update.init(masked.policy)
    rates = []
    for step in (0, 1, 2):
        state.anneal(step, 2)
        rates.append(state.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2, 0.1, 0.2e-3])


def test_thin_weights_are_flattened(masked: Any) -> None:
    problem = Problem(
        lambda x: 100 * masked.problem().objective(x), (Anchor(ModelPolicy(masked.toy, "pretrained"), 0.1),)
    )
    update = MemoryDistill(epochs=1, batch=16, effective=5)
    seen = update.step(update.init(masked.policy), masked.policy, problem, None, Noise.seeded(0, 64))
    assert seen.extra["effective_samples"] == pytest.approx(5, rel=0.05)
    assert 0 < seen.extra["damping"] < 1


def test_it_holds_a_budget(masked: Any) -> None:
    toy: EnumerableToy = masked.toy
    found = improve(
        masked.policy,
        MemoryDistill(learning_rate=0.1, epochs=10, batch=128, effective=1),
        masked.objective,
        pretrained=ModelPolicy(toy, "pretrained"),
        previous=ModelPolicy(toy, "previous"),
        strength=KLBudget(nats=0.5, beta=0.0, rate=0.25),
        steps=100,
        samples=256,
        seed=0,
    )
    assert found.history[-1].kls[0] == pytest.approx(0.5, abs=0.1)


def test_the_same_noise_gives_the_same_weights(masked: Any) -> None:
    def moved() -> list[Tensor]:
        masked.toy.versions.reset()
        update = MemoryDistill(epochs=2, batch=16)
        update.step(update.init(masked.policy), masked.policy, masked.problem(), None, Noise.seeded(3, 16))
        return [p.detach().clone() for p in masked.policy.parameters()]

    for first, second in zip(moved(), moved(), strict=True):
        assert torch.equal(first, second)
