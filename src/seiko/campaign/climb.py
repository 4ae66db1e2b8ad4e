"""Climb the acquisition before a label is spent: the pool's best are edited, and the best of all edited again.

    generation g   parents   labelled designs and pool so far, by their acquisition A
                   children  an edit each by the sources that edit (Remask, Rewrite, Splice); new ones join the pool

The belief is free to ask, so a batch need not be the best of one generation. Every child is a draw of the model that
keeps some letters: the search stays near what the model writes, as a genetic algorithm's does not.

References:
    Tripp and Hernández-Lobato, "Genetic algorithms are strong baselines for molecule generation", 2023,
    https://arxiv.org/abs/2310.09267: an acquisition maximised by many generations of edits.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Climb"]


@dataclass(frozen=True, kw_only=True)
class Climb:
    """How long the acquisition is climbed.

    Args:
        generations: Of edits, after the pool is drawn.
        offspring: Candidates of a generation, as a part of the pool.

    Raises:
        ValueError: If there is no generation, or no offspring.
    """

    generations: int = 8
    offspring: float = 0.25

    def __post_init__(self) -> None:
        if self.generations < 1:
            raise ValueError(f"generations must be at least 1, got {self.generations}; climb=None draws the pool only")
        if not self.offspring > 0:
            raise ValueError(f"offspring must be a positive part of the pool, got {self.offspring}")

    def size(self, pool: int) -> int:
        """Return the candidates of a generation beside a pool of this size."""
        return max(1, round(self.offspring * pool))
