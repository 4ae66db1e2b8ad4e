"""Keep a KL budget as a promise: a line search from the pretrained weights through the current ones.

    weights(share) = pretrained + share * (current - pretrained),      KL(share) = nats, share <= 1.5

The root of the KL is nearly linear in the share, so that a secant search takes two or three looks at the model.
Dual ascent holds the KL near the budget, with noise. Beyond the budget the model goes back part of the way, always;
short of it, it goes on in the same direction, if the objective rises by that.

References:
    Wortsman et al., "Robust fine-tuning of zero-shot models", 2022, https://arxiv.org/abs/2109.01903 (the straight line
    between pretrained and tuned weights).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seiko.campaign.prompts import Conditioner
from seiko.campaign.sampler import at_a_time
from seiko.diffusion import Noise, Transition, path_kl, rollout
from seiko.models import DiffusionModel, ModelPolicy
from seiko.updates import given

__all__ = ["land"]

TRIES = 6
FARTHEST = 1.5
NEAR = 0.96  # of the budget: near enough


@torch.no_grad()
def land(
    model: DiffusionModel[Transition],
    objective: Callable[[Tensor], Tensor],
    nats: float,
    samples: int,
    seed: int,
    conditioner: Conditioner | None = None,
) -> float:
    """Bring the current version onto a KL budget.

    Args:
        model: Its current version is moved on the line through the pretrained weights.
        objective: What more KL must buy, of final states.
        nats: The budget.
        samples: Trajectories from which each KL is estimated.
        seed: Seeds them; the same for each candidate.
        conditioner: What is drawn for.

    Returns:
        The share of the way from the pretrained weights: below 1 if the budget was exceeded, above 1 if it was not
        used up and the objective gains by going on, else 1.
    """
    versions = model.versions
    if versions is None:
        return 1.0
    current = versions.state_dict()
    versions.reset()
    pretrained = versions.state_dict()

    streams = Noise.seeded(seed, samples)

    def look(share: float) -> tuple[float, float]:
        """Return KL and mean objective at a share of the way."""
        versions.load_state_dict({k: torch.lerp(pretrained[k], current[k], share) for k in current})
        kls, values = [], []
        for i in range(0, samples, at_a_time(model)):
            noise = streams[i : i + at_a_time(model)]
            rows = None if conditioner is None else conditioner(noise)
            trajectory = rollout(ModelPolicy(model), rows, noise)
            kls.append(path_kl(trajectory, ModelPolicy(model, "pretrained")))
            values.append(given(objective, rows)(trajectory.x_0))
        return float(torch.cat(kls).mean()), float(torch.cat(values).mean())

    kl, value = look(1.0)
    if NEAR * nats <= kl <= nats:
        best = 1.0
    else:
        # (share, root of the KL) of the nearest looks on both sides of the budget
        low, high = ((0.0, 0.0), (1.0, kl**0.5)) if kl > nats else ((1.0, kl**0.5), None)
        reached = value
        for attempt in range(4 * TRIES):
            if attempt >= TRIES and low[0] > 0:  # beyond them only while all that was found would undo the round
                break
            share = _next(low, high, ((1 + NEAR) / 2 * nats) ** 0.5)
            found, gained = look(share)
            if found > nats:
                high = (share, found**0.5)
                continue
            low, reached = (share, found**0.5), gained
            if found >= NEAR * nats or share == FARTHEST:
                break
        best = low[0] if kl > nats or reached > value else 1.0
    versions.load_state_dict({k: torch.lerp(pretrained[k], current[k], best) for k in current})
    return best


def _next(low: tuple[float, float], high: tuple[float, float] | None, root: float) -> float:
    """Return the share at which the root of the KL is to be expected, well inside of what is known."""
    (start, at_start), (end, at_end) = low, high or low
    if high is None:
        return min(start * root / max(at_start, 1e-6), FARTHEST)
    inside = (root - at_start) / max(at_end - at_start, 1e-6)
    return start + min(max(inside, 0.1), 0.9) * (end - start)
