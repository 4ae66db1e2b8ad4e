"""One finished round against its closed form: nothing is estimated, every number is a sum over the whole space.

With q the law that the model has after the round, q_prev the one before, A = r_hat + g_hat the objective that it
followed, and alpha, beta in reward units:

    closed form   p ∝ exp(A/(alpha+beta)) p_pre^(alpha/(alpha+beta)) q_prev^(beta/(alpha+beta))
    regret        J(p*) - J(p),   J with the round's alpha and the true reward, p* its optimum
    bound         (2/i) sum E_p[g_hat] + (beta/i) KL(p* || p_pre), over the i rounds so far
    drift         (1/i) sum beta (KL(p* || q) - KL(p* || p)) over all rounds but the last: what inexact updates add

The proof of the bound uses of |r_hat - r| <= g_hat only its means E_{p*}[A - r] >= 0 and E_p[r - (r_hat - g_hat)] >= 0;
`holds` says whether both are true, which can be where pointwise coverage fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards import Belief
from seiko_bench.exact import correlation, coverage, kl, regret_bound, tilted, total_variation, value
from seiko_bench.theory_ground import Ground

__all__ = ["closed_form", "judge_round", "summary"]

BLOCK = 8192  # states a time
NOMINAL = 1.96  # standard deviations of the 95 % interval


def closed_form(
    ground: Ground, objective: Callable[[Tensor], Tensor], alpha: float, beta: float, previous: Float[Tensor, "n"]
) -> Float[Tensor, "n"]:
    """Return the optimum of a round for an objective of states; alpha and beta in reward units a nat."""
    return tilted(ground.pretrained, _everywhere(ground, objective), alpha, previous, beta)


@torch.no_grad()
def judge_round(
    ground: Ground,
    belief: Belief,
    objective: Callable[[Tensor], Tensor],
    *,
    alpha: float,
    beta: float,
    previous: Float[Tensor, "n"],
    current: Float[Tensor, "n"],
) -> dict[str, Any]:
    """Return what a round reached, by name (see the module); infinite values are None.

    Args:
        ground: The space and its truth.
        belief: What was fitted in this round.
        objective: A of states, reward units.
        alpha: Of the pretrained anchor, reward units a nat.
        beta: Of the previous anchor, likewise.
        previous: Law of the model before the update.
        current: Law of the model after it.
    """
    reward = ground.reward
    believed = [belief.posterior(x) for x in torch.split(ground.designs, BLOCK)]
    mean, std = (torch.cat([getattr(part, name) for part in believed]).double() for name in ("mean", "std"))
    optimism = _everywhere(ground, objective) - mean  # g_hat, whatever the acquisition
    closed = tilted(ground.pretrained, mean + optimism, alpha, previous, beta)
    best = ground.optimum_at(alpha)

    def j(p: Float[Tensor, "n"]) -> float:
        return value(p, reward, ground.pretrained, alpha)

    found = {
        "alpha": alpha,
        "beta": beta,
        "tv": total_variation(current, closed),
        "kl_to_closed": kl(current, closed),
        "kl_from_closed": kl(closed, current),
        "share": ground.share(current),
        "closed_share": ground.share(closed),
        "exact_mean": float(current @ reward),
        "closed_mean": float(closed @ reward),
        "exact_kl": ground.kl(current),
        "closed_kl": ground.kl(closed),
        "regret": j(best) - j(closed),
        "model_regret": j(best) - j(current),
        "uncertainty": float(closed @ optimism),
        "anchor": beta * ground.kl(best),
        "drift": beta * (kl(best, current) - kl(best, closed)) if beta else 0.0,
        "optimistic": float(best @ (mean + optimism - reward)),
        "pessimistic": float(closed @ (reward - mean + optimism)),
        "coverage": coverage(mean, optimism, reward),
        "coverage_closed": coverage(mean, optimism, reward, closed),
        "coverage_model": coverage(mean, optimism, reward, current),
        "nominal": coverage(mean, NOMINAL * std, reward),
        "nominal_closed": coverage(mean, NOMINAL * std, reward, closed),
        "nominal_model": coverage(mean, NOMINAL * std, reward, current),
        "correlation": correlation(mean, reward),
    }
    return {name: number if number is None or math.isfinite(number) else None for name, number in found.items()}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the record of a run from its rounds: the last one, and in `exact` all, with regret and bound so far."""
    kept = ("share", "closed_share", "tv", "kl_to_closed", "exact_mean", "exact_kl", "coverage", "nominal")
    exact = [{**row, **_so_far(rows[: i + 1])} for i, row in enumerate(rows)]
    return {
        **{name: rows[-1][name] for name in kept},
        "regret": exact[-1]["regret_so_far"],
        "bound": exact[-1]["bound_so_far"],
        "holds": exact[-1]["holds_so_far"],
        "exact": exact,
    }


def _so_far(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean regret, bound and drift of the rounds so far; no bound where alpha or beta changed."""
    constant = len({(row["alpha"], row["beta"]) for row in rows}) == 1
    return {
        "regret_so_far": sum(row["regret"] for row in rows) / len(rows),
        "bound_so_far": regret_bound([row["uncertainty"] for row in rows], 1.0, rows[-1]["anchor"])
        if constant
        else None,
        "drift_so_far": sum(row["drift"] for row in rows[:-1]) / len(rows),
        "holds_so_far": all(row["optimistic"] >= 0 and row["pessimistic"] >= 0 for row in rows),
    }


@torch.no_grad()
def _everywhere(ground: Ground, objective: Callable[[Tensor], Tensor]) -> Float[Tensor, "n"]:
    return torch.cat([objective(x) for x in torch.split(ground.designs, BLOCK)]).double()
