"""The one table: what each update and each steering reaches of the Gaussian toy's optimum, and in how many seconds.

A(x) = 2 x, four steps, alpha = .5; with two anchors beta = .3. For an update the second anchor is another model; for
steering it is another tilt of the pretrained law, folded into the objective. J is exact but for SMC's, whose law is
known by its draws alone: there mean and variance of 8192 draws stand for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import ModelPolicy
from seiko.updates import PPO, SMC, SQDF, AdjointMatching, DirectBackprop, Distill, Guidance, SoftBestOf, fold

UPDATES = [
    (DirectBackprop(learning_rate=0.05), 60, 64),
    (DirectBackprop(learning_rate=0.05, window=(1, 4)), 120, 64),
    (AdjointMatching(learning_rate=0.05), 60, 64),
    (SQDF(learning_rate=0.05), 60, 64),
    (PPO(learning_rate=0.05), 100, 256),
    (Distill(learning_rate=0.05), 100, 256),
]


def name(update: Any) -> str:
    window = getattr(update, "window", None)
    return type(update).__name__ + (f" {window}" if window else "")


@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize(("update", "steps", "samples"), UPDATES, ids=[name(update) for update, *_ in UPDATES])
def test_every_update_reaches_the_optimum(
    gaussian_case: Callable[..., Any], update: Any, steps: int, samples: int, beta: float
) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    started = time.process_time()
    case.solve(update, steps=steps, samples=samples)
    seconds = time.process_time() - started
    mean, variance, value = case.reached()
    best_mean, best_variance = case.optimum()
    gain = (value - before) / (case.optimal_value() - before)
    print(f"{name(update):24} beta {beta}: {gain:.3f} of the attainable gain in J, {seconds:.1f} s")
    assert gain > 0.98
    assert mean == pytest.approx(best_mean, rel=0.02)
    assert variance == pytest.approx(best_variance, rel=0.05)


@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize(
    "steering",
    [Guidance(), SMC(particles=1024), SMC(particles=64, guidance=Guidance()), SoftBestOf(draws=128)],
    ids=["guidance", "smc", "both", "best-of"],
)
def test_every_steering_reaches_the_optimum(gaussian_case: Callable[..., Any], steering: Any, beta: float) -> None:
    case = gaussian_case()
    pretrained = ModelPolicy(case.toy, "pretrained")
    slope = 0.5  # of the previous tilt, B(x) = x / 2: its law has its mean shifted by half the variance
    problem = fold(case.objective, pretrained, case.alpha, beta, previous=lambda x: slope * x[:, 0])
    started = time.process_time()
    drawn = steering.draw(pretrained, problem, None, Noise.seeded(0, 8192))
    seconds = time.process_time() - started
    with torch.no_grad():
        plain_mean, plain_variance = (float(value) for value in case.toy.law("pretrained"))
    # an independent way to the optimum: the product of the two anchors' densities
    anchors = [(plain_mean, case.alpha), (plain_mean + slope * plain_variance, beta)]
    best_mean, best_variance = case.toy.tilted(
        torch.tensor([case.weight]),
        [(torch.tensor([m]), torch.tensor([plain_variance]), c) for m, c in anchors],
    )
    mean, variance = float(drawn.x_0.mean()), float(drawn.x_0.var())

    def value(mean: float, variance: float) -> float:
        spread = variance / plain_variance - 1 - float(torch.tensor(variance / plain_variance).log())
        kls = [0.5 * ((mean - m) ** 2 / plain_variance + spread) for m, _ in anchors]
        return case.weight * mean - case.alpha * kls[0] - beta * kls[1]

    before, best = value(plain_mean, plain_variance), value(float(best_mean), float(best_variance))
    gain = (value(mean, variance) - before) / (best - before)
    print(f"{name(steering):24} beta {beta}: {gain:.3f} of the attainable gain in J, {seconds:.1f} s")
    assert gain > 0.98
    assert mean == pytest.approx(float(best_mean), rel=0.04)
    assert variance == pytest.approx(float(best_variance), rel=0.1)
