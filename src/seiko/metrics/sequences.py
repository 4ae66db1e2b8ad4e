"""Numbers that describe a set of designs and their values, in plain units.

Diversity and duplicates stand beside the reward in every report: a policy that collapsed scores high and knows one
answer. Values are maximised; "best found" saturates early on small spaces, so `top_k_mean` is reported with it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["best_so_far", "distinct_fraction", "mean_pairwise_hamming", "quantiles", "top_k_mean"]


def mean_pairwise_hamming(tokens: Int[Tensor, "n L"]) -> float:
    """Return the exact mean number of positions in which two different draws differ, 0 to L.

        sum over positions of (n^2 - sum over letters of count^2) / (n (n - 1))

    Duplicates count with distance 0. Linear in n, by letter counts.

    Args:
        tokens: `[n, L]` letters, at least 0.

    Raises:
        ValueError: If there are fewer than two sequences or a letter is negative.
    """
    if tokens.ndim != 2 or len(tokens) < 2:
        raise ValueError(f"pairs need at least two sequences [n, L], got shape {tuple(tokens.shape)}")
    if tokens.numel() == 0:
        return 0.0
    if int(tokens.min()) < 0:
        raise ValueError(f"letters must be at least 0, got {int(tokens.min())}")
    n, length = tokens.shape
    letters = int(tokens.max()) + 1
    cells = tokens.long() + letters * torch.arange(length, device=tokens.device)
    counts = torch.bincount(cells.flatten(), minlength=letters * length).to(torch.float64)
    agreeing = float(counts.square().sum()) - n * length  # ordered pairs of different draws
    return length - agreeing / (n * (n - 1))


def distinct_fraction(designs: Tensor | Sequence[Hashable]) -> float:
    """Return the share of different designs among those given, 1 without duplicates.

    Args:
        designs: `[n, *event]` tokens, or n hashable designs or keys.

    Raises:
        ValueError: If there are none.
    """
    if len(designs) == 0:
        raise ValueError("the share of distinct designs needs at least one design, got 0")
    if isinstance(designs, Tensor):
        return len(torch.unique(designs.reshape(len(designs), -1), dim=0)) / len(designs)
    return len(set(designs)) / len(designs)


def top_k_mean(values: Float[Tensor, "n"], k: int) -> float:
    """Return the mean of the k largest values; of all, where there are fewer than k.

    Raises:
        ValueError: If k is not positive or there are no values.
    """
    if k <= 0 or len(values) == 0:
        raise ValueError(f"top_k_mean needs k and a number of values that are positive, got k={k}, n={len(values)}")
    return float(values.topk(min(k, len(values))).values.to(torch.float64).mean())


def best_so_far(values: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Return the running maximum over labels in the order in which they were bought."""
    return values.cummax(0).values if len(values) else values.clone()


def quantiles(values: Float[Tensor, "n"], levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> list[float]:
    """Return the quantiles at the levels, linear between order statistics.

    Raises:
        ValueError: If there are no values or a level is outside [0, 1].
    """
    if len(values) == 0:
        raise ValueError("quantiles need at least one value, got 0")
    if any(not 0.0 <= level <= 1.0 for level in levels):
        raise ValueError(f"levels must lie in [0, 1], got {tuple(levels)}")
    # Sorted by hand: torch.quantile refuses more than 16 million values.
    ordered = values.to(torch.float64).sort().values
    place = torch.tensor(levels, dtype=torch.float64) * (len(ordered) - 1)
    low = place.floor().long()
    high = place.ceil().long()
    return (ordered[low] + (place - low) * (ordered[high] - ordered[low])).tolist()
