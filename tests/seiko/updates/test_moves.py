from __future__ import annotations

from typing import Any

import torch

from seiko.diffusion import Noise, rollout
from seiko.models.toy import rank
from seiko.updates.moves import refill, turn

SAMPLES = 6000


def exact(masked: Any, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw from the tilted law itself."""
    toy, rewards = masked.toy, masked.objective(masked.toy.designs)
    law, _ = toy.tilted(rewards, [(toy.law("pretrained").detach(), temperature)])
    rows = torch.multinomial(law, SAMPLES, replacement=True, generator=torch.Generator().manual_seed(0))
    return toy.designs[rows], law


def distance(x: torch.Tensor, law: torch.Tensor) -> float:
    return 0.5 * float((torch.bincount(rank(x, 3), minlength=27) / len(x) - law).abs().sum())


def moved(masked: Any, x: torch.Tensor, moves: int, **more: Any) -> torch.Tensor:
    reward = masked.objective(x)
    free = more.pop("free", torch.ones_like(x, dtype=torch.bool))
    with torch.no_grad():
        for move in range(moves):
            noise = Noise.seeded(move, len(x))
            x, reward, share = refill(
                masked.pretrained, masked.objective, 1.0, x, reward, free, 3, None, noise, more.get("rates", (0.2, 0.7))
            )
            assert 0 < share <= 1
    assert torch.equal(reward, masked.objective(x))
    return x


def test_refills_keep_the_tilted_law(masked: Any) -> None:
    x, law = exact(masked, 1.0)
    after = moved(masked, x, 5)
    assert float((after != x).any(1).float().mean()) > 0.5
    assert distance(after, law) < 0.03


def test_refills_reach_the_tilted_law_from_one_design(masked: Any) -> None:
    _, law = exact(masked, 1.0)
    x = torch.zeros(SAMPLES, 3, dtype=torch.int64)
    assert distance(x, law) > 0.9
    assert distance(moved(masked, x, 30), law) < 0.04


def test_positions_that_are_not_free_stay(masked: Any) -> None:
    x, _ = exact(masked, 1.0)
    free = torch.tensor([True, False, True]).expand_as(x)
    after = moved(masked, x, 5, free=free)
    assert torch.equal(after[:, 1], x[:, 1])
    assert not torch.equal(after[:, 0], x[:, 0])
    nothing = moved(masked, x, 1, free=torch.zeros_like(free))
    assert torch.equal(nothing, x)


def test_turning_keeps_the_tilted_law_and_reaches_it(gaussian: Any) -> None:
    # mean 2 / 0.5 * variance, variance as before: A = 2 x on a Gaussian
    with torch.no_grad():
        mean, variance = (float(value) for value in gaussian.toy.law("pretrained"))
        path = list(rollout(gaussian.pretrained, None, Noise.seeded(0, SAMPLES)).states)
        reward = gaussian.objective(path[-1])
        for move in range(60):
            noise = Noise.seeded(move + 1, SAMPLES)
            path, reward, share = turn(
                gaussian.pretrained, gaussian.objective, 0.5, path, reward, None, noise, (0.3, 1.0)
            )
            assert 0 < share < 1
    assert abs(float(path[-1].mean()) - (mean + 4 * variance)) < 0.015
    assert abs(float(path[-1].var()) / variance - 1) < 0.06
    assert torch.equal(reward, gaussian.objective(path[-1]))
    # the path is one of the chain: its last noise is standard
    law = gaussian.pretrained.transition(path[-2], 1)
    assert float(((path[-1] - law.mean) / law.std).std()) < 1.1


def test_a_sample_moves_alike_whatever_the_batch(gaussian: Any, masked: Any) -> None:
    x, _ = exact(masked, 1.0)
    x = x[:20]
    noise = Noise.seeded(0, 20)
    free = torch.ones_like(x, dtype=torch.bool)

    def one(rows: slice) -> torch.Tensor:
        with torch.no_grad():
            return refill(
                masked.pretrained, masked.objective, 0.5, x[rows], masked.objective(x[rows]), free[rows], 3, None,
                noise[rows], (0.2, 0.7),
            )[0]  # fmt: skip

    assert torch.equal(torch.cat([one(slice(0, 7)), one(slice(7, 20))]), one(slice(0, 20)))
