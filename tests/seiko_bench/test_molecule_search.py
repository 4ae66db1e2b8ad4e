"""The baselines without a model: their operators make molecules, their accounts are exact, and they search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from seiko.chemistry import FragmentAlphabet, canonical, flat, largest_ring, parse, properties
from seiko.designs import Design
from seiko.metrics import top_k_auc
from seiko.oracles import QED
from seiko.priors import SIDE_FILE, prior_folder
from seiko_bench.molecules import graph_ga, known
from seiko_bench.molecules.counted import Calls, found
from seiko_bench.molecules.crossover import crossover
from seiko_bench.molecules.gp_search import GPBO, Screening, screened, screening_model
from seiko_bench.molecules.graph_edits import editable, finished, join
from seiko_bench.molecules.graph_ga import GraphGA, breed, mating_pool
from seiko_bench.molecules.mutation import MUTATIONS, mutate
from seiko_bench.molecules.pmo import RandomLibrary, Search
from seiko_recipes.molecules import molecules

ACIDS = ("CCC", "c1ccccc1", "C1CCCC1", "COCC", "c1ccncc1", "CC(C)C", "Cc1ccc(F)cc1", "CCS", "c1ccc2ccccc2c1", "C#CC")
AMINES = ("CCO", "c1ccc(Cl)cc1", "C1CCN(C)CC1", "CC(=O)OC", "Cc1ccco1", "CCC#N")
PLAIN = ("CCCC", "C(C)C", "CCOC", "C1CC1", "CCSC", "CCCCCC", "C#C", "CCOCCOC")
MOLECULES = [f"O=C({acid.replace('1', '3').replace('2', '4')})N{amine}" for acid in ACIDS for amine in AMINES]
SEARCHES: dict[str, Search] = {
    "graph-ga": GraphGA(population=10, offspring=10, mutation_rate=0.2),
    "gp-bo": GPBO(start=10, batch=10, generations=2, offspring=10, population=20, best=10, others=5),
    "screening": Screening(batch=10, pool=20),
    "random": RandomLibrary(),
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    path = tmp_path / "library.smi"
    path.write_text("\n".join(MOLECULES) + "\n")
    monkeypatch.setattr(known, "LIBRARY", str(path))
    return [str(flat(text)) for text in MOLECULES]


def test_the_library_has_sixty_molecules(library: list[str]) -> None:
    assert len(set(library)) == 60
    drawn = known.draw_known(100, np.random.default_rng(0), without=library[:10])
    assert sorted(drawn) == sorted(library[10:])
    assert drawn[:5] == known.draw_known(5, np.random.default_rng(0), without=library[:10])


def test_screening_believes_what_the_recipe_believes() -> None:
    alphabet = FragmentAlphabet.from_fields(
        json.loads((prior_folder("seiko:zinc250k") / SIDE_FILE).read_text())["alphabet"]
    )
    smiles = [str(flat(text)) for text in MOLECULES]
    x, y = alphabet.read([Design(text, "smiles") for text in smiles]), properties(smiles, ["logp"])[:, 0].double()
    fitted = molecules().reward_model.fit(x[:40], y[:40], None, 0).posterior(x[40:])
    found = screening_model().fit(screened(smiles[:40]), y[:40], None, 0).posterior(screened(smiles[40:]))
    torch.testing.assert_close(found.mean, fitted.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.std, fitted.std, rtol=1e-3, atol=1e-4)


def test_children_are_molecules_of_both_parents() -> None:
    rng = np.random.default_rng(0)
    first, second = "BrCCc1ccc(CCBr)cc1", "FCCC1CCC(CCF)CC1"
    children = {child for _ in range(40) if (child := crossover(first, second, rng)) is not None}
    assert len(children) > 10
    assert all(canonical(child) == child and "." not in child for child in children)
    assert any("Br" in child and "F" in child for child in children)
    assert all((mol := parse(child)) is not None and largest_ring(mol) <= 6 for child in children)


def test_a_chain_cut_joins_one_piece_of_each() -> None:
    # of n-decane and n-decane with a bromine: chains alone, which crossover can only cut outside of rings
    rng = np.random.default_rng(1)
    for _ in range(20):
        child = crossover("CCCCCCCCCC", "BrCCCCCCCCCC", rng)
        assert child is not None
        assert set(child) <= set("CBr")
        assert child.count("Br") <= 1


@pytest.mark.parametrize("edit", MUTATIONS, ids=lambda edit: edit.__name__)
def test_each_mutation_finds_places_and_makes_molecules(edit: object) -> None:
    rng, made = np.random.default_rng(0), set()
    for smiles in ("CCOC(=O)c1ccc(NCC=C)cc1", "CCCCCCC(C)O", "C1CCCCC1NC(C)(C)C") * 8:
        mol = editable(smiles)
        if edit(mol, rng) and (child := finished(mol, rng)) is not None:  # type: ignore[operator]
            assert canonical(child) == child
            made.add(child)
    assert len(made - {flat("CCOC(=O)c1ccc(NCC=C)cc1"), "CCCCCCC(C)O"}) >= 3


def test_what_a_closed_ring_and_a_removed_atom_give() -> None:
    rng = np.random.default_rng(0)
    rings = {mutate("CCCCCCCC", rng) for _ in range(200)}
    assert "CCC1CCCCC1" in rings or "CCCC1CCCC1" in rings
    assert "CCCCCCC" in rings


@pytest.mark.parametrize(
    "smiles", ["C1CCCCCC1", "C1=CCC1CCC", "C1=C=CC(CC)C1", "CCCCC", "CC.CCCCC", "C(C)(C)(C)(C)(C)CC"]
)
def test_what_is_refused(smiles: str) -> None:
    mol = Chem.RWMol(Chem.MolFromSmiles(smiles, sanitize=False))
    assert finished(mol, np.random.default_rng(0)) is None


@pytest.mark.parametrize(("smiles", "end"), [("C1CCC(CCC)N1", "N"), ("C1CCC(CCC)[NH2+]1", "[NH3+]")])
def test_a_broken_bond_leaves_hydrogens_and_no_radical(smiles: str, end: str) -> None:
    mol = editable(smiles)
    nitrogen = next(atom for atom in mol.GetAtoms() if atom.GetSymbol() == "N")
    mol.RemoveBond(nitrogen.GetIdx(), nitrogen.GetNeighbors()[0].GetIdx())
    text = finished(mol, np.random.default_rng(0))
    assert text == f"CCCCCCC{end}"


def test_a_written_hydrogen_gives_way_to_a_bond() -> None:
    mol = editable("CCc1ccc[nH]1")
    nitrogen = next(atom.GetIdx() for atom in mol.GetAtoms() if atom.GetSymbol() == "N")
    assert join(mol, nitrogen, mol.AddAtom(Chem.Atom(6)))
    assert finished(mol, np.random.default_rng(0)) == canonical("CCc1cccn1C")


def test_a_molecule_costs_one_call_and_the_budget_ends(library: list[str]) -> None:
    calls = Calls(QED(), 3)
    assert calls([library[0], library[1], library[0]]) == library[:2]
    assert calls([library[1]]) == []
    assert calls.left == 1
    assert calls(library[:5]) == [library[2]]
    assert (calls.left, list(calls.values)) == (0, library[:3])
    with pytest.raises(ValueError, match="got 0"):
        Calls(QED(), 0)


def test_the_areas_by_hand() -> None:
    # 100 calls of value 1/2, then 100 of value 1, 400 allowed: trapezoids 1/4, 3/4, then 1 for the 200 that were left
    seen = found([0.5] * 100 + [1.0] * 100, 400)
    assert seen["auc1"] == seen["auc10"] == seen["auc100"] == pytest.approx((0.25 + 0.75 + 2.0) / 4)
    assert (seen["best"], seen["top10"], seen["top100"], seen["calls"]) == (1.0, 1.0, 1.0, 200)
    rising = np.linspace(0, 1, 150)
    assert found(rising, 150)["auc10"] == pytest.approx(top_k_auc(torch.from_numpy(rising), 10, calls=150))


def test_mating_goes_by_value() -> None:
    rng = np.random.default_rng(0)
    drawn = mating_pool(["a", "b", "c"], [3.0, 1.0, -5.0], 4000, rng)
    assert drawn.count("a") / 4000 == pytest.approx(0.75, abs=0.03)
    assert drawn.count("c") == 0
    assert set(mating_pool(["a", "b"], [0.0, 0.0], 50, rng)) == {"a", "b"}


def test_breeding_mutates_as_often_as_it_is_told(library: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_ga, "crossover", lambda first, second, rng: first)
    monkeypatch.setattr(graph_ga, "mutate", lambda smiles, rng: "mutated")
    children = breed(library, 1000, 0.067, np.random.default_rng(0))
    assert children.count("mutated") / 1000 == pytest.approx(0.067, abs=0.02)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_spends_its_calls_and_is_repeatable(name: str, library: list[str]) -> None:
    def once(seed: int) -> Calls:
        calls = Calls(QED(), 35)
        SEARCHES[name].run(calls, seed)
        return calls

    first = once(0)
    assert (len(first.values), first.left) == (35, 0)
    assert all(flat(text) == text for text in first.values)
    assert list(first.values.items()) == list(once(0).values.items())
    assert set(once(1).values) != set(first.values)
    if name in ("screening", "random"):
        assert set(first.values) <= set(library)
    else:
        assert set(first.values) - set(library)


@pytest.mark.parametrize(
    ("method", "budget"),
    [
        pytest.param(GraphGA(population=20, offspring=10, mutation_rate=0.5), 250, id="graph-ga"),
        pytest.param(SEARCHES["gp-bo"], 100, id="gp-bo"),
        pytest.param(SEARCHES["screening"], 100, id="screening"),
    ],
)
def test_a_search_beats_random_draws(
    method: Search, budget: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [f"{first}{bond}{second}" for first in ACIDS for bond in ("OC", "NC", "SC") for second in PLAIN]
    (tmp_path / "more.smi").write_text("\n".join(MOLECULES + more))  # of 300, so that random draws do not find all
    monkeypatch.setattr(known, "LIBRARY", str(tmp_path / "more.smi"))

    def top(search: Search, seed: int) -> float:
        calls = Calls(QED(), budget)
        search.run(calls, seed)
        return float(found(calls.values.values(), budget)["top10"])

    ours, random = ([top(search, seed) for seed in range(2)] for search in (method, RandomLibrary()))
    assert np.mean(ours) > np.mean(random) + 0.01


def test_a_space_that_is_used_up_is_named(library: list[str]) -> None:
    with pytest.raises(RuntimeError, match="no new molecule is left after 60, with 40 calls to go"):
        Screening(batch=20, pool=30).run(Calls(QED(), 100), 0)


@pytest.mark.parametrize("wrong", [{"population": 0}, {"offspring": 0}, {"mutation_rate": 1.5}])
def test_wrong_numbers_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be .* got {next(iter(wrong.values()))}"):
        GraphGA(**wrong)  # type: ignore[arg-type]
