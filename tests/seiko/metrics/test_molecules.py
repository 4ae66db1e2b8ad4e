from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from seiko.chemistry import canonical
from seiko.metrics.molecules import (
    MoleculeSummary,
    fragment_similarity,
    large_ring_share,
    mean_sa,
    novelty,
    scaffold_diversity,
    scaffolds,
    summarise,
    uniqueness,
    validity,
)

SET = ["c1ccccc1C", "Cc1ccccc1", "CCO", "C1CC", "c1ccncc1", "C1CCCCCCC1"]  # toluene twice, one broken, one ring of 8


def test_counts_by_hand() -> None:
    assert validity(SET) == pytest.approx(5 / 6)
    assert uniqueness(SET) == pytest.approx(4 / 5)
    assert novelty(SET, {"CCO", "c1ccncc1"}) == pytest.approx(2 / 4)
    assert scaffolds(SET) == 3  # benzene, pyridine, cyclooctane; ethanol has none
    assert scaffold_diversity(SET) == pytest.approx(3 / 5)
    assert large_ring_share(SET) == pytest.approx(1 / 5)
    assert large_ring_share(SET, above=5) == pytest.approx(4 / 5)


def test_mean_sa_is_ertls() -> None:
    # Values printed by RDKit's contributed script.
    assert mean_sa(["c1ccccc1", "nonsense"]) == pytest.approx(1.0)
    assert mean_sa(["CC(=O)Oc1ccccc1C(=O)O"]) == pytest.approx(1.580, abs=1e-3)


def test_fragments_are_counted_as_in_moses() -> None:
    # Aspirin breaks into four kinds of BRICS fragments; the same molecule twice has the same direction.
    aspirin, paracetamol = "CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Nc1ccc(O)cc1"
    assert fragment_similarity([aspirin, aspirin], [aspirin]) == pytest.approx(1.0)
    assert fragment_similarity(["C"], ["CC"]) == 0.0
    # [1*]C(C)=O is the only fragment of both: counts (1, ...) of lengths sqrt(4) and sqrt(3).
    assert fragment_similarity([aspirin], [paracetamol]) == pytest.approx(1 / math.sqrt(4 * 3))


def test_a_summary_is_its_parts() -> None:
    found = summarise(SET, ["CCO", "OCC", "c1ccncc1"])
    assert (found.n, found.validity, found.uniqueness) == (6, validity(SET), uniqueness(SET))
    assert (found.scaffolds, found.large_rings, found.novelty) == (3, 0.2, 0.5)
    assert found.nearest_similarity is not None
    assert 0 < found.nearest_similarity < 1
    alone = summarise(SET)
    assert alone.novelty is alone.nearest_similarity is alone.fragment_similarity is None
    assert summarise(["C1CC"]) == MoleculeSummary(n=1, validity=0.0)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least one SMILES, got 0"):
        validity([])
    for metric in (uniqueness, scaffold_diversity, mean_sa, large_ring_share):
        with pytest.raises(ValueError, match="at least one valid SMILES, got 0 among 1"):
            metric(["C1CC"])
    with pytest.raises(ValueError, match="at least one valid SMILES"):
        fragment_similarity(["CCO"], [])


def test_zinc_looks_like_zinc(data_dir: Path) -> None:
    """Published values of ZINC250k: SA 3.05, hardly a ring above six atoms, internal diversity near .87."""
    with gzip.open(data_dir / "zinc250k_smiles.txt.gz", "rt") as lines:
        smiles = [line.strip() for _, line in zip(range(600), lines, strict=False)]
    found = summarise(smiles[:300], smiles[300:])
    assert found.validity == 1.0
    assert found.uniqueness == 1.0
    assert found.sa == pytest.approx(3.05, abs=0.2)
    assert found.large_rings is not None
    assert found.large_rings < 0.05
    assert found.internal_diversity == pytest.approx(0.87, abs=0.02)
    assert found.novelty == 1.0
    assert found.fragment_similarity is not None
    assert found.fragment_similarity > 0.8
    assert novelty(smiles, {text for text in map(canonical, smiles) if text}) == 0.0
