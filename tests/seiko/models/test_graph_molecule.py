from __future__ import annotations

from typing import Any

import pytest
import torch
from jaxtyping import TypeCheckError

pytest.importorskip("rdkit")

from seiko.chemistry import canonical, parse
from seiko.models import GraphCodec
from seiko.models.graph_codec import Repair
from seiko.models.graph_molecule import atom_classes, to_smiles

CODEC = GraphCodec()
MOLECULES = [
    "C",
    "CO",
    "CC#N",
    "c1ccccc1",
    "c1cc[nH]c1",
    "Cc1ncon1",
    "C1CC2CC1O2",
    "O=C1NC=CC1F",
    "C#CC1(C)CN1",
    "FC(F)F",
]


def drawing(atoms: list[int], bonds: dict[tuple[int, int], int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the classes of one graph."""
    row = torch.zeros(1, CODEC.pairs, dtype=torch.int64)
    for k, (i, j) in enumerate(CODEC.ends.T.tolist()):
        row[0, k] = bonds.get((i, j), 0)
    return torch.tensor([atoms + [0] * (CODEC.places - len(atoms))]), row


def written(atoms: list[int], bonds: dict[tuple[int, int], int], repair: Repair) -> str:
    return to_smiles(CODEC, *drawing(atoms, bonds), repair)[0]


def classes(smiles: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the classes of some molecules."""
    atoms, bonds = zip(*(atom_classes(CODEC, text) for text in smiles), strict=True)
    return torch.tensor(atoms), torch.tensor(bonds)


def random_graphs(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    atoms = torch.randint(0, 5, (count, CODEC.places), generator=generator)
    bonds = torch.randint(-6, 4, (count, CODEC.pairs), generator=generator).clamp(min=0)
    i, j = CODEC.ends
    return atoms, bonds * ((atoms[:, i] > 0) & (atoms[:, j] > 0))


@pytest.mark.parametrize("repair", ["raw", "largest", "valence"])
def test_molecules_come_back(repair: Repair) -> None:
    assert to_smiles(CODEC, *classes(MOLECULES), repair) == [canonical(smiles) for smiles in MOLECULES]


def test_the_order_of_the_places_does_not_matter() -> None:
    x = CODEC.embed(*classes(MOLECULES))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(3))
    moved = to_smiles(CODEC, *CODEC.quantise(CODEC.permute(x, order)), "raw")
    assert moved == [canonical(smiles) for smiles in MOLECULES]


def test_too_many_bonds_are_refused_by_rdkit_and_lowered_on_demand() -> None:
    carbon = ([1, 1, 1, 1], {(0, 1): 2, (0, 2): 2, (0, 3): 1})  # five bonds at the first carbon
    assert parse(written(*carbon, "raw")) is None
    assert parse(written(*carbon, "largest")) is None
    assert written(*carbon, "valence") == "C=C(C)C"
    nitrogen = ([2, 1, 1, 1, 1], {(0, i): 1 for i in range(1, 5)})  # neutral, with four
    assert parse(written(*nitrogen, "raw")) is None


def test_of_two_bonds_the_one_between_crowded_atoms_is_lowered() -> None:
    # N(0) has 4 bonds, O(1) at its double one has 3: lowering that bond mends both
    crowded = ([2, 3, 1, 1], {(0, 1): 2, (0, 2): 2, (1, 3): 1})
    assert written(*crowded, "valence") == canonical("C=NOC")


def test_parts_apart_are_cut_to_the_largest() -> None:
    parts = ([3, 1, 1, 1], {(1, 2): 1, (2, 3): 1})
    assert written(*parts, "raw") == "CCC.O"
    assert written(*parts, "largest") == "CCC"


def test_nothing_drawn_is_no_molecule() -> None:
    for repair in ("raw", "largest", "valence"):
        assert written([], {}, repair) == ""


def test_what_is_no_molecule_comes_back_too() -> None:
    drawn = [smiles for smiles in to_smiles(CODEC, *random_graphs(300), "raw") if parse(smiles) is None]
    assert len(drawn) > 100
    assert to_smiles(CODEC, *classes(drawn), "raw") == drawn
    assert atom_classes(CODEC, "") == ([0] * CODEC.places, [0] * CODEC.pairs)


def test_lowered_graphs_are_always_molecules() -> None:
    atoms, bonds = random_graphs(300)
    some = (atoms > 0).any(-1)
    raw, mended = (to_smiles(CODEC, atoms[some], bonds[some], repair) for repair in ("raw", "valence"))
    assert sum(parse(smiles) is None for smiles in raw) > 100
    for smiles in mended:
        assert canonical(smiles) == smiles
        assert "." not in smiles


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C(", "no SMILES that RDKit can read"),
        ("c1ccccc1(C)C", "bond: only orders 1 to 3 have a place"),
        ("CCCCCCCCCC", "has 10 heavy atoms, this model has 9 places"),
        ("CS", "has S, this model's elements are"),
        ("C[NH3+]", "has a charge"),
        ("[CH2]C", "a radical"),
        ("[13CH4]", "an isotope"),
        ("N->C", "bond: only orders 1 to 3 have a place"),
    ],
)
def test_what_has_no_place_is_named(smiles: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        atom_classes(CODEC, smiles)
    assert repr(smiles) in str(error.value)


def test_an_unknown_repair_is_named() -> None:
    wrong: Any = "all"
    with pytest.raises((ValueError, TypeCheckError), match="repair"):
        to_smiles(CODEC, *drawing([1], {}), wrong)
