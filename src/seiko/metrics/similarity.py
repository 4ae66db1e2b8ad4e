"""Sets of molecules by fingerprint: how different they are from each other and from known ones.

    T(x, y) = |x and y| / |x or y|,    Morgan bits of radius 2 folded to 1,024        (MOSES and #Circles alike)
    internal diversity  1 - mean of T over all ordered pairs, a molecule with itself included
    SNN                 mean over x of max over reference y of T(x, y)
    #Circles            the most molecules whose distances 1 - T are pairwise > t, found greedily in the given order

Bits, not counts, so that the numbers stand beside published ones. Text that is no molecule is left out. Sets are
compared block by block: ten thousand against all of ZINC250k fits in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.chemistry import morgan_counts, parse

__all__ = ["circles", "hit_circles", "internal_diversity", "mean_nearest_similarity", "nearest_similarity"]

RADIUS, SIZE = 2, 1024

BLOCK = 4096
"""Molecules whose fingerprints are unpacked at once."""


def internal_diversity(smiles: Sequence[str]) -> float:
    """Return 1 - mean pairwise similarity, 0 (all alike) to 1; duplicates count.

    Raises:
        ValueError: If there is no molecule.

    References:
        Polykovskiy et al., "Molecular Sets (MOSES)", 2020, https://arxiv.org/abs/1811.12823 (IntDiv_1)
    """
    kept = _molecules(smiles)
    total = sum(float(_tanimoto(a, b).sum(dtype=torch.float64)) for a in _blocks(kept) for b in _blocks(kept))
    return 1.0 - total / len(kept) ** 2


def nearest_similarity(smiles: Sequence[str], reference: Sequence[str]) -> Float[Tensor, "n"]:
    """Return each molecule's similarity to the nearest of the reference, 0 to 1; NaN where the text is no molecule.

    Raises:
        ValueError: If there is no molecule in the reference.
    """
    known = _molecules(reference)
    nearest = torch.zeros(len(smiles))
    for b in _blocks(known):
        rows = [_tanimoto(a, b).amax(dim=1) for a in _blocks(smiles)]
        nearest = torch.maximum(nearest, torch.cat(rows)) if rows else nearest
    nearest[[parse(text) is None for text in smiles]] = torch.nan
    return nearest


def mean_nearest_similarity(smiles: Sequence[str], reference: Sequence[str]) -> float:
    """Return the mean similarity to the nearest neighbour in the reference (SNN), 0 to 1.

    Raises:
        ValueError: If there is no molecule in either set.

    References:
        Polykovskiy et al., "Molecular Sets (MOSES)", 2020, https://arxiv.org/abs/1811.12823 (SNN)
    """
    return float(nearest_similarity(_molecules(smiles), reference).to(torch.float64).mean())


def circles(smiles: Sequence[str], *, distance: float = 0.75) -> int:
    """Return how many molecules are pairwise further apart than a distance: a lower bound of #Circles.

    The exact number is a maximum independent set. As the authors do, molecules are taken in the order given, each
    one kept if it is far from all that were kept before.

    Args:
        smiles: Molecules; 0 without any.
        distance: Threshold t of 1 - T; the paper's default is .75.

    Raises:
        ValueError: If the distance is not in [0, 1).

    References:
        Xie, Xu, Ma, Mei, "How much space has been explored? Measuring the chemical space covered by databases and
        machine-generated molecules", 2023, https://arxiv.org/abs/2112.12542
    """
    if not 0.0 <= distance < 1.0:
        raise ValueError(f"distance must lie in [0, 1), got {distance}")
    kept = [text for text in dict.fromkeys(smiles) if parse(text) is not None]
    bits = torch.cat([*_blocks(kept)]) if kept else torch.zeros(0, SIZE)
    far, found = torch.ones(len(kept), dtype=torch.bool), 0
    while far.any():
        first = int(far.int().argmax())
        far &= (1.0 - _tanimoto(bits[first : first + 1], bits)[0]) > distance
        found += 1
    return found


def hit_circles(smiles: Sequence[str], values: Float[Tensor, "n"], *, threshold: float, distance: float = 0.75) -> int:
    """Return #Circles among the hits, the molecules whose value is at least the threshold; the best are taken first.

    Raises:
        ValueError: If there is not one value a molecule, or the distance is not in [0, 1).
    """
    if len(smiles) != len(values):
        raise ValueError(f"{len(smiles)} molecules need as many values, got {len(values)}")
    order = values.argsort(descending=True, stable=True).tolist()
    return circles([smiles[i] for i in order if float(values[i]) >= threshold], distance=distance)


def _molecules(smiles: Sequence[str]) -> list[str]:
    kept = [text for text in smiles if parse(text) is not None]
    if not kept:
        raise ValueError(f"similarity needs at least one valid molecule, got 0 among {len(smiles)}")
    return kept


def _blocks(smiles: Sequence[str]) -> Iterator[Tensor]:
    for start in range(0, len(smiles), BLOCK):
        counts = morgan_counts(smiles[start : start + BLOCK], radius=RADIUS, size=SIZE)
        yield (counts > 0).to(torch.float32)


def _tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """Return the similarity of bits, `[n, m]`, by one matrix product."""
    both = a @ b.T
    either = a.sum(1)[:, None] + b.sum(1)[None, :] - both
    return torch.where(either > 0, both / either.clamp_min(1.0), 1.0)
