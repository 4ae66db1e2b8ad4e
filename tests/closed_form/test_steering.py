"""Guidance, SMC and the soft best of n against the tilted law: the latter two tend to it, guidance comes near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import GaussianToy, ModelPolicy
from seiko.models.toy import rank
from seiko.updates import SMC, Anchor, Guidance, Problem, SoftBestOf

STREAMS = 8192


def one_anchor(case: Any) -> Problem[Any]:
    return Problem(case.objective, (Anchor(ModelPolicy(case.toy, "pretrained"), case.alpha),))


def distance(case: Any, x_0: torch.Tensor) -> float:
    """Return the total variation between draws and the tilted law; 8192 exact draws have about .01 here."""
    law, _ = case.optimum()
    share = torch.bincount(rank(x_0, case.toy.vocabulary), minlength=len(law)) / len(x_0)
    return 0.5 * float((share - law).abs().sum())


def start_value(case: Any) -> float:
    return float(case.value().detach())


def test_smc_tends_to_the_enumerated_tilt_as_particles_grow(enumerable_case: Callable[..., Any]) -> None:
    case, found = enumerable_case(), []
    for particles in (4, 32, 512):
        smc = SMC(particles=particles)
        drawn = smc.draw(ModelPolicy(case.toy, "pretrained"), one_anchor(case), None, Noise.seeded(0, STREAMS))
        found.append(distance(case, drawn.x_0))
    print("total variation by particles", found)
    assert found[0] > 2 * found[1] > 2 * found[2]
    assert found[2] < 0.03


@pytest.mark.parametrize(
    "smc",
    [
        SMC(particles=64),
        SMC(particles=64, threshold=0.0),
        SMC(particles=64, threshold=1.0, ladder=0.0),
        SMC(particles=64, guidance=Guidance(completions=16)),
        SMC(particles=64, guidance=Guidance(letters="gradient")),
    ],
    ids=["plain", "never", "always", "guided", "by gradient"],
)
def test_the_normalising_constant_is_right_whatever_proposes_and_looks_ahead(
    enumerable_case: Callable[..., Any], smc: SMC
) -> None:
    case = enumerable_case(length=4)
    drawn = smc.draw(ModelPolicy(case.toy, "pretrained"), one_anchor(case), None, Noise.seeded(1, STREAMS))
    law, value = case.optimum()
    kl = float((law * (law / case.toy.law("pretrained").detach()).log()).sum())
    print(f"C log Z {case.alpha * drawn.log_z:.4f} of {value:.4f}, KL {drawn.kl:.3f} of {kl:.3f}")
    assert case.alpha * drawn.log_z == pytest.approx(value, rel=0.03)
    assert drawn.kl == pytest.approx(kl, rel=0.12)
    assert drawn.mean == pytest.approx(float(law @ case.rewards), rel=0.05)


def test_a_policy_that_is_not_the_pretrained_one_may_propose(enumerable_case: Callable[..., Any]) -> None:
    case = enumerable_case(beta=0.3)  # `previous` is another joint law
    target = replace(case, beta=0.0)
    drawn = SMC(particles=256).draw(ModelPolicy(case.toy, "previous"), one_anchor(case), None, Noise.seeded(0, STREAMS))
    assert distance(target, drawn.x_0) < 0.06
    assert case.alpha * drawn.log_z == pytest.approx(target.optimum()[1], rel=0.03)


def test_moves_correct_a_population_that_is_too_small(enumerable_case: Callable[..., Any]) -> None:
    case, found = enumerable_case(), []
    for moves in (0, 12):
        smc = SMC(particles=4, moves=moves)
        drawn = smc.draw(ModelPolicy(case.toy, "pretrained"), one_anchor(case), None, Noise.seeded(0, STREAMS))
        found.append(distance(case, drawn.x_0))
    print("total variation without and with moves", found)
    assert found[1] < 0.5 * found[0]


def test_the_soft_best_of_n_tends_to_the_enumerated_tilt_as_draws_grow(
    enumerable_case: Callable[..., Any],
) -> None:
    case, found = enumerable_case(), []
    for draws in (2, 8, 32):
        drawn = SoftBestOf(draws=draws).draw(
            ModelPolicy(case.toy, "pretrained"), one_anchor(case), None, Noise.seeded(0, STREAMS)
        )
        found.append(distance(case, drawn.x_0))
        assert case.alpha * drawn.log_z == pytest.approx(case.optimum()[1], rel=0.03)  # unbiased whatever n is
    print("total variation by draws", found)
    assert found[0] > 1.5 * found[1] > 1.5 * 3 * found[2]
    assert found[2] < 0.12


def test_the_law_of_the_soft_best_of_two_and_its_nats_are_their_closed_forms(
    enumerable_case: Callable[..., Any],
) -> None:
    case = enumerable_case()
    prior, weight = case.toy.law("pretrained").detach().double(), (case.rewards / case.alpha).double().exp()
    # p(x) = 2 p_pre(x) E_y[w(x) / (w(x) + w(y))]
    law = 2 * prior * ((weight[:, None] / (weight[:, None] + weight)) @ prior)
    assert float(law.sum()) == pytest.approx(1)
    pretrained = ModelPolicy(case.toy, "pretrained")
    drawn = SoftBestOf(draws=2).draw(pretrained, one_anchor(case), None, Noise.seeded(0, STREAMS))
    share = torch.bincount(rank(drawn.x_0, case.toy.vocabulary), minlength=len(law)) / STREAMS
    assert 0.5 * float((share - law).abs().sum()) < 0.03  # as many exact draws have about .01
    kl = float((law * (law / prior).log()).sum())
    told = [
        SoftBestOf(draws=2).draw(pretrained, one_anchor(case), None, Noise.seeded(seed, 300)).kl for seed in range(20)
    ]
    print(f"KL {kl:.4f}, told {sum(told) / len(told):.4f}, by 300 streams {min(told):.4f} to {max(told):.4f}")
    assert sum(told) / len(told) == pytest.approx(kl, rel=0.08)
    assert max(told) - min(told) < kl


@pytest.mark.parametrize("guidance", [Guidance(), Guidance(letters="gradient")], ids=["completions", "gradient"])
def test_guidance_of_letters_gains_most_of_what_there_is(
    enumerable_case: Callable[..., Any], guidance: Guidance
) -> None:
    case = enumerable_case()
    drawn = guidance.draw(ModelPolicy(case.toy, "pretrained"), one_anchor(case), None, Noise.seeded(0, STREAMS))
    before, best = start_value(case), case.optimum()[1]
    gain = (drawn.mean - case.alpha * drawn.kl - before) / (best - before)
    print(f"{gain:.3f} of the attainable gain, total variation {distance(case, drawn.x_0):.3f}")
    assert (0.9 if guidance.letters == "completions" else 0.6) < gain < 1


@pytest.mark.parametrize("num_steps", [4, 20])
def test_guidance_is_exact_for_a_gaussian_and_a_linear_reward(num_steps: int) -> None:
    # but for the end of the schedule: x_0_hat is the mean of the data, sampling stops a little before
    toy, alpha, weight = GaussianToy.exact(std=0.5, num_steps=num_steps), 0.5, 2.0
    pretrained = ModelPolicy(toy, "pretrained")
    policy = Guidance().guide(pretrained, Problem(lambda x: weight * x[:, 0], (Anchor(pretrained, alpha),)))
    probe = torch.tensor([[0.0], [1.0]])
    mean, variance, kl = torch.zeros(1), torch.ones(1), 0.0
    for k in range(num_steps, 0, -1):
        law, plain = policy.transition(probe, k), pretrained.transition(probe, k)
        kl += float(law.kl(plain)[0])  # the shift is the same at every state
        slope = law.mean[1] - law.mean[0]
        mean, variance = slope * mean + law.mean[0], slope**2 * variance + law.std.flatten()[0] ** 2
    with torch.no_grad():
        plain_mean, plain_variance = (float(value) for value in toy.law("pretrained"))
    tilt = plain_mean + weight / alpha * plain_variance
    best = weight * plain_mean + weight**2 * plain_variance / (2 * alpha)
    print(f"mean {float(mean):.4f} of {tilt:.4f}, J {weight * float(mean) - alpha * kl:.4f} of {best:.4f}")
    assert float(mean) == pytest.approx(tilt, rel=0.005)
    assert float(variance) == pytest.approx(plain_variance, rel=1e-4)
    assert weight * float(mean) - alpha * kl == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("eta", [1.0, 0.5])
def test_smc_reaches_the_gaussian_tilt_also_with_a_memory(gaussian_case: Callable[..., Any], eta: float) -> None:
    # it weights whole paths, their start included: a process need not be memoryless
    case = gaussian_case(eta=eta)
    drawn = SMC(particles=4096, moves=4).draw(
        ModelPolicy(case.toy, "pretrained"), one_anchor(case), None, Noise.seeded(0, STREAMS)
    )
    mean, variance = case.optimum()
    best = case.weight * float(case.toy.law("pretrained")[0]) + case.weight**2 * variance / (2 * case.alpha)
    print(f"mean {float(drawn.x_0.mean()):.4f} of {mean:.4f}, C log Z {case.alpha * drawn.log_z:.4f} of {best:.4f}")
    assert float(drawn.x_0.mean()) == pytest.approx(mean, rel=0.05)
    assert float(drawn.x_0.var()) == pytest.approx(variance, rel=0.06)
    assert case.alpha * drawn.log_z == pytest.approx(best, rel=0.05)
