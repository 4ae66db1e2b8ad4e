"""The known molecules that every method of the benchmark may use: ZINC250k, without stereochemistry."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from seiko.chemistry import flat
from seiko.designs import Design
from seiko.oracles import oracle_named

__all__ = ["LIBRARY", "draw_known", "known_mean"]

LIBRARY = "zinc250k"
JUDGED = 2000  # molecules that a task's mean is taken over


def draw_known(n: int, rng: np.random.Generator, without: Collection[str] = ()) -> list[str]:
    """Return distinct molecules of the library drawn at random, in canonical SMILES; fewer where there are no more."""
    from seiko.campaign.library import read_library

    rows = read_library(LIBRARY)
    drawn: dict[str, None] = {}
    for row in rng.permutation(len(rows)):
        if len(drawn) == n:
            break
        text = flat(rows[row])
        if text is not None and text not in without:
            drawn[text] = None
    return list(drawn)


@lru_cache(maxsize=64)
def known_mean(task: str) -> float:
    """Return the mean score of random molecules of the library, always the same ones."""
    molecules = draw_known(JUDGED, np.random.default_rng(0))
    labels = oracle_named(task)([Design(text, "smiles") for text in molecules])
    return float(np.mean([label.value or 0.0 for label in labels]))
