"""Keep a KL budget as a promise: where dual ascent left the model beyond it, go back part of the way.

    weights(share) = pretrained + share * (current - pretrained),      KL(share) <= nats by bisection

Dual ascent holds the KL near the budget, with noise; what is reported and saved must not exceed it.

References:
    Wortsman et al., "Robust fine-tuning of zero-shot models", 2022, https://arxiv.org/abs/2109.01903 (the straight line
    between pretrained and tuned weights).
"""

from __future__ import annotations

import torch

from seiko.diffusion import Noise, Transition, path_kl, rollout
from seiko.models import DiffusionModel, ModelPolicy

__all__ = ["land"]

HALVINGS = 6


@torch.no_grad()
def land(model: DiffusionModel[Transition], nats: float, samples: int, seed: int) -> float:
    """Bring the current version within a KL budget.

    Args:
        model: Its current version is moved towards the pretrained one if its path KL exceeds the budget.
        nats: The budget.
        samples: Trajectories from which each KL is estimated.
        seed: Seeds them; the same for each candidate.

    Returns:
        The share of the way from the pretrained weights that is kept; 1 if the budget was kept.
    """
    versions = model.versions
    if versions is None:
        return 1.0

    def kl() -> float:
        trajectory = rollout(ModelPolicy(model), None, Noise.seeded(seed, samples))
        return float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean())

    if kl() <= nats:
        return 1.0
    current = versions.state_dict()
    versions.reset()
    pretrained = versions.state_dict()
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        versions.load_state_dict({k: torch.lerp(pretrained[k], current[k], middle) for k in current})
        low, high = (middle, high) if kl() <= nats else (low, middle)
    versions.load_state_dict({k: torch.lerp(pretrained[k], current[k], low) for k in current})
    return low
