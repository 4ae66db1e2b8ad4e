"""Result files of laboratories: wells, grids, replicates, other names and units; each mistake is named."""

from __future__ import annotations

from typing import Any

import pytest

from seiko.campaign.attach_file import parse_measured
from seiko.campaign.label_file import LabelFileError, Reading, parse_labels
from seiko.campaign.ledger import Event
from seiko.campaign.state import RunState, fold
from seiko.campaign.units import Units
from seiko.designs import Design
from seiko.oracles import Label

NAMES = ("1-0001", "1-0002", "1-0003", "1-0004")


def a_run(plates: int = 1) -> RunState:
    """Return a run of four queries, each twice on a plate of 96 beside two controls; row A is 1 1 2 2 3 3 4 4 + + -."""
    at = {f"A{i:02d}": [NAMES[(i - 1) // 2], 2 - i % 2] for i in range(1, 9)}
    rows = [
        {
            "name": f"P{p}",
            "wells": 96,
            "seed": 0,
            "at": {**at, "A09": ["0-wild", 2 * p - 1], "A10": ["0-wild", 2 * p], "A11": ["control:buffer", p]},
        }
        for p in range(1, plates + 1)
    ]
    row = {"kind": "dna", "source": "fresh", "mean": None, "std": None}
    events: list[tuple[str, dict[str, Any]]] = [
        ("opened", {"recipe": {}}),
        ("asked", {"round": 1, "queries": [{"id": id, "content": "ACGT"[i] * 4, **row} for i, id in enumerate(NAMES)]}),
        ("plated", {"plates": rows, "controls": [{"id": "0-wild", "content": "ACGT", "kind": "dna"}]}),
    ]
    state = RunState()
    for seq, (kind, payload) in enumerate(events, start=1):
        fold(state, Event(seq, kind, payload, ""))
    return state


def parsed(text: str, state: RunState | None = None, **reading: Any) -> dict[str, list[Label]]:
    return parse_labels(text.encode(), state or a_run(), "plate.csv", Reading(**reading))


GRID = "P1,1,2,3,4,5,6,7,8,9,10,11,12\nA,.1,.2,.3,,infeasible,,retry,failed,1,1.1,0,\nB" + "," * 12 + "\n"


@pytest.mark.parametrize(
    "text",
    [
        GRID,
        GRID.replace(",", "\t"),
        GRID.replace(",", ";").replace("P1", ""),
        GRID.replace("P1", "Read 1: OD600").replace("\nA", "\r\n a "),
        "well,value,status,retry\nA1,.1,,\nA2,.2,,\na03,.3,,\nA05,,infeasible,no\nA7,,failed,yes\nA8,,failed,\n"
        "A9,1,,\nA10,1.1,,\nA11,0,,\n",
        "well,value,status,retry,plate\nA1,.1,,,P1\nA2,.2,,,P1\na03,.3,,,P1\nA05,,infeasible,no,P1\n"
        "A7,,failed,yes,P1\nA8,,failed,,P1\nA9,1,,,P1\nA10,1.1,,,P1\n",
        "id,replicate,value,status,retry\n1-0001,1,.1,,\n1-0001,2,.2,,\n1-0002,,.3,,\n1-0003,1,,infeasible,\n"
        "1-0004,1,,failed,1\n1-0004,2,,failed,0\n0-wild,1,1,,\n0-wild,2,1.1,,\n",
    ],
)
def test_grids_wells_and_ids_are_read_alike(text: str) -> None:
    assert parsed(text) == {
        "1-0001": [Label(value=0.1), Label(value=0.2, replicate=2)],
        "1-0002": [Label(value=0.3)],
        "1-0003": [Label.infeasible("")],
        "1-0004": [Label.failed("", retry=True), Label(status="failed", reason="", replicate=2)],
        "0-wild": [Label(value=1.0), Label(value=1.1, replicate=2)],
    }


def test_a_file_says_which_plate_or_the_reader_does() -> None:
    two = a_run(2)
    assert parsed("well,value,plate\nA9,1,P2\n", two) == {"0-wild": [Label(value=1.0, replicate=3)]}
    assert parsed("well,value\nA9,1\n", two, plate="P2") == {"0-wild": [Label(value=1.0, replicate=3)]}
    assert parsed(GRID.replace("P1", "P2"), two)["0-wild"][0].replicate == 3
    with pytest.raises(LabelFileError, match=r"line 2, column plate: which plate is it\? .*there are P1, P2"):
        parsed("well,value\nA9,1\n", two)
    with pytest.raises(LabelFileError, match="there is no plate 'P7' in this run; there is P1, P2"):
        parsed("well,value\nA9,1\n", two, plate="P7")


def test_columns_of_other_names_and_other_units() -> None:
    text = "Sample;Readout;SD;value\n1-0001;100;10;not ours\n"
    found = parsed(
        text,
        columns={"id": "sample", "value": "Readout", "noise": "SD"},
        units=Units(scale=1e-2, minimise=True),
    )
    assert found == {"1-0001": [Label(value=-1.0, noise=0.1)]}
    json = '{"Sample": "1-0001", "Readout": 100}\n'
    assert parsed(json, columns={"id": "Sample", "value": "Readout"}) == {"1-0001": [Label(value=100.0)]}


@pytest.mark.parametrize(
    ("text", "reading", "line", "column", "message"),
    [
        ("well,value\nA12,1\n", {}, 2, "well", "there is nothing in 'A12' of plate P1"),
        ("well,value\nZ1,1\n", {}, 2, "well", "there is nothing in 'Z1' of plate P1"),
        ("well,value,plate\nA1,1,P2\n", {}, 2, "plate", "there is no plate 'P2'"),
        ("well,value\n,1\n", {}, 2, "id", "the id is empty"),
        ("well,value\nA1,1\na01,1\n", {}, 3, "id", "'1-0001' is on line 2 already"),
        ("well,value,id\nA1,1,1-0002\n", {}, 2, "well", "there is '1-0001' in A1, not '1-0002'"),
        ("well,value,replicate\nA1,1,2\n", {}, 2, "replicate", "replicate 1 of '1-0001' is in A1, not 2"),
        ("id,value,replicate\n1-0001,1,0\n", {}, 2, "replicate", "a whole number from 1, got 0"),
        ("id,value,replicate\n1-0001,1,1.5\n", {}, 2, "replicate", "a whole number from 1, got 1.5"),
        ("id,value,retry\n1-0001,1,perhaps\n", {}, 2, "retry", "must be yes or no, got 'perhaps'"),
        ("id,value,retry\n1-0001,1,yes\n", {}, 2, "retry", "only a failed measurement is repeated"),
        ("id,value,replicate\n1-0001,1,2\n1-0001,2,2\n", {}, 3, "id", "replicate 2 of '1-0001' is on line 2 already"),
        ("id,value\n1-0001,1\n", {"columns": {"value": "Readout"}}, 1, "readout", "the column is missing"),
        ("id,value\n1-0001,1\n", {"columns": {"worth": "value"}}, None, None, "no column 'worth' to be read"),
        ("id,value\n1-0001,1\n", {"columns": {"value": "x", "noise": "X"}}, None, None, "'x' is named for two"),
        ("id,value\n1-0001,0\n", {"units": Units(log10=True)}, 2, "value", "a logarithm needs a positive value"),
        (GRID.replace(",12\n", ",13\n"), {}, 1, None, "columns 1 to 12 or 1 to 24"),
        (GRID.replace("\nB", "\nI"), {}, 3, None, "the rows of a plate of 96 are A to H, got 'I'"),
        (GRID.replace("\nB", "\nA"), {}, 3, None, "row A is on line 2 already"),
        (GRID.replace(".3", "high"), {}, 2, "3", "must be a number, got 'high'"),
        (GRID.replace(",\nB", ",5\nB"), {}, 2, "12", "there is nothing in 'A12'"),
        (GRID.replace(",\nB", ",,5\nB"), {}, 2, None, "13 cells where the plate has 12 columns"),
        ("P1,1,2,3,4,5,6,7,8,9,10,11,12\n", {}, None, None, "a header but no rows"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, reading: Any, line: int | None, column: str | None, message: str) -> None:
    with pytest.raises(LabelFileError) as caught:
        parsed(text, **reading)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert message in str(caught.value)
    assert str(caught.value).endswith("nothing was taken")


def test_a_run_keeps_the_sense_of_its_labels() -> None:
    state = a_run()
    told = {"labels": {"1-0001": {"value": -2.0}}, "units": {"scale": 1.0, "log10": False, "minimise": True}}
    fold(state, Event(4, "told", told, ""))
    assert state.units == Units(minimise=True)
    with pytest.raises(LabelFileError, match="made with --minimise, these would be with neither --log10 nor"):
        parsed("id,value\n1-0002,1\n", state)
    assert parsed("id,value\n1-0002,1\n", state, units=Units(minimise=True, scale=2.0))


def test_wells_without_plates_mean_nothing() -> None:
    state = a_run(0)
    assert parsed("id,value,well\n1-0001,1,A1\n", state) == {"1-0001": [Label(value=1.0)]}
    with pytest.raises(LabelFileError, match="this run has no plates, so it has no wells"):
        parsed("well,value\nA1,1\n", state)


def test_measurements_that_were_not_asked_for() -> None:
    text = "sequence,value,status,replicate,strain\nACGT,1,,,x\nACGT,2,,,y\nTTTT,,infeasible,,\nCCCC,3,,2,\n"
    assert parse_measured(text.encode(), "dna", "old.csv", Reading(columns={"design": "sequence"})) == {
        Design("ACGT"): [Label(value=1.0), Label(value=2.0, replicate=2)],
        Design("TTTT"): [Label.infeasible("")],
        Design("CCCC"): [Label(value=3.0, replicate=2)],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,value\n1-0001,1\n", "line 1, column design: the column is missing"),
        ("design,value\n,1\n", "line 2, column design: the design is empty"),
        ("design,value\nACGT,\n", "line 2, column value: it is empty"),
        ("design,value,status\nACGT,,failed\n", "line 2, column status: a failed measurement says nothing"),
        ("design,value,replicate\nA,1,1\nA,2,1\n", "line 3, column replicate: replicate 1 of 'A' is on line 2"),
        ("", "the file is empty; it needs a header with design and value"),
    ],
)
def test_of_those_too_each_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(LabelFileError, match=message):
        parse_measured(text.encode(), "dna", "old.csv")
