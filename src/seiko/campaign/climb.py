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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.candidates import CandidateSource, Labelled
from seiko.campaign.gathering import Gathering
from seiko.diffusion import State

__all__ = ["Climb", "breed"]


@dataclass(frozen=True, kw_only=True)
class Climb:
    """How long the acquisition is climbed.

    Args:
        generations: Of edits, after the pool is drawn.
        offspring: Candidates of a generation, as a part of the pool.

    Raises:
        ValueError: If there is no generation, or no offspring.
    """

    generations: int = 20
    offspring: float = 0.1

    def __post_init__(self) -> None:
        if self.generations < 1:
            raise ValueError(f"generations must be at least 1, got {self.generations}; climb=None draws the pool only")
        if not self.offspring > 0:
            raise ValueError(f"offspring must be a positive part of the pool, got {self.offspring}")

    def size(self, pool: int) -> int:
        """Return the candidates of a generation beside a pool of this size."""
        return max(1, round(self.offspring * pool))


def breed(
    climb: Climb,
    sources: Sequence[CandidateSource],
    gathering: Gathering,
    labelled: Labelled,
    values: Float[Tensor, "n"],
    score: Callable[[State], Tensor],
    *,
    streams: tuple[int, int, int],
    progress: Callable[[int], None] = lambda born: None,
) -> Float[Tensor, "m"]:
    """Add generations to a pool.

    Args:
        climb: How many, how large.
        sources: Those that edit are used, by their shares.
        gathering: The pool; it grows.
        labelled: Designs that may be edited beside it, with their acquisition.
        values: `[n]` acquisition of the pool.
        score: Acquisition at observed designs.
        streams: Seed of the first source, first stream of noise that is free, streams of a generation.
        progress: Called with candidates drawn, after each generation.

    Returns:
        `[m]` acquisition of all that is in the pool then.
    """
    seed, free, wanted = streams
    editors = [(which, source) for which, source in enumerate(sources) if source.edits]
    total, offspring = sum(source.share for _, source in editors), climb.size(wanted)
    for generation in range(climb.generations):
        parents = Labelled(torch.cat([labelled.x, gathering.x]), torch.cat([labelled.y, values]))
        for which, source in editors:
            size = max(1, round(offspring * source.share / total))
            gathering.draw(source, parents, seed + which, free + generation * wanted, size)
        values = torch.cat([values, gathering.values(score, len(values))])
        progress((generation + 1) * offspring)
    return values
