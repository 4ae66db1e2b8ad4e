"""Places on plates: every measurement once, drawn by the seed alone, on as many plates as it takes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.plates import Plate, lay_out, well_name, well_names


def measurements(n: int, replicates: int = 1) -> list[list[tuple[str, int]]]:
    return [[(f"1-{i:04d}", r) for r in range(1, replicates + 1)] for i in range(1, n + 1)]


def test_wells_have_the_names_that_laboratories_use() -> None:
    assert well_names(96)[:13] == [*(f"A{i:02d}" for i in range(1, 13)), "B01"]
    assert (well_names(96)[-1], well_names(384)[-1], len(well_names(384))) == ("H12", "P24", 384)
    with pytest.raises(ValueError, match="a plate has 96 or 384 wells, got 100"):
        well_names(100)
    assert [well_name(text) for text in ("a1", " A01 ", "A001", "P24")] == ["A01", "A01", "A01", "P24"]
    assert [well_name(text) for text in ("A0", "1A", "AA1", "A123", "", "Ä1")] == [None] * 6


@given(st.integers(1, 120), st.integers(1, 3), st.integers(0, 8), st.sampled_from([96, 384]), st.integers(0, 2**40))
def test_every_measurement_has_one_well(n: int, replicates: int, controls: int, wells: int, seed: int) -> None:
    queries, beside = measurements(n, replicates), [("0-wild", r) for r in range(1, controls + 1)]
    plates = lay_out(queries, beside, wells=wells, seed=seed, first=3)
    assert [plate.name for plate in plates] == [f"P{i}" for i in range(3, 3 + len(plates))]
    held = Counter(measurement for plate in plates for measurement in plate.at.values())
    assert set(held.values()) == {1}
    assert {m for m in held if m[0] != "0-wild"} == {m for query in queries for m in query}
    for number, plate in enumerate(plates):
        assert set(plate.at) == set(well_names(wells)[: len(plate.at)])
        own = sorted(r for id, r in plate.at.values() if id == "0-wild")
        assert own == [r + number * controls for r in range(1, controls + 1)]
        queries_here = Counter(id for id, _ in plate.at.values() if id != "0-wild")
        assert set(queries_here.values()) == {replicates}
        assert Plate.from_row(plate.row(), plate.seq) == plate


def test_places_are_a_matter_of_the_seed() -> None:
    one, same, other = (lay_out(measurements(96), [], wells=96, seed=seed, first=1)[0].at for seed in (1, 1, 2))
    assert one == same
    assert list(one.values()) != list(other.values())
    ranks = [int(id[2:]) for id, _ in one.values()]
    moved = sum(abs(rank - place) for place, rank in enumerate(ranks, start=1)) / 96
    assert 25 < moved < 40, "the mean distance of a random permutation is n / 3"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="95 controls and 2 replicates of a query do not fit into 96 wells"):
        lay_out(measurements(1, 2), [("0-wild", r) for r in range(1, 96)], wells=96, seed=0, first=1)


@pytest.mark.parametrize("at", [{"Z9": ["1-0001", 1]}, {"A01": [1, 1]}, {"A01": ["1-0001", "1"]}, {"A01": ["1-0001"]}])
def test_a_plate_that_makes_no_sense_is_refused(at: dict[str, list[object]]) -> None:
    with pytest.raises(ValueError, match=r"well|unpack"):
        Plate.from_row({"name": "P1", "wells": 96, "seed": 0, "at": at}, 1)
