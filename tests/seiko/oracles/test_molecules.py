"""Molecule oracles: values, infeasible designs, noise that belongs to the design, names."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rdkit")

from rdkit import Chem

from seiko.chemistry import largest_ring, logp, parse, penalised_logp, sa
from seiko.config import from_json, to_json
from seiko.designs import Design
from seiko.oracles import (
    MOLECULE_ORACLES,
    PMO,
    PMO_TASKS,
    QED,
    SA,
    Label,
    MoleculeProperty,
    Oracle,
    PenalisedLogP,
    oracle_named,
)
from seiko.oracles.noise import keyed_normal

ASPIRIN = Design("CC(=O)Oc1ccccc1C(=O)O", "smiles")
MACROCYCLE = "C1CCCCCCCCC1"
ORACLES: list[Oracle] = [
    QED(),
    PenalisedLogP(),
    SA(),
    MoleculeProperty(descriptor="logp"),
    PMO(task="median1"),
    PMO(task="deco_hop"),
]


def value(oracle: Oracle, smiles: str) -> float:
    (label,) = oracle([Design(smiles, "smiles")])
    assert label.value is not None
    return label.value


def mol(smiles: str) -> Chem.Mol:
    found = parse(smiles)
    assert found is not None
    return found


@pytest.mark.parametrize("oracle", ORACLES)
def test_what_is_no_molecule_is_infeasible(oracle: Oracle) -> None:
    designs = [
        Design("", "smiles"),
        Design("CC(", "smiles"),
        Design("C(C)(C)(C)(C)C", "smiles"),
        Design("CCO ethanol", "smiles"),
        Design("\u0441\u0441", "smiles"),
        Design("CCO", "dna"),
    ]
    labels = oracle([*designs, ASPIRIN])
    assert [label.status for label in labels] == ["infeasible"] * len(designs) + ["value"]
    assert labels[1].reason == "RDKit cannot read this SMILES"
    assert "kind 'smiles', got 'dna'" in (labels[5].reason or "")


@pytest.mark.parametrize("oracle", ORACLES)
def test_spellings_of_a_molecule_have_one_value(oracle: Oracle) -> None:
    assert value(oracle, "O=C(O)c1ccccc1OC(C)=O") == pytest.approx(value(oracle, ASPIRIN.content), abs=1e-12)


@pytest.mark.parametrize("oracle", ORACLES)
def test_reads_back_from_a_recipe(oracle: Oracle) -> None:
    assert from_json(to_json(oracle)) == oracle


@pytest.mark.parametrize(
    ("noisy", "exact"),
    [
        (QED(noise=0.2, seed=3), QED()),
        (PenalisedLogP(noise=0.2, seed=3), PenalisedLogP()),
        (SA(noise=0.2, seed=3), SA()),
        (MoleculeProperty(descriptor="tpsa", noise=0.2, seed=3), MoleculeProperty(descriptor="tpsa")),
        (PMO(task="qed", noise=0.2, seed=3), PMO(task="qed")),
    ],
)
def test_noise_belongs_to_the_design(noisy: Oracle, exact: Oracle) -> None:
    (label,) = noisy([ASPIRIN])
    assert label.noise == 0.2
    assert label.value == pytest.approx(value(exact, ASPIRIN.content) + 0.2 * keyed_normal(3, ASPIRIN.key))
    assert noisy([Design("CC", "smiles"), ASPIRIN])[1] == label
    with pytest.raises(ValueError, match="noise must be"):
        QED(noise=-1.0)


def test_penalised_logp_is_the_sum_of_its_terms() -> None:
    ring = mol(MACROCYCLE)
    assert largest_ring(ring) == 10
    assert value(PenalisedLogP(normalised=False), MACROCYCLE) == pytest.approx(logp(ring) - sa(ring) - 4)
    assert value(PenalisedLogP(), MACROCYCLE) == pytest.approx(
        (logp(ring) - 2.4570953396190123) / 1.434324401111988
        + (-sa(ring) + 3.0525811293166134) / 0.8335207024513095
        + (-4 + 0.0485696876403053) / 0.2860212110245455
    )
    assert value(PenalisedLogP(normalised=False), "C1CCCCC1") == penalised_logp(mol("C1CCCCC1"))


def test_sa_rises_with_ease() -> None:
    assert value(SA(), "CCO") == pytest.approx((10 - sa(mol("CCO"))) / 9)
    assert value(SA(), "CCO") > value(SA(), "C[C@@]12C[C@H]3C[C@](C)(C1)O[C@@H]3N2")


def test_names_lead_to_oracles() -> None:
    assert len(PMO_TASKS) == 20
    assert len(MOLECULE_ORACLES) == 22
    for name in MOLECULE_ORACLES:
        assert oracle_named(name).name == name
    assert oracle_named("QED", noise=0.1, seed=2) == QED(noise=0.1, seed=2)
    assert oracle_named("Celecoxib-Rediscovery") == PMO(task="celecoxib_rediscovery")
    with pytest.raises(ValueError, match=r"did you mean 'celecoxib_rediscovery'\? there are qed, plogp, sa, albuterol"):
        oracle_named("celecoxib")


def test_errors_name_the_way_out() -> None:
    with pytest.raises(ValueError, match="did you mean 'zaleplon_mpo'"):
        PMO(task="zaleplon")
    with pytest.raises(ValueError, match="trained classifier"):
        PMO(task="jnk3")
    with pytest.raises(ValueError, match="no descriptor is called 'polarity'; there are qed, logp"):
        MoleculeProperty(descriptor="polarity")


def test_oracles_are_imported_without_rdkit() -> None:
    code = "import sys; sys.modules['rdkit'] = None; import seiko.oracles as o; print(o.PMO(task='median1'), o.QED())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    ask = "import sys; sys.modules['rdkit'] = None; import seiko.oracles as o; from seiko.designs import Design;"
    ask += "o.QED()([Design('C', 'smiles')])"
    run = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert "pip install 'seiko[molecules]'" in run.stderr


def test_asking_leaves_the_shared_molecule_as_it_was() -> None:
    smiles = "CC[C@@H]1CCC[C@H](C(F)Cl)N1C=CC"
    before = Chem.MolToSmiles(mol(smiles))
    for name in MOLECULE_ORACLES:
        (label,) = oracle_named(name)([Design(smiles, "smiles")])
        assert isinstance(label, Label)
        assert label.value is not None
    assert Chem.MolToSmiles(mol(smiles)) == before
