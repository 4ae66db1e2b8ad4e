"""Keep a KL budget as a promise: a line search from the pretrained weights through the current ones.

    weights(share) = pretrained + share * (current - pretrained),      KL(share) = nats by bisection, share <= 1.5

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

from seiko.diffusion import Noise, Transition, path_kl, rollout
from seiko.models import DiffusionModel, ModelPolicy

__all__ = ["land"]

HALVINGS = 6
FARTHEST = 1.5


@torch.no_grad()
def land(
    model: DiffusionModel[Transition],
    objective: Callable[[Tensor], Tensor],
    nats: float,
    samples: int,
    seed: int,
) -> float:
    """Bring the current version onto a KL budget.

    Args:
        model: Its current version is moved on the line through the pretrained weights.
        objective: What more KL must buy, at decoded states.
        nats: The budget.
        samples: Trajectories from which each KL is estimated.
        seed: Seeds them; the same for each candidate.

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

    def look(share: float) -> tuple[float, float]:
        """Return KL and mean objective at a share of the way."""
        versions.load_state_dict({k: torch.lerp(pretrained[k], current[k], share) for k in current})
        trajectory = rollout(ModelPolicy(model), None, Noise.seeded(seed, samples))
        kl = path_kl(trajectory, ModelPolicy(model, "pretrained"))
        return float(kl.mean()), float(objective(model.decode(trajectory.x_0)).mean())

    kl, value = look(1.0)
    low, high = (0.0, 1.0) if kl > nats else (1.0, FARTHEST)
    best = low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if look(middle)[0] <= nats else (low, middle)
    if kl > nats or look(low)[1] > value:
        best = low
    versions.load_state_dict({k: torch.lerp(pretrained[k], current[k], best) for k in current})
    return best
