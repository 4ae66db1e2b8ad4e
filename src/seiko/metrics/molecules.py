"""Sets of SMILES: are they molecules, different ones, new ones, and of which parts?

    validity       share that RDKit parses
    uniqueness     distinct canonical SMILES / valid ones
    novelty        share of the distinct ones that a reference does not hold
    scaffolds      distinct Bemis-Murcko frameworks; an acyclic molecule has none
    fragments      cosine of the counts of BRICS fragments with those of a reference
    large rings    share with a ring of more than six atoms

Validity says little on its own: a poor prior writes valid, unique, novel molecules with rings of twelve atoms. Except
for validity, everything is about the valid ones.

References:
    Polykovskiy et al., "Molecular Sets (MOSES)", 2020, https://arxiv.org/abs/1811.12823
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from seiko.chemistry import canonical, murcko, parse, properties
from seiko.metrics.similarity import internal_diversity, mean_nearest_similarity

__all__ = [
    "MoleculeSummary",
    "fragment_similarity",
    "large_ring_share",
    "mean_sa",
    "novelty",
    "scaffold_diversity",
    "scaffolds",
    "summarise",
    "uniqueness",
    "validity",
]


def validity(smiles: Sequence[str]) -> float:
    """Return the share of texts that are molecules.

    Raises:
        ValueError: If there is no text.
    """
    if not smiles:
        raise ValueError("validity needs at least one SMILES, got 0")
    return sum(parse(text) is not None for text in smiles) / len(smiles)


def uniqueness(smiles: Sequence[str]) -> float:
    """Return distinct canonical SMILES over valid ones.

    Raises:
        ValueError: If there is no molecule.
    """
    kept = _canonical(smiles)
    return len(set(kept)) / len(kept)


def novelty(smiles: Sequence[str], known: Set[str]) -> float:
    """Return the share of the distinct molecules that are not known.

    Args:
        smiles: Molecules, in any spelling.
        known: *Canonical* SMILES, as `seiko.chemistry.canonical` writes them.

    Raises:
        ValueError: If there is no molecule.
    """
    distinct = set(_canonical(smiles))
    return sum(text not in known for text in distinct) / len(distinct)


def scaffolds(smiles: Sequence[str]) -> int:
    """Return the number of distinct Bemis-Murcko scaffolds; acyclic molecules have none."""
    return len({scaffold for text in smiles if (scaffold := murcko(text))})


def scaffold_diversity(smiles: Sequence[str]) -> float:
    """Return the number of distinct scaffolds over the number of molecules, 0 to 1.

    Raises:
        ValueError: If there is no molecule.
    """
    return scaffolds(smiles) / len(_canonical(smiles))


def mean_sa(smiles: Sequence[str]) -> float:
    """Return the mean synthetic accessibility, 1 (easy) to 10 (hard).

    Raises:
        ValueError: If there is no molecule.
    """
    return float(properties(_canonical(smiles), ("sa",)).double().mean())


def large_ring_share(smiles: Sequence[str], *, above: int = 6) -> float:
    """Return the share of molecules with a ring of more than `above` atoms.

    Raises:
        ValueError: If there is no molecule.
    """
    return float((properties(_canonical(smiles), ("largest_ring",)) > above).double().mean())


def fragment_similarity(smiles: Sequence[str], reference: Sequence[str]) -> float:
    """Return the cosine between the BRICS fragment counts of two sets, 0 to 1 (MOSES's Frag).

    Raises:
        ValueError: If there is no molecule in either set.

    References:
        Degen et al., "On the art of compiling and using 'drug-like' chemical fragment spaces", 2008,
        https://doi.org/10.1002/cmdc.200800178
    """
    a, b = _fragments(_canonical(smiles)), _fragments(_canonical(reference))
    dot = sum(count * b[name] for name, count in a.items())
    norms = math.sqrt(sum(count**2 for count in a.values()) * sum(count**2 for count in b.values()))
    return dot / norms


@dataclass(frozen=True, kw_only=True)
class MoleculeSummary:
    """What a set of SMILES is like; shares are of the valid ones, and None where there are no molecules to speak of.

    Args:
        n: Texts.
        validity: Share that are molecules.
        uniqueness: Distinct over valid.
        internal_diversity: 1 - mean pairwise Tanimoto similarity of Morgan bits.
        scaffolds: Distinct Bemis-Murcko scaffolds.
        scaffold_diversity: Those over the valid ones.
        sa: Mean synthetic accessibility, 1 (easy) to 10.
        large_rings: Share with a ring above six atoms.
        novelty: Share of the distinct ones that the reference lacks; None without a reference, like the next two.
        nearest_similarity: Mean similarity to the nearest of the reference.
        fragment_similarity: Cosine of the BRICS fragment counts with the reference's.
    """

    n: int
    validity: float
    uniqueness: float | None = None
    internal_diversity: float | None = None
    scaffolds: int = 0
    scaffold_diversity: float | None = None
    sa: float | None = None
    large_rings: float | None = None
    novelty: float | None = None
    nearest_similarity: float | None = None
    fragment_similarity: float | None = None


def summarise(smiles: Sequence[str], reference: Sequence[str] = ()) -> MoleculeSummary:
    """Return all of this for one set, against a reference where one is given.

    Raises:
        ValueError: If there is no text, or a reference without any molecule.
    """
    share, kept = validity(smiles), [text for text in map(canonical, smiles) if text is not None]
    if not kept:
        return MoleculeSummary(n=len(smiles), validity=share)
    return MoleculeSummary(
        n=len(smiles),
        validity=share,
        uniqueness=uniqueness(kept),
        internal_diversity=internal_diversity(kept),
        scaffolds=scaffolds(kept),
        scaffold_diversity=scaffold_diversity(kept),
        sa=mean_sa(kept),
        large_rings=large_ring_share(kept),
        novelty=novelty(kept, set(_canonical(reference))) if reference else None,
        nearest_similarity=mean_nearest_similarity(kept, reference) if reference else None,
        fragment_similarity=fragment_similarity(kept, reference) if reference else None,
    )


def _canonical(smiles: Iterable[str]) -> list[str]:
    texts = list(smiles)
    kept = [text for text in map(canonical, texts) if text is not None]
    if not kept:
        raise ValueError(f"a set of molecules needs at least one valid SMILES, got 0 among {len(texts)}")
    return kept


def _fragments(smiles: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in smiles:
        counts.update(_broken(text))
    return counts


@lru_cache(maxsize=300_000)
def _broken(smiles: str) -> tuple[str, ...]:
    """Return a molecule's BRICS fragments; cached, for a reference is asked about again and again."""
    return tuple(Chem.MolToSmiles(Chem.FragmentOnBRICSBonds(parse(smiles))).split("."))
