"""The front and its hypervolume on the page."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("botorch")

from seiko.campaign import Objectives, Property, Query, RunState
from seiko.designs import Design
from seiko.oracles import Label
from seiko.report import ReportData, render
from seiko.report.data import FrontData
from seiko.report.front import front_data, front_panels

OBJECTIVES = Objectives(
    properties=(Property(name="a", reference=0.0), Property(name="b", goal="min", reference=4.0)), combine="pareto"
)


def a_state(*rows: tuple[float, float]) -> RunState:
    state = RunState(recipe={})
    for i, (a, b) in enumerate(rows):
        id = f"1-{i:04d}"
        state.queries[id] = Query(id=id, design=Design("A" * (i + 1)), round=1, source="fresh")
        state.labels[id], state.labelled_at[id] = Label(value=0.0, values=(("a", a), ("b", b))), i
    return state


def found(*rows: tuple[float, float]) -> FrontData:
    data = front_data(a_state(*rows), OBJECTIVES)
    assert data is not None
    return data


def test_less_of_b_is_better() -> None:
    data = found((1.0, 1.0), (2.0, 2.0), (1.0, 3.0))
    assert data.front == (True, True, False)
    # gains (1, 3), (2, 2), (1, 1): 3, then 1 x 3 + 1 x 2
    assert [volume for _, volume in data.hypervolume] == pytest.approx([3.0, 5.0, 5.0])


def test_without_references_the_worst_that_was_measured_stands_for_them() -> None:
    objectives = Objectives(properties=(Property(name="a"), Property(name="b")))
    data = front_data(a_state((1.0, 3.0), (3.0, 1.0), (2.0, 2.0)), objectives)
    assert data is not None
    assert data.hypervolume[-1][1] == pytest.approx(1.0)
    assert front_data(RunState(recipe={}), objectives) is None


def test_the_panels_say_what_they_show() -> None:
    front, volume = front_panels(found((1.0, 1.0), (2.0, 2.0), (1.0, 3.0)))
    assert front.title == "A and b"
    assert "the 2 that no other dominates" in front.caption
    assert "b (less is better)" in str(front.wide)
    assert "5 after 3" in str(volume.wide)


def test_the_page_has_them_only_with_several_objectives() -> None:
    plain = ReportData(
        title="t", recipe_name="r", run_name="n", seiko_version="0", created_at="", budget=4, labels_used=2,
        rounds_planned=2, seed=0, recipe_json="{}",
    )  # fmt: skip
    assert "Several objectives" not in render(plain)
    page = render(dataclasses.replace(plain, front=found((1.0, 1.0), (2.0, 2.0))))
    assert "Several objectives" in page
    assert page.count("<svg") >= 2
