"""Rows of symbols: nothing is lost on the way there and back, rings close before what hangs on them, errors name."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path

import pytest

pytest.importorskip("rdkit")
pytest.importorskip("selfies")

import selfies
from rdkit import Chem

from seiko.chemistry.strings import (
    Syntax,
    atoms_by_symbol,
    flat,
    from_symbols,
    places_of,
    ring_first_smiles,
    to_symbols,
)

SYNTAXES: tuple[Syntax, ...] = ("rings", "selfies", "smiles")
HARD = {
    "ammonium": "C[N+](C)(C)CC(=O)[O-]",
    "nitro": "O=[N+]([O-])c1ccccc1",
    "azide": "[N-]=[N+]=NCC",
    "fused": "c1ccc2c(c1)ccc1ccccc12",
    "azulene": "C1=CC=C2C=CC=CC2=C1",
    "bridged": "C1CC2CCC1C2",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "cubane": "C12C3C4C1C5C2C3C45",
    "spiro": "C1CCC2(CC1)CCOC2",
    "two spiro atoms": "C1CC12CC21CC1",
    "macrocycle": "O=C1CCCCCCCCCCCCCCCCCCCCCCCCO1",
    "ring of 301": "C1" + "C" * 299 + "O1",
    "porphin": "C1=CC2=CC3=CC=C(N3)C=C4C=CC(=N4)C=C5C=CC(=CC1=N2)N5",
    "fullerene": "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6c6c%11c2c2"
    "c7c3c3c8c4c4c9c5c1c1c6c2c3c41",
    "salt": "CC(=O)[O-].[Na+]",
    "three parts": "CCN.c1ccccc1.O",
    "triple bonds": "C#CCC#N",
    "radicals": "C[CH]C",
    "radical oxygen": "[O]N1CCCCC1",
    "hydrogen": "[H][H]",
    "purine": "Nc1ncnc2[nH]cnc12",
    "sulphonamide": "CS(=O)(=O)Nc1ccsc1",
    "hexafluoride": "FS(F)(F)(F)(F)F",
    "boronic acid": "OB(O)c1ccccc1",
    "selenium": "c1cc[se]c1",
}
BEYOND_RINGS = ("salt", "radicals", "radical oxygen")
RINGS = re.compile(r"%\d\d|\d")


@pytest.fixture(scope="module")
def zinc(data_dir: Path) -> list[str]:
    """Return 300 molecules of ZINC250k."""
    with gzip.open(data_dir / "zinc250k_smiles.txt.gz", "rt") as file:
        return random.Random(0).sample(file.read().split()[1:], 300)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", HARD)
def test_molecules_that_are_hard_to_spell_come_back(name: str, syntax: Syntax) -> None:
    if syntax == "rings" and name in BEYOND_RINGS:
        pytest.skip("only the elements and charges of drugs have a symbol there")
    symbols = to_symbols(HARD[name], syntax)
    assert from_symbols("".join(symbols), syntax) == flat(HARD[name])
    if syntax != "smiles":
        assert all(symbol == "." or symbol[0] + symbol[-1] == "[]" for symbol in symbols)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_molecules_of_zinc_come_back(zinc: list[str], syntax: Syntax) -> None:
    for smiles in zinc:
        assert from_symbols("".join(to_symbols(smiles, syntax)), syntax) == flat(smiles)
        assert flat(flat(smiles) or "") == flat(smiles), "a molecule has one spelling"


def test_stereochemistry_and_isotopes_are_left_out() -> None:
    assert flat("C[C@H](N)C(=O)O") == flat("C[C@@H](N)C(=O)O") == flat("CC(N)C(=O)O")
    assert flat("F/C=C/F") == flat("F/C=C\\F")
    assert flat("[13CH3]C[2H]") == "CC"
    assert to_symbols("[13CH3]C", "selfies") == to_symbols("CC", "selfies") == ["[C]", "[C]"]
    assert flat("no molecule") is None


def longest_ring_count(smiles: str) -> int:
    """Return the most atoms between the two ends of a ring bond, in the text's order."""
    opened: dict[str, int] = {}
    longest, atom = 0, -1
    for token in re.findall(r"\[[^\]]+\]|Br|Cl|[A-Z]|%\d\d|\d", smiles):
        if not RINGS.fullmatch(token):
            atom += 1
        elif token in opened:
            longest = max(longest, atom - opened.pop(token))
        else:
            opened[token] = atom
    return longest


@pytest.mark.parametrize(
    ("smiles", "size"), [("CCCc1ccc(C)cc1", 6), ("CCCCCCC1CC(CCCC)(CCCCC)C1CCCCCCC", 4), ("O=C(CC1CCCN1CCCC)CCC", 5)]
)
def test_a_ring_is_closed_before_its_substituents_are_spelt(smiles: str, size: int) -> None:
    written = ring_first_smiles(smiles)
    assert flat(written) == flat(smiles)
    assert longest_ring_count(written) == size - 1


