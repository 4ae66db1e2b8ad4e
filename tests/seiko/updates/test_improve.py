from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.updates import PPO, DirectBackprop, FixedStrength, Improvement, KLBudget, StepReport, improve

PLAIN = PPO()


def run(setting: Any, update: Any = PLAIN, **more: Any) -> Improvement:
    arguments: dict[str, Any] = {"strength": FixedStrength(alpha=0.3, beta=0.1), "steps": 4, "samples": 16, "seed": 0}
    return improve(
        setting.policy,
        update,
        setting.objective,
        pretrained=setting.pretrained,
        previous=setting.previous,
        **{**arguments, **more},
    )


def test_every_step_is_reported_with_the_next_alpha(setting: Any) -> None:
    seen: list[tuple[int, StepReport, float]] = []
    ended = run(setting, report=lambda step, report, alpha: seen.append((step, report, alpha)))
    assert [step for step, *_ in seen] == [1, 2, 3, 4]
    assert tuple(report for _, report, _ in seen) == ended.history
    assert (ended.steps, ended.alpha, ended.beta) == (4, 0.3, 0.1)


def test_the_seed_says_everything(setting: Any) -> None:
    histories, start = [], setting.toy.versions.state_dict()
    for seed in (0, 0, 1):
        setting.toy.versions.load_state_dict(start)
        histories.append(run(setting, seed=seed).history)
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]


def test_each_step_draws_anew(setting: Any) -> None:
    objectives = [report.objective for report in run(setting, PPO(learning_rate=1e-12)).history]
    assert len(set(objectives)) == 4


def test_a_given_alpha_replaces_the_start(gaussian: Any) -> None:
    strength = KLBudget(nats=1.0, alpha=0.5, rate=0.05)
    assert run(gaussian, strength=strength, alpha=2.0, steps=1).alpha == pytest.approx(2.0 * 0.951229, rel=1e-4)
    assert run(gaussian, strength=strength, steps=1).alpha == pytest.approx(0.5 * 0.951229, rel=1e-4)


def test_no_steps_change_nothing(setting: Any) -> None:
    before = setting.weights()
    ended = run(setting, steps=0)
    assert ended.history == ()
    assert all(torch.equal(now, then) for now, then in zip(setting.weights(), before, strict=True))


def test_a_policy_without_parameters_is_refused_with_its_reason(gaussian: Any) -> None:
    with pytest.raises(ValueError, match="only version 'current' can be updated"):
        improve(
            gaussian.pretrained,
            PPO(),
            gaussian.objective,
            pretrained=gaussian.pretrained,
            previous=gaussian.previous,
            strength=FixedStrength(),
            steps=1,
            samples=2,
            seed=0,
        )


@pytest.mark.parametrize(("nats", "learning_rate"), [(0.3, 0.02), (1.0, 0.05)])
def test_a_budget_is_held_on_a_masked_model(masked: Any, nats: float, learning_rate: float) -> None:
    strength = KLBudget(nats=nats, beta=0.0, alpha=1.0, rate=0.05, damping=1.0)
    ended = run(masked, PPO(learning_rate=learning_rate), strength=strength, steps=160, samples=128)
    reached = float(masked.toy.path_kl("current", "pretrained").detach())
    print(f"budget {nats}, reached {reached:.3f} at alpha {ended.alpha:.3f}")
    assert reached == pytest.approx(nats, rel=0.05)
    assert sum(report.kls[0] for report in ended.history[-30:]) / 30 == pytest.approx(nats, rel=0.05)
    # alpha has found the multiplier: the closed form at that alpha has that KL
    law = masked.toy.law("pretrained").detach()
    tilted, _ = masked.toy.tilted(masked.objective(masked.toy.designs), [(law, ended.alpha)])
    assert float((tilted * (tilted / law).log()).sum()) == pytest.approx(nats, rel=0.15)


def test_a_budget_is_held_on_a_gaussian_model(gaussian: Any) -> None:
    strength = KLBudget(nats=1.0, beta=0.0, alpha=1.0, rate=0.1, damping=1.0)
    run(gaussian, DirectBackprop(learning_rate=0.03), strength=strength, steps=140, samples=64)
    assert float(gaussian.toy.path_kl("current", "pretrained").detach()) == pytest.approx(1.0, rel=0.05)


def test_a_budget_that_the_objective_cannot_use_leaves_an_anchor(gaussian: Any) -> None:
    flat = type(gaussian)(gaussian.toy, lambda x: 0 * x[:, 0])
    ended = run(flat, strength=KLBudget(nats=1.0, rate=1.0, damping=1.0, least=0.05), steps=10)
    assert ended.alpha == pytest.approx(0.05)


def test_one_anchor_where_the_previous_policy_is_the_pretrained_one(gaussian: Any) -> None:
    """alpha KL(p || q) + beta KL(p || q) = (alpha + beta) KL(p || q), and q is asked once."""
    found, start, pretrained = [], gaussian.toy.versions.state_dict(), gaussian.pretrained
    for previous in (gaussian.previous, pretrained):
        gaussian.toy.versions.load_state_dict(start)
        gaussian.toy.versions.remember()
        ended = improve(
            gaussian.policy, DirectBackprop(), gaussian.objective, pretrained=pretrained, previous=previous,
            strength=FixedStrength(alpha=0.3, beta=0.1), steps=3, samples=16, seed=0,
        )  # fmt: skip
        found.append(ended.history[-1])
    assert [len(report.kls) for report in found] == [2, 1]
    assert found[1].value == pytest.approx(found[0].value, rel=1e-5)
    assert found[1].objective == pytest.approx(found[0].objective, rel=1e-5)
