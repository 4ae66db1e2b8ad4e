"""Which labels a member holds out and how often it sees the others: stable draws from a hash.

Every draw is a hash of (seed, stream, index of the label), so a label's role never depends on how many labels came
after it, and the held-out labels are spread over all rounds instead of being the newest.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["bootstrap_counts", "held_out_mask", "uniforms"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(z: np.ndarray) -> np.ndarray:
    """Return splitmix64's finaliser of unsigned 64-bit integers (Steele, Lea, Flood, 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed


def uniforms(seed: int, stream: int, rows: int, n: int) -> Tensor:
    """Return `[rows, n]` float64 uniforms in [0, 1); entry (j, i) depends on seed, stream, j and i alone."""
    with np.errstate(over="ignore"):
        state = _mix(np.asarray([seed % 2**64], dtype=np.uint64) + _GOLDEN)
        state = _mix(state + np.uint64(stream % 2**64) * _GOLDEN + _GOLDEN)
        row = _mix(state + (np.arange(rows, dtype=np.uint64)[:, None] + np.uint64(1)) * _GOLDEN)
        bits = _mix(row + (np.arange(n, dtype=np.uint64)[None] + np.uint64(1)) * _GOLDEN)
    return torch.from_numpy((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def held_out_mask(n: int, members: int, fraction: float, seed: int) -> Tensor:
    """Return `[members, n]` booleans, True where a member holds the label out, with probability `fraction` each.

    Below ten labels nothing is held out. No member holds out everything.
    """
    if n < 10 or fraction == 0.0:
        return torch.zeros(members, n, dtype=torch.bool)
    mask = uniforms(seed, 1, members, n) < fraction
    mask[mask.all(dim=1)] = False
    return mask


def bootstrap_counts(n: int, members: int, seed: int) -> Tensor:
    """Return `[members, n]` float64 Poisson(1) counts, the limit of resampling with replacement.

    A member that would see nothing at all sees every label once.
    """
    u = uniforms(seed, 2, members, n)
    counts = torch.zeros_like(u)
    tail = 0.0
    for k in range(8):  # P(count > 8) = 1e-6: cut off
        tail += math.exp(-1.0) / math.factorial(k)
        counts += (u >= tail).to(u.dtype)
    counts[counts.sum(dim=1) == 0] = 1.0
    return counts
