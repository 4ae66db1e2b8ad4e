"""Label files with a column for each property."""

from __future__ import annotations

import pytest

from seiko.campaign import Objectives, Property, Query, RunState
from seiko.campaign.attach_file import parse_measured
from seiko.campaign.label_file import LabelFileError, Reading, parse_labels
from seiko.campaign.units import Units
from seiko.config import to_json
from seiko.designs import Design
from seiko.oracles import Label

OBJECTIVES = Objectives(properties=(Property(name="qed", weight=2.0), Property(name="sa", goal="min")))


@pytest.fixture
def state() -> RunState:
    queries = {id: Query(id=id, design=Design(id), round=1, source="fresh") for id in ("1-0001", "1-0002")}
    return RunState(recipe={"objectives": to_json(OBJECTIVES)}, queries=queries)


def test_numbers_of_every_property_become_one(state: RunState) -> None:
    text = b"id,sa,qed,status,note\n1-0001,3.0,0.6,,mine\n1-0002,,,infeasible,\n"
    labels = parse_labels(text, state)
    assert labels["1-0001"] == [Label(value=(2 * 0.6 - 3.0) / 3, values=(("qed", 0.6), ("sa", 3.0)))]
    assert labels["1-0002"][0].status == "infeasible"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,qed\n1-0001,.5\n", "column sa: the column is missing"),
        ("id,qed,sa\n1-0001,.5,\n", "line 2, column sa: it is empty; each property is needed"),
        ("id,qed,sa\n1-0001,.5,x\n", "line 2, column sa: must be a number, got 'x'"),
        ("id,qed,sa,status\n1-0001,.5,,failed\n", "line 2, column qed: a row with status failed has no numbers"),
        ("id,qed,sa,value\n1-0001,.5,1,7\n", "line 2, column value: .*has the value 7.0, its properties make it 0"),
    ],
)
def test_what_is_wrong_is_named(state: RunState, text: str, message: str) -> None:
    with pytest.raises(LabelFileError, match=f"{message}.*nothing was taken"):
        parse_labels(text.encode(), state)


def test_units_of_one_number_are_refused(state: RunState) -> None:
    with pytest.raises(LabelFileError, match="are for one number"):
        parse_labels(b"id,qed,sa\n1-0001,.5,1\n", state, reading=Reading(units=Units(log10=True)))


def test_measurements_of_before_have_all_properties() -> None:
    old = parse_measured(b"design,sa,qed\nCCO,3.0,0.6\nCCO,1.0,0.6\n", "smiles", objectives=OBJECTIVES)
    assert old == {
        Design("CCO", "smiles"): [
            Label(value=(2 * 0.6 - 3.0) / 3, values=(("qed", 0.6), ("sa", 3.0))),
            Label(value=(2 * 0.6 - 1.0) / 3, values=(("qed", 0.6), ("sa", 1.0)), replicate=2),
        ]
    }
    with pytest.raises(LabelFileError, match="line 2, column sa: it is empty; each property is needed"):
        parse_measured(b"design,sa,qed\nCCO,,0.6\n", "smiles", objectives=OBJECTIVES)
    with pytest.raises(LabelFileError, match="are for one number"):
        parse_measured(
            b"design,sa,qed\nCCO,1,0.6\n", "smiles", reading=Reading(units=Units(scale=2.0)), objectives=OBJECTIVES
        )
