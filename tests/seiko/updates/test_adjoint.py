from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise, rollout
from seiko.models import GaussianToy, ModelPolicy
from seiko.updates import AdjointMatching, DirectBackprop, NotMemorylessWarning, Problem, UpdateState


def shifted(gaussian: Any) -> Any:
    """Move `previous` away in slopes and offsets, and `current` further, so that all three versions differ."""
    for _ in range(2):
        with torch.no_grad():
            slope, offset = gaussian.policy.parameters()
            slope.mul_(0.9)
            offset.add_(torch.tensor([[0.1], [0.0], [-0.2]]))
        if not gaussian.toy.versions._anchors["previous"]["slope"].equal(slope):
            gaussian.toy.versions.remember()
    return gaussian


def gradient(update: Any, gaussian: Any, problem: Problem[Any], samples: int = 64) -> list[torch.Tensor]:
    state = UpdateState(torch.optim.SGD(gaussian.policy.parameters(), lr=0.0))
    update.step(state, gaussian.policy, problem, None, Noise.seeded(0, samples))
    return [p.grad.clone() for p in gaussian.policy.parameters()]


@pytest.mark.parametrize("share", [0.0, 1.5, math.nan])
def test_a_share_that_does_not_exist_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must lie in \(0, 1\], got"):
        AdjointMatching(share=share)


def test_a_masked_model_is_refused_with_the_way_out(masked: Any) -> None:
    update: Any = AdjointMatching()
    state = update.init(masked.policy)
    with pytest.raises(
        TypeError, match=r"needs Gaussian steps, this policy's are MaskedTransition: use PPO or Distill"
    ):
        update.step(state, masked.policy, masked.problem(), None, Noise.seeded(0, 4))


def test_an_objective_without_a_gradient_is_refused_with_the_way_out(gaussian: Any) -> None:
    problem = Problem(lambda x: (x[:, 0] > 0).float(), gaussian.problem().anchors)
    update = AdjointMatching()
    with pytest.raises(TypeError, match="no gradient in the states: use PPO, Distill or SMC"):
        update.step(update.init(gaussian.policy), gaussian.policy, problem, None, Noise.seeded(0, 4))


def test_a_process_with_a_memory_and_a_policy_that_cannot_move_are_told() -> None:
    toy = GaussianToy.exact(num_steps=3, eta=0.5)
    with pytest.warns(NotMemorylessWarning, match="not memoryless"):
        AdjointMatching().init(ModelPolicy(toy))
    with pytest.raises(ValueError, match="only version 'current' can be updated"):
        AdjointMatching().init(ModelPolicy(toy, "pretrained"))


def test_the_adjoint_of_one_anchor_is_carried_by_its_slopes(gaussian: Any) -> None:
    trajectory = rollout(gaussian.policy, None, Noise.seeded(0, 5))
    with torch.no_grad():
        slopes = [float(slope) for slope, _, _ in gaussian.toy.steps("pretrained")]
    objective, adjoints = AdjointMatching.adjoints(trajectory, gaussian.problem(0.5, 0.0))
    assert torch.equal(objective, gaussian.objective(trajectory.x_0))
    carried = [2 * slopes[1] * slopes[2], 2 * slopes[2], 2.0]
    for adjoint, expected in zip(adjoints, carried, strict=True):
        torch.testing.assert_close(adjoint, torch.full((5, 1), expected))


def test_the_adjoint_of_two_anchors_is_that_of_the_value_by_hand(gaussian: Any) -> None:
    # m = (alpha m_a + beta m_b) / C, D = alpha beta / C |m_a - m_b|² / (2 std²): both linear or quadratic in x_t
    gaussian = shifted(gaussian)
    alpha, beta = 0.5, 0.3
    trajectory = rollout(gaussian.policy, None, Noise.seeded(0, 5))
    _, adjoints = AdjointMatching.adjoints(trajectory, gaussian.problem(alpha, beta))
    with torch.no_grad():
        steps = list(zip(gaussian.toy.steps("pretrained"), gaussian.toy.steps("previous"), strict=True))
    adjoint = torch.full((5, 1), 2.0)
    torch.testing.assert_close(adjoints[2], adjoint)
    for i in (2, 1):
        (slope_a, offset_a, std), (slope_b, offset_b, _) = steps[i]
        gap = (slope_a - slope_b) * trajectory.states[i] + offset_a - offset_b
        slope = (alpha * slope_a + beta * slope_b) / (alpha + beta)
        adjoint = slope * adjoint - alpha * beta / (alpha + beta) * (slope_a - slope_b) * gap / std**2
        torch.testing.assert_close(adjoints[i - 1], adjoint)
    assert float((adjoints[0] - 2 * slope).abs().max()) > 0.01  # the disagreement matters here


