"""Where every seed of a run comes from: the recipe's seed, the round, and what is drawn.

A verb that is repeated draws the same, whoever repeats it.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Purpose", "seed_of"]


class Purpose(IntEnum):
    """What is drawn."""

    ASK = 1
    FIT = 2
    ACQUIRE = 3
    UPDATE = 4
    EVALUATE = 5
    SAMPLE = 6


def seed_of(seed: int, round: int, purpose: Purpose) -> int:
    """Return the seed of one purpose in one round of a run."""
    return (seed * 1_000 + round) * 10 + purpose
