from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import GaussianTransition, Noise
from seiko.models import ModelPolicy
from seiko.updates import SQDF, Anchor, DirectBackprop, LearnedStart, Problem, UpdateState


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"discount": 0.0}, r"discount must lie in \(0, 1\], got 0"),
        ({"discount": 1.1}, r"discount must lie in \(0, 1\], got 1.1"),
        ({"share": 0.0}, r"share must lie in \(0, 1\], got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"outside": -1}, "outside must be a number of steps of at least 0, got -1"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SQDF(**wrong)


def test_a_masked_model_is_refused_with_the_way_out(masked: Any) -> None:
    update: Any = SQDF()
    with pytest.raises(TypeError, match="use PPO or Distill"):
        update.step(update.init(masked.policy), masked.policy, masked.problem(), None, Noise.seeded(0, 4))


def test_a_learned_start_is_refused_with_the_way_out(gaussian: Any) -> None:
    with pytest.raises(TypeError, match="use DirectBackprop or AdjointMatching"):
        SQDF().init(LearnedStart.learn(gaussian.policy))


def test_a_law_that_does_not_say_what_it_predicts_is_refused(gaussian: Any) -> None:
    class Bare(ModelPolicy[Any]):
        def transition(self, x_t: torch.Tensor, k: Any, conditioning: Any = None) -> GaussianTransition:
            law = super().transition(x_t, k)
            return GaussianTransition(law.mean, law.std)

    update = SQDF()
    problem = Problem(gaussian.objective, (Anchor(Bare(gaussian.toy, "pretrained"), 0.5),))
    with pytest.raises(TypeError, match="return a DenoisingTransition"):
        update.step(update.init(gaussian.policy), gaussian.policy, problem, None, Noise.seeded(0, 4))


def gradients(gaussian: Any, update: Any) -> torch.Tensor:
    state = UpdateState(torch.optim.SGD(gaussian.policy.parameters(), lr=0.0))
    update.step(state, gaussian.policy, gaussian.problem(0.5, 0.0), None, Noise.seeded(0, 64))
    gradient: torch.Tensor = gaussian.policy.parameters()[1].grad.flatten().clone()
    return gradient


def test_the_last_step_has_the_gradient_of_the_problem_and_the_others_nearly(gaussian: Any) -> None:
    ours, exact = (gradients(gaussian, u) for u in (SQDF(max_grad_norm=1e9), DirectBackprop(max_grad_norm=1e9)))
    assert float(ours[0]) == pytest.approx(float(exact[0]), rel=1e-4)
    # for a linear objective the prediction's slope is that of the rest of the chain, but for where sampling stops
    torch.testing.assert_close(ours, exact, rtol=0.005, atol=0)


def test_a_discount_counts_the_steps_that_are_to_come(gaussian: Any) -> None:
    plain, discounted = (gradients(gaussian, SQDF(discount=d, max_grad_norm=1e9)) for d in (1.0, 0.5))
    torch.testing.assert_close(discounted / plain, torch.tensor([1.0, 0.5, 0.25]))


def test_a_step_reports_the_policy_before_it(gaussian: Any) -> None:
    update = SQDF(learning_rate=0.05)
    state = update.init(gaussian.policy)
    seen = [
        update.step(state, gaussian.policy, gaussian.problem(0.2), None, Noise.seeded(0, 64).fold_in(step))
        for step in range(25)
    ]
    assert seen[0].kls == pytest.approx((0, 0), abs=1e-6)
    assert seen[-1].value > seen[0].value + 0.2


def test_the_kl_of_the_learnt_steps_estimates_that_of_all(gaussian: Any) -> None:
    with torch.no_grad():
        gaussian.policy.parameters()[1].add_(0.3)
    frozen = UpdateState(torch.optim.SGD(gaussian.policy.parameters(), lr=0.0))

    def kl(update: SQDF, seed: int) -> float:
        problem = gaussian.problem(0.2)
        return update.step(frozen, gaussian.policy, problem, None, Noise.seeded(seed, 64)).kls[0]

    exact = [kl(SQDF(), seed) for seed in range(30)]
    for outside in (0, 1):
        found = [kl(SQDF(share=0.34, outside=outside), seed) for seed in range(30)]
        assert found != pytest.approx(exact, rel=1e-3)
        assert sum(found) / 30 == pytest.approx(sum(exact) / 30, rel=0.25)
    assert kl(SQDF(share=0.34, outside=99), 0) == pytest.approx(exact[0])
    assert kl(SQDF(share=0.34), 0) == pytest.approx(exact[0])


def test_states_serve_again_in_every_epoch(gaussian: Any) -> None:
    """The reward and the KL reported are those before the first epoch; more epochs go further."""
    start = [p.detach().clone() for p in gaussian.policy.parameters()]
    moved = []
    for epochs in (1, 4):
        with torch.no_grad():
            for p, value in zip(gaussian.policy.parameters(), start, strict=True):
                p.copy_(value)
        update = SQDF(learning_rate=0.01, epochs=epochs)
        seen = update.step(update.init(gaussian.policy), gaussian.policy, gaussian.problem(), None, Noise.seeded(0, 64))
        assert seen.kls[0] == pytest.approx(0, abs=1e-6)
        moved.append(float((gaussian.policy.parameters()[1].detach() - start[1]).abs().mean()))
    assert moved[1] > 2 * moved[0] > 0