def test_a_coefficient_of_zero_is_an_anchor_that_is_not_there(gaussian: Any) -> None:
    gaussian = shifted(gaussian)
    one = Problem(gaussian.objective, gaussian.problem(0.5, 0.0).anchors[:1])
    trajectory = rollout(gaussian.policy, None, Noise.seeded(0, 5))
    for with_it, without in zip(
        AdjointMatching.adjoints(trajectory, gaussian.problem(0.5, 0.0))[1],
        AdjointMatching.adjoints(trajectory, one)[1],
        strict=True,
    ):
        assert torch.equal(with_it, without)


def test_the_last_step_has_the_gradient_of_the_problem(gaussian: Any) -> None:
    # there is no chain left behind x_0: the lean adjoint is the full one, and so is its regression's gradient
    gaussian = shifted(gaussian)
    update, exact = AdjointMatching(max_grad_norm=1e9), DirectBackprop(window=1, max_grad_norm=1e9)
    ours, theirs = (gradient(u, gaussian, gaussian.problem(0.5, 0.3)) for u in (update, exact))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a[0], b[0])


def test_a_share_of_the_steps_has_the_same_gradient_on_average(gaussian: Any) -> None:
    whole = gradient(AdjointMatching(max_grad_norm=1e9), gaussian, gaussian.problem())[1]
    parts = []
    state = UpdateState(torch.optim.SGD(gaussian.policy.parameters(), lr=0.0))
    for seed in range(150):
        update = AdjointMatching(share=0.34, max_grad_norm=1e9)
        update.step(state, gaussian.policy, gaussian.problem(), None, Noise.seeded(seed, 8))
        parts.append(gaussian.policy.parameters()[1].grad.clone())
        assert int((parts[-1].abs() > 0).sum()) == 1
    torch.testing.assert_close(torch.stack(parts).mean(0), whole, rtol=0.35, atol=0.02)


def test_a_step_reports_the_policy_before_it_and_leaves_the_anchors(gaussian: Any) -> None:
    noise, update = Noise.seeded(0, 64), AdjointMatching(learning_rate=0.05)
    expected = gaussian.objective(rollout(gaussian.policy, None, noise).x_0)
    before = rollout(gaussian.pretrained, None, noise).x_0
    state = update.init(gaussian.policy)
    seen = update.step(state, gaussian.policy, gaussian.problem(), None, noise)
    assert seen.objective == pytest.approx(float(expected.mean()), abs=1e-5)
    assert seen.kls == pytest.approx((0, 0), abs=1e-6)
    assert min(update.step(state, gaussian.policy, gaussian.problem(), None, noise).kls) > 0
    assert torch.equal(rollout(gaussian.pretrained, None, noise).x_0, before)


def test_a_gradient_that_is_not_finite_is_never_applied(gaussian: Any) -> None:
    before, update = gaussian.weights(), AdjointMatching()
    broken = Problem(lambda x: gaussian.objective(x) * math.nan, gaussian.problem().anchors)
    with pytest.raises(FloatingPointError, match="the gradient is not finite"):
        update.step(update.init(gaussian.policy), gaussian.policy, broken, None, Noise.seeded(0, 16))
    assert all(torch.equal(now, then) for now, then in zip(gaussian.weights(), before, strict=True))


PROGRAM = """
from seiko.diffusion import GaussianTransition, MaskedTransition, Noise, Policy
from seiko.updates import AdjointMatching, Problem, UpdateState, improve, FixedStrength

def gaussian(p: Policy[GaussianTransition], problem: Problem[GaussianTransition], s: UpdateState, n: Noise) -> None:
    AdjointMatching().step(s, p, problem, None, n)

def masked(p: Policy[MaskedTransition], problem: Problem[MaskedTransition], s: UpdateState, n: Noise) -> None:
    AdjointMatching().step(s, p, problem, None, n)

def loop(p: Policy[MaskedTransition]) -> None:
    improve(p, AdjointMatching(), lambda x: x, pretrained=p, previous=p, strength=FixedStrength(), steps=1, samples=1,
            seed=0)
"""


@pytest.mark.slow
def test_a_masked_model_is_refused_by_the_type_checker(tmp_path: Any) -> None:
    api = pytest.importorskip("mypy.api")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    found, _, _ = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(program)])
    lines = {int(line.split(":")[1]) for line in found.splitlines() if "error" in line and "program.py" in line}
    assert 6 not in lines
    assert 9 in lines
    assert lines & {12, 13}
