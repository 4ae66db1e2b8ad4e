"""Designs: one key for one design, and whether it is one at all."""

from __future__ import annotations

from seiko.designs import IMAGE, INVALID, Design


def test_a_key_is_of_kind_and_content() -> None:
    assert Design("ACGT").key == Design("ACGT", "dna").key
    assert len({Design("C", kind).key for kind in ("dna", "protein", "smiles", INVALID)}) == 4
    assert Design("C", "smiles").key != Design("CC", "smiles").key
    assert len(bytes.fromhex(Design("C", "smiles").key)) == 8


def test_keys_that_ledgers_hold_stay() -> None:
    assert Design("ACGT").key == "5bf32e905c22fc32"
    assert Design("CCO", "smiles").key == "16e63c76844ce177"


def test_the_prompt_is_part_of_what_a_design_is_and_the_file_is_not() -> None:
    a = Design("0f", IMAGE, "a cat", b"one")
    assert a == Design("0f", IMAGE, "a cat", b"two")
    assert hash(a) == hash(Design("0f", IMAGE, "a cat"))
    assert "one" not in repr(a)
    assert a != Design("0f", IMAGE, "a dog", b"one")
    assert len({Design("0f", IMAGE, prompt).key for prompt in (None, "", "a cat", "a dog")}) == 4


def test_what_is_invalid_is_no_design() -> None:
    assert Design("CCO", "smiles").valid
    assert Design("ACGT").valid
    assert Design("0f", IMAGE).valid
    assert not Design("C1CC", INVALID).valid
    assert INVALID == "invalid", "ledgers hold it"
    assert IMAGE == "image", "ledgers hold it"
