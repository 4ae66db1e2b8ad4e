"""What is never sent: by substructure, by property, and what is no design at all."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rdkit")

from seiko import config
from seiko.campaign import PropertyRange, Substructure
from seiko.campaign.screens import sendable
from seiko.designs import INVALID, Design


def designs(*smiles: str) -> list[Design]:
    return [Design(text, "smiles") for text in smiles]


def test_a_substructure_must_be_there_or_must_not() -> None:
    found = designs("Oc1ccccc1", "CCO", "c1ccccc1")
    assert Substructure(smarts="c1ccccc1")(found) == [True, False, True]
    assert Substructure(smarts="c1ccccc1", wanted=False)(found) == [False, True, False]
    assert Substructure(smarts="[OH]")(found) == [True, True, False]
    assert Substructure(smarts="C", wanted=False)(designs("banana")) == [False]
    assert Substructure(smarts="C")([]) == []


def test_a_property_lies_in_a_range() -> None:
    found = designs("C", "CCO", "c1ccccc1")  # 16.0, 46.1 and 78.1 daltons
    assert PropertyRange(descriptor="weight", high=50.0)(found) == [True, True, False]
    assert PropertyRange(descriptor="weight", low=40.0)(found) == [False, True, True]
    assert PropertyRange(descriptor="weight", low=40.0, high=50.0)(found) == [False, True, False]
    assert PropertyRange(descriptor="largest_ring", low=6, high=6)(found) == [False, False, True]
    assert PropertyRange(descriptor="heavy_atoms", low=1, high=3)(found) == [True, True, False], (
        "both ends belong to it"
    )
    assert PropertyRange(descriptor="weight", high=50.0)([]) == []


def test_what_is_no_design_is_refused_without_being_asked_for() -> None:
    found = [Design("C1CC", INVALID), *designs("CCO", "c1ccccc1"), Design("", INVALID), *designs("CCN")]
    assert sendable(found, ()) == [1, 2, 4]
    assert sendable(found, (PropertyRange(descriptor="rings", high=0),)) == [1, 4]
    both = (PropertyRange(descriptor="rings", high=0), Substructure(smarts="N"))
    assert sendable(found, both) == sendable(found, both[::-1]) == [4]
    assert sendable([], both) == []


def test_screens_travel_as_json() -> None:
    for screen in (Substructure(smarts="[OH]", wanted=False), PropertyRange(descriptor="sa", high=4.0)):
        assert config.from_json(config.to_json(screen)) == screen


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Substructure(smarts="c1c"), "'c1c' is no SMARTS"),
        (lambda: Substructure(smarts=""), "'' is no SMARTS"),
        (lambda: PropertyRange(descriptor="beauty"), "no property is called 'beauty'; there are: .*weight"),
        (
            lambda: PropertyRange(descriptor="sa", low=4.0, high=3.0),
            "the range of sa must not be empty, got 4.0 to 3.0",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
