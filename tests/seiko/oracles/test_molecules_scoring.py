"""Scoring parts and the table of tasks against numbers computed by hand."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("rdkit")

from rdkit import Chem

from seiko.chemistry import parse
from seiko.oracles import PMO_TASKS
from seiko.oracles.desirability import Gaussian, Ramp
from seiko.oracles.molecules import tasks
from seiko.oracles.molecules.scoring import (
    FINGERPRINTS,
    Alike,
    Arithmetic,
    Atoms,
    Contains,
    Geometric,
    Isomers,
    Lacks,
    Property,
    Similarity,
)
from seiko.oracles.molecules.tasks import TASKS

TOLUENE, ETHANOL, UNDECANE = "Cc1ccccc1", "CCO", "CCCCCCCCCCC"


def mol(smiles: str) -> Chem.Mol:
    found = parse(smiles)
    assert found is not None
    return found


def score(task: str, smiles: str) -> float:
    return TASKS[task].score(mol(smiles))


def test_table_has_the_names() -> None:
    assert tuple(TASKS) == PMO_TASKS


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("albuterol_similarity", tasks.ALBUTEROL),
        ("mestranol_similarity", tasks.MESTRANOL),
        ("celecoxib_rediscovery", tasks.CELECOXIB),
        ("thiothixene_rediscovery", tasks.THIOTHIXENE),
        ("troglitazone_rediscovery", tasks.TROGLITAZONE),
        ("isomers_c7h8n2o2", "Cc1ccc([N+](=O)[O-])cc1N"),
        ("isomers_c7h8n2o2", "NC(=O)Nc1cccc(O)c1"),
        ("isomers_c9h10n2o2pf2cl", "NC(=O)C(P)(OC)c1cc(N)c(F)c(F)c1Cl"),
    ],
)
def test_target_scores_one_and_others_do_not(task: str, target: str) -> None:
    assert score(task, target) == pytest.approx(1.0)
    assert score(task, ETHANOL) < 0.5


@pytest.mark.parametrize("task", PMO_TASKS)
def test_scores_lie_in_the_unit_interval(task: str) -> None:
    for smiles in (ETHANOL, UNDECANE, tasks.OSIMERTINIB, tasks.SILDENAFIL, "[Na+].[Cl-]", "C"):
        assert 0 <= score(task, smiles) <= 1


def test_targets_of_objectives_by_hand() -> None:
    # Alike to itself: only what asks for a difference is left.
    assert score("perindopril_mpo", tasks.PERINDOPRIL) == pytest.approx(math.sqrt(math.exp(-0.5 * (2 / 0.5) ** 2)))
    assert score("amlodipine_mpo", tasks.AMLODIPINE) == pytest.approx(math.sqrt(math.exp(-0.5 * (1 / 0.5) ** 2)))
    assert score("sitagliptin_mpo", tasks.SITAGLIPTIN) == pytest.approx(math.exp(-0.5 * 10**2) ** 0.25)
    # The start of both hops is alike, has both patterns to be dropped, and the pattern to be kept.
    assert score("deco_hop", tasks.HOP_START) == pytest.approx((1 + 0 + 0 + 1) / 4)
    assert score("scaffold_hop", tasks.HOP_START) == pytest.approx((1 + 1 + 0) / 3)
    assert score("valsartan_smarts", tasks.SITAGLIPTIN) == 0.0


def test_isomers_as_guacamol_tests_them() -> None:
    for smiles in (UNDECANE, "CC(CCC)CCCCCC", "CCCCC(CC(C)CC)C"):
        assert Isomers("C11H24").score(mol(smiles)) == 1.0
    # One oxygen too many moves only the number of all atoms, by half a sigma.
    assert Isomers("C11H24").score(mol("CCCCCCCCCCCO")) == pytest.approx(math.exp(-0.125) ** (1 / 3))
    # C11H24O instead of C12H24: one carbon too few, the total right.
    assert Isomers("C12H24").score(mol("CCCCCCCCOCCC")) == pytest.approx(math.exp(-0.5) ** (1 / 3))


def test_smarts_as_guacamol_tests_them() -> None:
    smarts = "[#7;h1]c1ncccn1"
    assert Contains(smarts).score(mol(tasks.OSIMERTINIB)) == 1.0
    assert Contains(smarts).score(mol(tasks.TROGLITAZONE)) == 0.0
    assert Lacks(smarts).score(mol(tasks.OSIMERTINIB)) == 0.0
    assert Lacks(smarts).score(mol(tasks.TROGLITAZONE)) == 1.0
    with pytest.raises(ValueError, match="not a SMARTS"):
        Contains("c1cc(").score(mol(ETHANOL))


def test_similarity_counts() -> None:
    # Radius 0 only would tell chains apart by counts alone: bits of propane and butane would be the same.
    part = Similarity("CCCC", "ECFP4")
    assert 0 < part.score(mol("CCCCCCCC")) < 1
    assert Similarity("CCCC", "ECFP4", Ramp(one=part.score(mol("CCCCC")))).score(mol("CCCCC")) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="not a molecule"):
        Similarity("CC(", "ECFP4").score(mol(ETHANOL))


def test_parts_by_hand() -> None:
    assert Property("rings").score(mol(TOLUENE)) == 1.0
    assert Property("rings", Gaussian(mu=2, sigma=1)).score(mol(TOLUENE)) == pytest.approx(math.exp(-0.5))
    assert Alike("rings", TOLUENE, 0.5).score(mol(ETHANOL)) == pytest.approx(math.exp(-2))
    assert Atoms("H", Gaussian(mu=8, sigma=1)).score(mol(ETHANOL)) == pytest.approx(math.exp(-2))
    assert Atoms("H", Gaussian(mu=1, sigma=1)).score(mol("[2H]C(Cl)(Cl)Cl")) == 1.0
    half, whole = Property("rings", Gaussian(mu=1, sigma=1)), Contains("O")
    assert Arithmetic((half, whole)).score(mol(ETHANOL)) == pytest.approx((math.exp(-0.5) + 1) / 2)
    assert Geometric((half, whole)).score(mol(ETHANOL)) == pytest.approx(math.exp(-0.25))
    assert Geometric((half, Lacks("O"))).score(mol(ETHANOL)) == 0.0


@pytest.mark.parametrize("name", ["ECFP4", "ECFP6", "FCFP4", "AP"])
def test_fingerprints_are_unfolded_counts_of_the_molecule(name: str) -> None:
    found = FINGERPRINTS[name](mol(UNDECANE))
    assert sum(found.GetNonzeroElements().values()) > len(found.GetNonzeroElements())
    assert found.GetLength() >= 2**20
