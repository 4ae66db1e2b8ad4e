"""Letters of fragments: learnt, written down, read back; any row is a molecule or says that it is none."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rdkit")
pytest.importorskip("selfies")

from seiko.chemistry import FragmentAlphabet, flat, morgan_counts, tanimoto, to_symbols
from seiko.chemistry.strings import Syntax
from seiko.designs import Design

SMILES = """
CCO CC(=O)O CCN CC(C)O c1ccccc1 Cc1ccccc1 Oc1ccccc1 CC(=O)Nc1ccccc1 CCOC(C)=O c1ccncc1 CN1CCNCC1 C1CCCCC1 CC(N)=O
OCC1CC1 CCCl N#CC FC(F)F Clc1ccccc1 CCS CS(C)(=O)=O O=C1CCCN1 C1CCOC1 CNC CCCC COc1ccccc1 Nc1ccccc1 C1CC2CCC1C2
O=Cc1ccccc1 C[N+](C)(C)C CC(=O)[O-] C[NH3+].CC(=O)[O-]
""".split()  # noqa: SIM905


def learnt(size: int, syntax: Syntax = "selfies") -> FragmentAlphabet:
    return FragmentAlphabet.learn([to_symbols(smiles, syntax) for smiles in SMILES], size, syntax)


ALPHABET = learnt(60)
RINGS = learnt(60, "rings")
SPELT = learnt(40, "smiles")


def design(smiles: str) -> Design:
    return Design(flat(smiles) or "", "smiles")


@pytest.mark.parametrize(
    "alphabet", [ALPHABET, RINGS, SPELT, learnt(len(ALPHABET.symbols))], ids=["selfies", "rings", "smiles", "symbols"]
)
def test_molecules_are_written_as_they_were_read(alphabet: FragmentAlphabet) -> None:
    designs = [design(smiles) for smiles in SMILES]
    x = alphabet.read(designs)
    assert alphabet.write(x) == designs
    assert torch.equal(alphabet.read(designs, 30)[:, : x.shape[1]], x)
    assert bool((alphabet.read(designs, 30)[:, x.shape[1] :] == alphabet.empty).all())


def test_letters_are_groups_of_symbols_and_the_empty_one() -> None:
    assert len(ALPHABET) == 61
    assert (ALPHABET.letters[-1], ALPHABET.empty) == ("", 60)
    assert {*ALPHABET.symbols} <= {*ALPHABET.letters}
    assert any(len(ALPHABET.split(letter)) > 3 for letter in ALPHABET.letters)
    # the closure of a benzene ring is what stands together most often
    assert "[Ring1][=Branch1]" in "".join(max(ALPHABET.letters, key=len))
    row = ALPHABET.tokens("Cc1ccccc1")
    assert "".join(ALPHABET.letters[token] for token in row) == "".join(to_symbols("Cc1ccccc1", "selfies"))
    assert len(row) < len(to_symbols("Cc1ccccc1", "selfies")) / 2
    assert learnt(60) == ALPHABET


def test_no_merges_are_learnt_where_there_is_no_room() -> None:
    plain = learnt(len(ALPHABET.symbols))
    assert plain.merges == ()
    assert plain.letters == (*plain.symbols, "")
    with pytest.raises(ValueError, match=f"size must be at least the {len(plain.symbols)} symbols .* got 5"):
        learnt(5)


@pytest.mark.parametrize("alphabet", [ALPHABET, RINGS, SPELT], ids=["selfies", "rings", "smiles"])
def test_an_alphabet_survives_json(alphabet: FragmentAlphabet) -> None:
    again = FragmentAlphabet.from_fields(json.loads(json.dumps(dataclasses.asdict(alphabet))))
    assert again == alphabet
    assert hash(again) == hash(alphabet)
    assert again.tokens("CC(=O)Nc1ccccc1") == alphabet.tokens("CC(=O)Nc1ccccc1")


@pytest.mark.parametrize("syntax", ["rings", "selfies"])
def test_molecules_of_zinc_are_written_as_they_were_read(data_dir: Path, syntax: Syntax) -> None:
    with gzip.open(data_dir / "zinc250k_smiles.txt.gz", "rt") as file:
        zinc = random.Random(1).sample(file.read().split()[1:], 300)
    rows = [to_symbols(smiles, syntax) for smiles in zinc]
    alphabet = FragmentAlphabet.learn(rows, 200, syntax)
    designs = [design(smiles) for smiles in zinc]
    assert alphabet.write(alphabet.read(designs)) == designs
    letters = sum(map(len, alphabet.encode(rows)))
    assert letters < sum(map(len, rows)) / 2.5


@pytest.mark.parametrize("alphabet", [ALPHABET, RINGS], ids=["selfies", "rings"])
@settings(max_examples=150)
@given(data=st.data())
def test_any_row_is_a_molecule_or_invalid(alphabet: FragmentAlphabet, data: st.DataObject) -> None:
    row = data.draw(st.lists(st.integers(0, len(alphabet) - 1), max_size=14))
    (found,) = alphabet.write(torch.tensor([row], dtype=torch.int64).reshape(1, len(row)))
    if found.valid:
        assert found.kind == "smiles"
        assert flat(found.content) == found.content
        held = alphabet.holding(row, "*")
        assert sum(held) == 1, "each molecule has an atom, and that stands in one letter"
        assert alphabet.letters[row[held.index(True)]] != ""
    else:
        assert found == Design("".join(alphabet.letters[i] for i in row), "invalid")


@settings(max_examples=150)
@given(st.lists(st.integers(0, len(SPELT) - 1), max_size=10))
def test_any_row_of_smiles_is_a_molecule_or_invalid(row: list[int]) -> None:
    (found,) = SPELT.write(torch.tensor([row], dtype=torch.int64).reshape(1, len(row)))
    assert found.kind in ("smiles", "invalid")


def test_rubbish_is_invalid_and_keeps_its_text() -> None:
    plain = FragmentAlphabet(letters=("C", "1", "(", ""), symbols=("C", "1", "("), syntax="smiles")
    x = torch.tensor([[0, 1, 0, 3], [0, 2, 0, 3], [3, 3, 3, 3], [0, 3, 0, 3]])
    assert plain.write(x) == [
        Design("C1C", "invalid"),
        Design("C(C", "invalid"),
        Design("", "invalid"),
        Design("CC", "smiles"),
    ]
    branches = FragmentAlphabet(letters=("[Branch1]", "[C]", ""), symbols=("[Branch1]", "[C]"))
    assert branches.write(torch.tensor([[0, 2], [1, 2]])) == [Design("[Branch1]", "invalid"), Design("C", "smiles")]


@pytest.mark.parametrize("alphabet", [ALPHABET, RINGS], ids=["selfies", "rings"])
def test_where_a_substructure_stands(alphabet: FragmentAlphabet) -> None:
    row = alphabet.tokens("CC(=O)Nc1ccccc1") + [alphabet.empty] * 3
    ring, amide, none = (alphabet.holding(row, smarts) for smarts in ("c1ccccc1", "C(=O)N", "[Cl]"))
    assert not any(none)
    assert any(ring)
    assert any(amide)
    assert not any(ring[-3:] + amide[-3:])
    held = "".join(alphabet.letters[token] for token, there in zip(row, ring, strict=True) if there)
    assert held.count("C]") >= 6
    assert alphabet.holding([alphabet.empty] * 4, "C") == [False] * 4


@pytest.mark.parametrize(("syntax", "grammar"), [("selfies", {"[Ring1]", "[=Branch1]"}), ("rings", {"[r6]"})])
def test_the_whole_molecule_is_held_but_for_its_filling_and_its_grammar(syntax: Syntax, grammar: set[str]) -> None:
    plain = learnt(len(learnt(60, syntax).symbols), syntax)
    row = [plain.empty, *plain.tokens("Oc1ccccc1"), plain.empty]
    held = plain.holding(row, "Oc1ccccc1")
    assert held[0] is held[-1] is False
    free = {plain.letters[token] for token, there in zip(row, held, strict=True) if not there}
    assert free == {"", *grammar}


@pytest.mark.parametrize("alphabet", [ALPHABET, RINGS], ids=["selfies", "rings"])
def test_parts_of_a_salt_are_told_apart(alphabet: FragmentAlphabet) -> None:
    row = alphabet.tokens("C[NH3+].CC(=O)[O-]")
    letters = [alphabet.letters[token] for token in row]
    for smarts, symbol in (("[O-]", "[O-"), ("[NH3+]", "[N")):
        held = alphabet.holding(row, smarts)
        assert [symbol in letter for letter in letters] == held


def test_symbols_of_smiles_have_no_places() -> None:
    with pytest.raises(ValueError, match="a model of SMILES cannot tell"):
        SPELT.holding(SPELT.tokens("CC"), "C")
    with pytest.raises(ValueError, match="'c1c' is no SMARTS"):
        ALPHABET.holding(ALPHABET.tokens("CC"), "c1c")


@pytest.mark.parametrize(
    ("wrong", "length", "message"),
    [
        (Design("ACGT", "dna"), None, "design 'ACGT' is of kind 'dna', this model's are 'smiles'"),
        (Design("banana", "smiles"), None, "'banana' is no molecule"),
        (Design("CI", "smiles"), None, r"'CI' has \[I\], which this model does not know"),
        (Design("CCOCCOCCOCCO", "smiles"), 3, r"design 'CCOCCOCCOCCO' has \d+ letters, this model's have 3 at most"),
    ],
)
def test_a_design_that_does_not_fit_is_named(wrong: Design, length: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ALPHABET.read([design("CCO"), wrong], length)


@pytest.mark.parametrize(
    ("letters", "message"),
    [
        (("",), "at least two different fragments"),
        (("[C]", "[C]", ""), "at least two different fragments"),
        (("[C]", "[O]"), "the last letter, and no other, must be the empty one"),
        (("", "[O]"), "the last letter, and no other, must be the empty one"),
    ],
)
def test_letters_that_cannot_be_are_refused(letters: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FragmentAlphabet(letters=letters, symbols=("[C]", "[O]"))


def test_no_designs_are_no_rows() -> None:
    assert ALPHABET.read([]).shape == (0, 0)
    assert ALPHABET.read([], 7).shape == (0, 7)
    assert ALPHABET.write(torch.zeros(0, 7, dtype=torch.int64)) == []


def test_distance_is_that_of_fingerprints() -> None:
    x, z = ALPHABET.read([design(smiles) for smiles in SMILES[:6]], 12), ALPHABET.read([design("CCO")], 12)
    expected = 1 - tanimoto(morgan_counts([flat(smiles) or "" for smiles in SMILES[:6]]), morgan_counts(["CCO"]))
    torch.testing.assert_close(ALPHABET.distance(x, z), expected)
    assert float(ALPHABET.distance(z, z)) == 0


def test_what_is_no_molecule_is_read_as_the_empty_row() -> None:
    x = ALPHABET.read([Design("[Branch1]", "invalid"), design("CCO")])
    assert x[0].tolist() == [ALPHABET.empty] * x.shape[1]
    assert ALPHABET.write(x) == [Design("", "invalid"), design("CCO")]


@pytest.mark.parametrize("smiles", ["C[CH]C", "[CH3]", "C[SH4]C"])
def test_what_the_letters_would_turn_into_another_molecule_is_refused(smiles: str) -> None:
    with pytest.raises(ValueError, match="cannot be said in this model's letters: they would mean 'C"):
        RINGS.read([Design(flat(smiles) or "", "smiles")])
