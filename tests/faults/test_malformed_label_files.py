"""Label files that somebody mangled: a sentence with a line, or all of it taken; never a traceback, never a half.

A few hundred in the suite; SEIKO_MALFORMED=10000 says how many of each kind.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from seiko.campaign.attach_file import parse_measured
from seiko.campaign.label_file import LabelFileError, Reading, parse_labels
from seiko.campaign.ledger import Event, Ledger, NewEvent
from seiko.campaign.state import RunState, fold
from seiko.campaign.taking import label_rows, new_labels
from seiko.cli import app
from seiko.designs import Design
from seiko.oracles import Label
from seiko_bench.fuzz_targets import READINGS

MALFORMED = int(os.environ.get("SEIKO_MALFORMED", "200"))
many = settings(max_examples=MALFORMED, deadline=None, suppress_health_check=[HealthCheck.too_slow])

IDS = [f"1-{i:04d}" for i in range(1, 9)]
DESIGN = {"kind": "dna", "source": "fresh", "mean": None, "std": None}
STORY: list[tuple[str, dict[str, Any]]] = [
    ("opened", {"recipe": {"type": "seiko.campaign.Recipe", "budget": 20, "rounds": 2}, "digest": "d"}),
    ("asked", {"round": 1, "queries": [{"id": id, "content": "ACGT" + id, **DESIGN} for id in IDS]}),
    ("plated", {
        "plates": [{"name": "P1", "wells": 96, "seed": 0, "at": {
            **{f"A{i + 1:02d}": [id, 1] for i, id in enumerate(IDS)},
            **{f"B{i + 1:02d}": [id, 2] for i, id in enumerate(IDS)}, "C01": ["control:buffer", 1]}}],
        "controls": [],
    }),
    ("told", {"labels": {IDS[0]: {"value": 0.5}, IDS[1]: {"status": "infeasible", "reason": "no"}}}),
    ("retracted", {"ids": [IDS[0]], "reason": "wrong", "replicate": None}),
    ("abandoned", {"ids": [IDS[7]], "reason": "lost"}),
]  # fmt: skip


def a_run() -> RunState:
    state = RunState()
    for seq, (kind, payload) in enumerate(STORY, start=1):
        fold(state, Event(seq, kind, payload, "2026-01-01T00:00:00+00:00"))
    return state


LONG = "id,value,noise,status,reason,retry,replicate,design\n" + "".join(
    f"{id},0.{i},,,,,,\n" for i, id in enumerate(IDS)
)
WELLS = "plate;well;value;status\n" + "".join(f"P1;A{i};{i / 10};\n" for i in range(1, 9)) + "P1;C1;0;\n"
GRID = "P1," + ",".join(map(str, range(1, 13))) + "\n" + "".join(
    f"{row}," + ",".join("0.5" if row in "AB" and i < 8 else "" for i in range(12)) + "\n" for row in "ABCDEFGH"
)  # fmt: skip
JSON = "".join(json.dumps({"id": id, "value": i / 10, "reason": "well"}) + "\n" for i, id in enumerate(IDS))
GOOD = (LONG, WELLS, GRID, JSON, LONG.replace(",", "\t"))

TROUBLE = st.sampled_from(
    [
        *("", ",", ";", "\t", "\n", "\r", "\r\n", '"', "'", "\0", "\ufeff", "\x1c", "\x85", "\u2028", "\u0663", " "),
        *("nan", "NaN", "-inf", "1e999", "0,5", "0.5.5", "1_000", "0x10", "--1", "+", "1e", "NULL", "=1+1", "None"),
        *("id", "value", "well", "plate", "design", "status", "failed", "infeasible", "retry", "yes", "replicate"),
        *("A01", "Z99", "P1", "P2", *IDS[:2], "9-9999", "{", "}", "[", "]", "{}", '{"id": 1}', "1" * 400, "9" * 5000),
        *(
            '{"id": "1-0001", "value": 1',
            "[" * 2000,
            '{"a":' * 400,
            '"value": 1e400',
            '"value": true',
            "é",
            "\U0001f9ea",
        ),
    ]
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Return a good file with a few bytes cut out, put in, doubled or turned around."""
    data = draw(st.sampled_from(GOOD)).encode()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        match draw(st.integers(0, 5)):
            case 0:
                data = data[:at] + data[end:]
            case 1:
                data = data[:at] + draw(TROUBLE).encode() + data[at:]
            case 2:
                data = data[:at] + draw(TROUBLE).encode() + data[end:]
            case 3:
                data = data[:end] + data[at:]
            case 4:
                lines = data.split(b"\n")
                which = draw(st.integers(0, len(lines) - 1))
                data = b"\n".join([*lines[:which], lines[which], lines[which], *lines[which + 1 :]])
            case 5:
                data = data[:at] + draw(st.binary(max_size=3)) + data[at:]
    return data


@many
@given(mangled(), st.sampled_from(READINGS))
def test_a_file_is_taken_whole_or_refused_with_a_sentence(data: bytes, reading: Reading) -> None:
    state = a_run()
    before = copy.deepcopy(state)
    try:
        labels = parse_labels(data, state, "plate.csv", reading)
    except LabelFileError as error:
        refused: LabelFileError | None = error
    else:
        refused = None
    if refused is not None:
        assert str(refused).startswith("plate.csv")
        assert str(refused).endswith("nothing was taken")
        assert len(str(refused)) < 2000
        assert refused.line is None or 1 <= refused.line <= data.count(b"\n") + data.count(b"\r") + 1
        assert state == before
        return
    assert state == before, "reading changes nothing"
    new = new_labels(state, labels)
    payload = json.loads(json.dumps({"labels": {id: label_rows(found) for id, found in new.items()}}, allow_nan=False))
    fold(state, Event(len(STORY) + 1, "told", payload, ""))
    for id, found in labels.items():
        standing = {label.replicate: label for label in state.standing(id)}
        for label in found:
            if label.status != "failed" and not (id == IDS[0] and label.value == 0.5):  # that one was retracted
                assert standing[label.replicate] == label
    assert new_labels(state, labels) == {}, "the same file again says nothing new"


@many
@given(mangled(), st.sampled_from(READINGS))
def test_so_are_measurements_that_were_not_asked_for(data: bytes, reading: Reading) -> None:
    data = data.replace(b"id", b"design", 1)
    try:
        measured = parse_measured(data, "dna", "old.csv", reading, lambda design: len(design.content) < 50)
    except LabelFileError:
        return
    assert all(isinstance(design, Design) and labels for design, labels in measured.items())
    numbers = [[label.replicate for label in labels] for labels in measured.values()]
    assert all(len(set(given)) == len(given) for given in numbers)
    assert all(
        isinstance(label, Label) and label.status != "failed" for labels in measured.values() for label in labels
    )


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "waiting"
    with Ledger.create(place) as ledger:
        ledger.append([NewEvent(kind, payload) for kind, payload in STORY], expected=0)
    return place


@settings(max_examples=max(20, MALFORMED // 10), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=mangled())
def test_no_traceback_reaches_a_user(waiting: Path, data: bytes) -> None:
    with Ledger.open(waiting) as ledger:
        before = len(ledger)
    invoke: Callable[..., Any] = CliRunner().invoke
    result = invoke(app, ["tell", str(waiting), "-", "--dry-run"], input=data, prog_name="seiko")
    assert result.exit_code in (0, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert (result.exit_code == 0) == ("nothing was taken" in result.stderr and "would be taken" in result.stderr)
    with Ledger.open(waiting) as ledger:
        assert len(ledger) == before
