"""Designs: one key for one design, and whether it is one at all."""

from __future__ import annotations

from seiko.designs import INVALID, Design


def test_a_key_is_of_kind_and_content() -> None:
    assert Design("ACGT").key == Design("ACGT", "dna").key
    assert len({Design("C", kind).key for kind in ("dna", "protein", "smiles", INVALID)}) == 4
    assert Design("C", "smiles").key != Design("CC", "smiles").key
    assert len(bytes.fromhex(Design("C", "smiles").key)) == 8


def test_what_is_invalid_is_no_design() -> None:
    assert Design("CCO", "smiles").valid
    assert Design("ACGT").valid
    assert not Design("C1CC", INVALID).valid
    assert INVALID == "invalid", "ledgers hold it"
