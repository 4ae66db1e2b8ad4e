"""Molecules: parsing in silence, one spelling, scaffolds."""

from __future__ import annotations

import pytest

pytest.importorskip("rdkit")

from seiko.chemistry import canonical, murcko, parse

REFUSED = ["", " ", "CC(", "C(C)(C)(C)(C)C", "c1ccc1c", "CCO ethanol", "CCO\n", "\u0441", "banana"]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_molecule_is_none_in_silence(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    parse.cache_clear()
    assert parse(text) is None
    assert canonical(text) is None
    assert murcko(text) is None
    assert capfd.readouterr() == ("", "")


def test_one_molecule_has_one_spelling() -> None:
    assert canonical("OCC") == canonical("C(O)C") == "CCO"
    assert canonical("F[C@H](Cl)Br") != canonical("F[C@@H](Cl)Br")
    assert canonical("C1=CC=CC=C1") == "c1ccccc1"


def test_molecules_are_shared() -> None:
    assert parse("CCO") is parse("CCO")


def test_scaffolds() -> None:
    assert murcko("CCCc1ccccc1CC1CC1O") == canonical("c1ccccc1CC1CC1")
    assert murcko("CCO") == ""
