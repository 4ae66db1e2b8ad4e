"""Rings by size and branches with an end: what each symbol means, by hand, and that every row means a molecule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rdkit")

from rdkit import Chem

from seiko.chemistry.molecule import canonical
from seiko.chemistry.sized_rings import SYMBOL, draw_symbols, walk_symbols

SYMBOLS = [
    "[C]",
    "[=C]",
    "[#C]",
    "[N]",
    "[=N]",
    "[O]",
    "[=O]",
    "[F]",
    "[N+]",
    "[O-]",
    "[S]",
    "[=S]",
    "[(]",
    "[)]",
    "[.]",
]
RINGS = ["[r3]", "[r4]", "[r5]", "[r6]", "[=r5]", "[=r6]", "[r6b]", "[r5c]", "[r9]"]


def drawn(text: str) -> str | None:
    return draw_symbols(text).smiles


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        ("[C][C][O]", "CCO"),
        ("[C][(][=O][)][N]", "NC=O"),
        ("[C][C][C][r3]", "C1CC1"),
        ("[C][=C][C][=C][C][=C][r6][O]", "Oc1ccccc1"),
        ("[C][C][C][C][C][C][=r6]", "C1=CCCCC1"),
        ("[C][.][O]", "C.O"),
        ("[N+][(][C][)][(][C][)][(][C][)][C]", "C[N+](C)(C)C"),
        # what has no room, no partner and no branch to leave is passed over
        ("[F][C][F][O]", "FCF"),
        ("[C][r6][C]", "CC"),
        ("[C][C][r2]", "CC"),
        ("[)][C][)][O]", "CO"),
        ("[C][(][C][(][O]", "CCO"),
        ("[O][#C][C]", "CC=O"),
        ("[C][Foo][=Q][C]", "CC"),
    ],
)
def test_symbols_by_hand(text: str, smiles: str) -> None:
    assert drawn(text) == canonical(smiles)


@pytest.mark.parametrize("text", ["", "[(]", "[r6]", "[.]", "[Foo]"])
def test_without_an_atom_there_is_no_molecule(text: str) -> None:
    found = draw_symbols(text)
    assert (found.smiles, found.symbols, found.mol) == (None, (), None)


def test_a_ring_has_its_size_whatever_stands_before() -> None:
    for size in (3, 4, 5, 6, 7, 8):
        for before in ("", "[C][C]", "[C][C][C][r3]", "[C][(][C][C][)]"):
            mol = Chem.MolFromSmiles(drawn(before + "[C]" * size + f"[r{size}]"))
            assert size in {len(ring) for ring in mol.GetRingInfo().AtomRings()}


def test_the_second_partner_on_the_way_back_is_another() -> None:
    # from the last atom two ancestors close a ring of five: through the first ring's bond, or along the chain
    chain = "[C][C][C][C][C][r4][C][C]"
    assert drawn(chain + "[r5]") != drawn(chain + "[r5b]")


@pytest.mark.parametrize("smiles", ["C12C3C4C1C5C2C3C45", "C1CC2CCC1C2", "C1CC12CC21CC1", "c1ccc2c(c1)ccc1ccccc12"])
def test_molecules_with_many_rings_come_back(smiles: str) -> None:
    symbols = walk_symbols(Chem.MolFromSmiles(smiles))
    assert drawn("".join(symbols)) == canonical(smiles)
    assert SYMBOL.findall("".join(symbols)) == symbols


def test_atoms_are_in_the_order_drawn_with_the_place_of_their_symbol() -> None:
    found = draw_symbols("[C][(][=O][)][F][F][N]")
    assert found.mol is not None
    assert [atom.GetSymbol() for atom in found.mol.GetAtoms()] == ["C", "O", "F"]
    assert found.symbols == (0, 2, 4)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(SYMBOLS + RINGS), max_size=20))
def test_every_row_with_an_atom_means_a_molecule(row: list[str]) -> None:
    found = draw_symbols("".join(row))
    assert (found.smiles is None) == (not any(symbol in SYMBOLS[:12] for symbol in row))
    if found.smiles is not None and found.mol is not None:
        assert canonical(found.smiles) is not None
        assert found.mol.GetNumAtoms() == len(found.symbols)
        assert all(row[place] in SYMBOLS[:12] for place in found.symbols)


@pytest.mark.parametrize(
    ("smiles", "message"), [("[Na+]", "Na of charge"), ("C$C", "bond of order 4"), ("*", "no symbol")]
)
def test_what_has_no_symbol_is_named(smiles: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        walk_symbols(Chem.MolFromSmiles(smiles))
