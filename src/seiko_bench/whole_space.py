"""A finished run judged over every design of its space: the exact law of its model, the coverage of its belief."""

from __future__ import annotations

from typing import Any

import torch

from seiko.campaign import Campaign
from seiko.models import ModelPolicy
from seiko_bench.exact import correlation, coverage, law
from seiko_bench.theory_ground import Ground
from seiko_bench.theory_judge import BLOCK, NOMINAL

__all__ = ["whole_space"]


def whole_space(campaign: Campaign, ground: Ground) -> dict[str, Any]:
    """Return what the last model and belief of a run are worth over all designs.

    Args:
        campaign: A finished run whose update moved weights.
        ground: The space that its model and oracle live on.

    Returns:
        exact_mean: E_p[r] under the model's law p of x_0.
        exact_kl: KL(p || p_pre) of these laws, nats; below the path KL.
        share: (J(p) - J(p_pre)) / (J(p*) - J(p_pre)) with J(p) = E_p[r] - alpha KL(p || p_pre), alpha that of the
            optimum at 4 nats.
        coverage_space: Share of all designs within mean ± 1.96 std of the belief.
        correlation: Of the belief's mean with r, over all designs.
    """
    belief = campaign.belief()  # fitted again if the run was finished by another process
    assert belief is not None, "a run that fitted nothing cannot be judged"
    current = law(ModelPolicy(campaign.model))
    with torch.no_grad():
        parts = [belief.posterior(x) for x in torch.split(ground.designs, BLOCK)]
    mean, std = (torch.cat([getattr(part, name) for part in parts]).double() for name in ("mean", "std"))
    return {
        "exact_mean": float(current @ ground.reward),
        "exact_kl": ground.kl(current),
        "share": ground.share(current),
        "coverage_space": coverage(mean, NOMINAL * std, ground.reward),
        "correlation": correlation(mean, ground.reward),
    }