def test_the_example_of_the_module() -> None:
    assert ring_first_smiles("CCCc1ccc(C)cc1") == "CCCC=1C=CC(=CC=1)C"


def test_single_rings_of_zinc_count_their_own_size(zinc: list[str]) -> None:
    seen = 0
    for smiles in zinc:
        mol = Chem.MolFromSmiles(smiles)  # rings must not outlive it
        rings = mol.GetRingInfo()
        if any(rings.NumAtomRings(atom) > 1 for ring in rings.AtomRings() for atom in ring):
            continue  # fused: one ring may stand inside of another
        seen += 1
        assert longest_ring_count(ring_first_smiles(smiles)) == max(map(len, rings.AtomRings()), default=1) - 1
    assert seen > 100


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_one_molecule_has_one_row(syntax: Syntax) -> None:
    assert to_symbols("OCC", syntax) == to_symbols("C(O)C", syntax) == to_symbols("CCO", syntax)
    assert to_symbols("Cc1ccccc1Cl", syntax) == to_symbols("C1=CC=CC(C)=C1Cl", syntax)


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("banana", "'banana' is no molecule that RDKit can read"),
        ("", "'' is no molecule"),
        ("*CC", r"'\*CC' cannot be written in symbols of"),
        ("F[P-](F)(F)(F)(F)(F)F", "is no molecule|cannot be written in symbols of .*"),
        ("C$C", "'C[$]C' cannot be written in symbols of .*: there is no symbol for a bond"),
        ("C~C", "'C~C' cannot be written in symbols of .*: there is no symbol for a bond"),
        ("N->[Fe]", "'N->.Fe.' cannot be written"),
        ("C" * 1200, "CC' cannot be written in symbols of .*: maximum recursion"),
    ],
)
@pytest.mark.parametrize("syntax", ["rings", "selfies"])
def test_what_cannot_be_spelt_is_named(smiles: str, message: str, syntax: Syntax) -> None:
    with pytest.raises(ValueError, match=message):
        to_symbols(smiles, syntax)


def test_ring_first_refuses_what_is_no_molecule() -> None:
    with pytest.raises(ValueError, match="'C1CC' is no molecule"):
        ring_first_smiles("C1CC")


@pytest.mark.parametrize("text", ["", "[Foo]", "[C", "C]", ".", "[nop]", "[Ring1]"])
def test_symbols_that_are_no_molecule_are_none(text: str) -> None:
    assert from_symbols(text, "selfies") is None


@pytest.mark.parametrize("text", ["", "C1CC", "C(C", "CC)", "c1cccc1", "C(C)(C)(C)(C)C", "1"])
def test_smiles_symbols_that_are_no_molecule_are_none(text: str) -> None:
    assert from_symbols(text, "smiles") is None


def test_symbols_of_smiles_are_atoms_and_ring_numbers() -> None:
    assert to_symbols("ClCBr", "smiles") == ["Cl", "C", "Br"]
    assert to_symbols("C[N+](C)(C)C", "smiles") == ["C", "[N+]", "(", "C", ")", "(", "C", ")", "C"]


@pytest.mark.parametrize("name", [name for name in HARD if name != "hydrogen"])
def test_each_atom_is_traced_to_the_symbol_that_spells_it(name: str) -> None:
    symbols = to_symbols(HARD[name], "selfies")
    mol = Chem.MolFromSmiles(selfies.decoder("".join(symbols)))
    found = atoms_by_symbol("".join(symbols))
    assert sorted(found) == list(range(mol.GetNumAtoms()))
    assert len(set(found.values())) == len(found)
    for atom, place in found.items():
        assert symbols[place].lstrip("[=#").startswith(mol.GetAtomWithIdx(atom).GetSymbol())


def test_atoms_are_traced_beyond_what_is_not_read_and_beyond_dots() -> None:
    # fluorine ends the first part: the decoder passes over [N][O]
    assert atoms_by_symbol("[C][F][N][O].[O][Cl]") == {0: 0, 1: 1, 2: 5, 3: 6}


@pytest.mark.parametrize("syntax", ["rings", "selfies"])
def test_a_substructure_is_traced_to_its_symbols(syntax: Syntax) -> None:
    symbols = to_symbols("CCOC(C)=O", syntax)
    text = "".join(symbols)
    places = places_of(text, "C(=O)O", syntax)
    assert sorted(symbols[place].strip("[=]") for place in places) == ["C", "O", "O"]
    assert places_of(text, "N", syntax) == places_of("", "N", syntax) == set()
    with pytest.raises(ValueError, match="'c1c' is no SMARTS"):
        places_of(text, "c1c", syntax)


def test_a_substructure_of_the_second_part_is_found_there() -> None:
    symbols = to_symbols("CC(=O)[O-].[Na+]", "selfies")
    assert [symbols[place] for place in places_of("".join(symbols), "[Na+]", "selfies")] == ["[Na+1]"]


def test_symbols_of_smiles_have_no_places() -> None:
    with pytest.raises(ValueError, match="a model of SMILES cannot tell"):
        places_of("CCO", "O", "smiles")
