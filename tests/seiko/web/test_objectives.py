"""Several properties on the page: where each stands, the front round by round, and the design browser."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("botorch")

from seiko.campaign import Objectives, Property, Query, RunState
from seiko.designs import Design
from seiko.oracles import Label
from seiko.web.objectives import several as found_of

LIMITED = Objectives(
    properties=(Property(name="a", at_least=2.0), Property(name="b", goal="min", at_most=3.0)), floor=-9.0
)
FRONT = Objectives(
    properties=(Property(name="a", reference=0.0), Property(name="b", goal="min", reference=4.0)), combine="pareto"
)


def state_of(objectives: Objectives, *rows: tuple[int, float, float]) -> RunState:
    state = RunState(recipe={})
    for i, (round, a, b) in enumerate(rows):
        id = f"{round}-{i:04d}"
        state.queries[id] = Query(id=id, design=Design("A" * (i + 1)), round=round, source="fresh")
        label = objectives.complete(id, Label(values=(("a", a), ("b", b))))
        state.labels[id], state.labelled_at[id] = label, i
    return state


def test_front_and_volume_grow_round_by_round() -> None:
    found = found_of(state_of(FRONT, (1, 1, 1), (1, 1, 3), (2, 2, 2)), FRONT)
    assert found is not None
    assert [(row.round, row.labels, row.on_front, row.volume) for row in found.rounds] == [
        (1, 2, 1, pytest.approx(3.0)),  # gains (1, 3)
        (2, 3, 2, pytest.approx(5.0)),  # and (2, 2): 3 + 2
    ]
    assert found.rounds[-1].best == (2, 1)
    assert [design.query.id for design in found.designs] == ["2-0002", "1-0000"]  # best overall first
    assert [row.last for row in found.properties] == [2, 2]
    assert found_of(RunState(recipe={}), FRONT) is None


def test_limits_are_counted_and_the_best_within_them_is_another() -> None:
    found = found_of(state_of(LIMITED, (1, 5, 9), (1, 3, 2), (1, 1, 0)), LIMITED)
    assert found is not None
    a, b = found.properties
    assert (a.best, a.best_id, a.allowed, a.within) == (5, "1-0000", 3, pytest.approx(2 / 3))
    assert (b.best, b.best_id, b.allowed, b.within) == (0, "1-0002", 2, pytest.approx(2 / 3))
    assert (a.limits, b.limits) == ("at least 2", "at most 3")
    assert (found.allowed, found.labels, found.limited) == (1, 3, True)
    assert found.designs[0].query.id == "1-0001"  # the one that keeps them


PLATE = b"id,potency,clearance\n1-0001,6,40\n1-0002,7,50\n1-0003,5.5,55\n"


def told(serve: Any, run: Path) -> Any:
    owner = serve(run).log_in()
    [id] = set(re.findall(r"/upload/([\w-]+)/take", owner.upload(PLATE).text))
    assert owner.post(f"/upload/{id}/take").status_code == 303
    return owner


def test_the_page_follows_the_labels(serve: Any, several: Path) -> None:
    served = serve(several)
    owner = served.log_in()
    text = owner.get("/objectives").text
    assert "No labels yet" in text
    assert 'href="/objectives" aria-current="page"' in text
    [stamp] = re.findall(r'name="version" value="([^"]+)"', text)
    assert owner.get(f"/objectives/live?version={stamp}").status_code == 204
    served.desk.tell({"1-0001": [Label(values=(("potency", 6.0), ("clearance", 40.0)))]})
    live = owner.get(f"/objectives/live?version={stamp}")
    assert live.status_code == 204  # figures are not drawn anew more often than every few seconds
    served.app.state.web.curves._least = 0
    live = owner.get(f"/objectives/live?version={stamp}")
    assert live.status_code == 200
    assert "<html" not in live.text
    assert "of 1 labelled designs" in live.text


def test_what_several_properties_have_come_to(serve: Any, several: Path) -> None:
    owner = told(serve, several)
    text = owner.get("/objectives").text
    assert "<strong>2</strong><span>of 3 labelled designs" in text
    assert "beyond 5" in text
    assert "less is better" in text
    # gains (1, 2), (2, 1), (.5, .5): 2 + 1
    assert '<td class="n">3</td><td class="n">2</td><td class="n">3</td>' in text
    assert '<strong>40.00</strong> <small><a href="/designs/1-0001">' in text
    for name in ("front", "hypervolume"):
        assert owner.get(f"/figures/{name}.svg").status_code == 200
        assert f"/figures/{name}.svg?at=" in owner.get("/").text
    assert "2 of 3 labelled designs are on the front" in owner.get("/").text


def test_a_run_with_one_objective_has_no_such_page(serve: Any, sequences: Path) -> None:
    owner = serve(sequences).log_in()
    assert owner.get("/objectives").status_code == 404
    assert "/objectives" not in owner.get("/").text
    assert owner.get("/figures/front.svg").status_code == 404


def test_designs_are_sorted_by_each_property(serve: Any, several: Path) -> None:
    owner = told(serve, several)

    def order(address: str) -> list[str]:
        return re.findall(r'<td class="id">(?:<a[^>]*>)?(1-[0-9]{4})', owner.get(address).text)

    assert order("/designs?sort=of.clearance&down=1") == ["1-0003", "1-0002", "1-0001", "1-0004"]
    assert order("/designs?sort=of.potency&down=1")[0] == "1-0002"
    assert order("/designs?sort=of.nothing") == [f"1-000{i}" for i in range(1, 5)]  # as if it were not there
    assert 'data-name="potency">7.000<' in owner.get("/designs").text


def test_the_batch_of_several_is_filled_in_and_told(serve: Any, several: Path) -> None:
    owner = told(serve, several)
    rows = list(csv.DictReader(io.StringIO(owner.get("/designs.csv").text)))
    assert [(row["id"], row["potency"], row["clearance"]) for row in rows][:2] == [
        ("1-0001", "6.0", "40.0"), ("1-0002", "7.0", "50.0"),
    ]  # fmt: skip
    rows[3] |= {"potency": "8", "clearance": "30"}
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    preview = owner.upload(text.getvalue().encode()).text
    assert "<strong>1</strong> label would be taken, 3 are known already" in preview
    assert '<th scope="col" class="n">potency</th>' in preview


def test_a_missing_property_is_named_by_line_and_column(serve: Any, several: Path) -> None:
    owner = serve(several).log_in()
    wrong = owner.upload(b"id,potency,clearance\n1-0001,6,\n")
    assert wrong.status_code == 422
    assert "<strong>Line 2, column clearance:</strong>" in wrong.text


def test_scores_are_not_asked_for_where_properties_are_measured(serve: Any, several: Path) -> None:
    anna = serve(several).log_in("anna")
    text = anna.get("/rate").text
    assert "Nothing is asked of people here" in text
    assert 'name="score"' not in text
