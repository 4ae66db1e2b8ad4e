"""The present is a fold over the past, and a past that makes no sense is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from seiko.campaign.ledger import Event, LedgerCorrupted
from seiko.campaign.state import CalibrationReport, RoundReport, RunState, fold
from seiko.designs import Design
from seiko.oracles import Label

REPORT = RoundReport(
    round=1,
    labels_used=3,
    feasible=1.0,
    batch_mean=0.5,
    best=0.9,
    alpha=0.3,
    beta=0.02,
    kl_pretrained=1.0,
    kl_previous=1.0,
    believed_mean=0.6,
    diversity=3.0,
    distinct=1.0,
    prequential=CalibrationReport(n=3, r2=None, spearman=0.5, nll=1.0, coverage=1.0, rmse=0.1),
    held_out=None,
    samples=("AC", "GT"),
    seconds=1.5,
)


def row(id: str, content: str = "AC", **changes: Any) -> dict[str, Any]:
    return {"id": id, "content": content, "kind": "dna", "source": "fresh", "mean": None, "std": None} | changes


def asked(round: int, *rows: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "asked", {"round": round, "queries": list(rows)}


def told(**labels: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "told", {"labels": labels}


def advanced(report: RoundReport = REPORT, **changes: Any) -> tuple[str, dict[str, Any]]:
    return "advanced", {"report": json.loads(json.dumps(asdict(report))) | changes, "weights": "w", "fitted_to": 3}


OPENED = ("opened", {"recipe": {"type": "seiko.campaign.Recipe"}, "digest": "d"})
HALF = {"status": "value", "value": 0.5, "noise": None, "reason": None}
INFEASIBLE = {"status": "infeasible", "value": None, "noise": None, "reason": "no"}
FAILED = {"status": "failed", "value": None, "noise": None, "reason": "broke"}


def folded(*events: tuple[str, dict[str, Any]]) -> RunState:
    state = RunState()
    for seq, (kind, payload) in enumerate(events, start=1):
        fold(state, Event(seq, kind, payload, f"2026-01-0{seq}T00:00:00+00:00"))
    return state


def test_nothing_happened_yet() -> None:
    state = RunState()
    assert (state.round, state.charged, state.answered, state.last_seq) == (1, 0, 0, 0)
    assert state.pending() == []
    assert state.values() == []


def test_a_whole_round() -> None:
    state = folded(
        OPENED, asked(1, row("a"), row("b", "CC"), row("c", "GG"), row("d", "TT")), told(c=HALF, b=INFEASIBLE, d=FAILED)
    )
    assert state.opened_at == "2026-01-01T00:00:00+00:00"
    assert state.queries["b"].design == Design("CC")
    assert [query.id for query in state.pending()] == ["a"]
    assert state.pending(2) == []
    assert [query.id for query in state.asked(1)] == ["a", "b", "c", "d"]
    assert (state.charged, state.answered) == (3, 2)  # the failed measurement is not charged, the pending one is
    assert [(query.id, label) for query, label in state.values()] == [("c", Label(value=0.5))]
    assert state.last_seq == 3


def test_labels_that_came_after_a_fit_are_not_of_that_fit() -> None:
    state = folded(OPENED, asked(1, row("a"), row("b", "CC")), told(b=HALF), advanced(), told(a=HALF))
    assert [query.id for query, _ in state.values()] == ["a", "b"]  # in the order asked, not told
    assert [query.id for query, _ in state.values(state.fitted_to)] == ["b"]
    assert (state.round, state.fitted_to, state.weights) == (2, 3, ["w"])


def test_a_report_survives_its_json_and_keys_of_later_versions() -> None:
    state = folded(OPENED, asked(1, row("a")), told(a=HALF), advanced(REPORT, something_newer=5))
    assert state.reports == [REPORT]


@pytest.mark.parametrize(
    "event",
    [
        ("retracted", {}),
        ("opened", {}),
        ("asked", {}),
        ("asked", {"round": 1, "queries": 5}),
        ("asked", {"round": 1, "queries": ["a"]}),
        asked(1, {"id": "b"}),
        told(b=HALF),
        told(a=HALF | {"value": None}),
        told(a=HALF | {"status": "lost"}),
        told(a=HALF | {"value": "0.5"}),
        told(a={"worth": 1.0}),
        ("told", {"labels": ["a"]}),
        ("told", {}),
        ("advanced", {}),
        ("advanced", {"report": {"round": 1}, "weights": None, "fitted_to": 2}),
        ("advanced", {"report": ["round"], "weights": None, "fitted_to": 2}),
        advanced(prequential={"n": 3}),
        advanced(samples=None),
    ],
    ids=lambda event: f"{event[0]} {json.dumps(event[1])[:50]}",
)
def test_nonsense_is_refused_and_named(event: tuple[str, dict[str, Any]]) -> None:
    with pytest.raises(LedgerCorrupted, match=rf"event 3 \({event[0]}\) makes no sense: .*newer version of seiko"):
        folded(OPENED, asked(1, row("a")), event)
