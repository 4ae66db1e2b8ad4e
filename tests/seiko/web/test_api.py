"""The interface for programs, and that no request whatever makes it fail."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from typer.testing import CliRunner

from seiko.campaign import Campaign
from seiko.cli import app as command_line

schemathesis = pytest.importorskip("schemathesis")

REQUESTS = 25  # of each operation, in the quick tests
MANY = 1300  # of each operation: 10,400 in all


class Program:
    def __init__(self, served: Any) -> None:
        self.client = served.client()
        self.headers = {"Authorization": f"Bearer {served.tokens['owner']}"}

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/api/v1{path}", json=body, headers=self.headers)


def test_a_program_goes_round(serve: Any, recipe: Any, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "run", recipe):
        pass
    served = serve(tmp_path / "run")
    program, jobs = Program(served), served.app.state.web.jobs
    assert program.get("/job").json() is None
    assert program.post("/advance", {}).status_code == 409  # nothing was asked
    assert program.post("/ask", {"n": 49}).status_code == 409  # more than the budget
    started = program.post("/ask", {"n": 4})
    assert (started.status_code, started.json()["job"]["status"]) == (202, "running")
    assert program.post("/ask", {"n": 4}).status_code == 409  # busy
    jobs.wait(120)
    again = program.post("/ask", {"n": 4})
    assert (again.status_code, again.json()["job"]) == (200, None)
    queries = again.json()["queries"]
    assert queries == program.get("/queries").json()
    assert len(program.get("/queries?limit=2").json()) == 2
    assert program.post("/advance", {}).status_code == 409  # labels are missing
    labels = [{"id": query["id"], "value": query["design"].count("A") / 6} for query in queries]
    labels[0] = {"id": queries[0]["id"], "status": "infeasible", "reason": "no product"}
    assert program.post("/tell", {"labels": labels}).json() == {"taken": 4, "known": 0, "pending": 0}
    assert program.post("/tell", {"labels": labels}).json() == {"taken": 0, "known": 4, "pending": 0}
    assert program.post("/advance", {}).status_code == 202
    jobs.wait(120)
    assert program.get("/job").json()["result"] == "round 1 is finished"
    status = program.get("/status").json()
    assert (status["rounds_finished"], status["labels_used"], status["round"]) == (1, 4, 2)


def test_status_says_what_the_command_line_says(serve: Any, sequences: Path) -> None:
    program = Program(serve(sequences))
    program.post("/tell", {"labels": [{"id": "1-0001", "value": 0.5}]})
    spoken = json.loads(CliRunner().invoke(command_line, ["status", str(sequences), "--json"]).stdout)
    status = program.get("/status").json()
    shared = set(status) & set(spoken) - {"run"}
    assert {"budget", "labels_used", "labels_left", "round", "asked", "pending", "best", "done"} <= shared
    assert {name: status[name] for name in shared} == {name: spoken[name] for name in shared}


@pytest.mark.parametrize(
    ("labels", "code", "says"),
    [
        ([{"id": "1-0001", "value": None}], 422, "needs a finite number"),
        ([{"id": "1-0001", "value": 1, "status": "failed"}], 422, "has no value"),
        ([{"id": "1-0001", "value": 1, "noise": -1}], 422, "noise"),
        ([{"id": "1-0001", "value": 1}, {"id": "9-0001", "value": 1}], 404, "was never asked"),
        ([{"id": "1-0001", "value": 1}, {"id": "1-0001", "value": 1}], 422, "is there twice"),
        ([{"id": "1-0001", "valve": 1}], 422, "valve"),
        ([], 422, "at least 1"),
    ],
)
def test_all_labels_or_none(serve: Any, sequences: Path, labels: Any, code: int, says: str) -> None:
    served = serve(sequences)
    answer = Program(served).post("/tell", {"labels": labels})
    assert answer.status_code == code
    assert says in answer.json()["detail"]
    with served.desk.reading() as state:
        assert not state.labels


def test_an_image_comes_as_a_file(serve: Any, images: Path) -> None:
    program = Program(serve(images))
    assert program.get("/queries/1-0001/file").content.startswith(b"\x89PNG")
    assert program.get("/queries/9-0001/file").status_code == 404


def test_what_is_no_json(serve: Any, sequences: Path) -> None:
    program = Program(serve(sequences))
    for content in (b"", b"{", b"NaN", b'{"labels": [{"id": "1-0001", "value": NaN}]}', b"\xff"):
        headers = {**program.headers, "content-type": "application/json"}
        answer = program.client.post("/api/v1/tell", content=content, headers=headers)
        assert answer.status_code in (400, 422), content
        assert answer.json()["detail"]


class NoJobs:
    """Says that it is busy: ten thousand processes would test the machine, not the interface."""

    current = None

    def start(self, verb: str, **arguments: Any) -> Any:
        from seiko.web.jobs import Busy

        raise Busy("the server is busy: wait for it, or stop it")

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def fuzz(place: Path, examples: int) -> int:
    """Send requests of every operation, good and bad ones, and return how many were sent."""
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    from seiko.web import Access, Options, create_app
    from seiko.web.desk import Desk

    access, links = Access.prepare(None, [])
    desk = Desk(str(place))
    options = Options(hosts=("*",), posts_a_second=1e9, burst=10**9, logins_a_minute=1e9, body_bytes=4096)
    app = create_app(desk, access, options, jobs=NoJobs())  # type: ignore[arg-type]
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    headers = {"Authorization": f"Bearer {links[0].token}"}
    sent = 0
    checks = [
        schemathesis.checks.not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    for result in schema.get_all_operations():
        operation = result.ok()
        strategies = [
            operation.as_strategy(generation_mode=mode)
            for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
        ]

        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(case=hypothesis.strategies.one_of(strategies))
        def one(case: Any) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate(headers=headers, checks=checks)

        one()
    with desk.reading() as state:
        assert set(state.labels) <= {"1-0001", "1-0002", "1-0003", "1-0004"}
    desk.close()
    return sent


def test_no_request_whatever_is_a_fault(sequences: Path) -> None:
    assert fuzz(sequences, REQUESTS) > 4 * REQUESTS


@pytest.mark.slow
def test_ten_thousand_requests_are_no_fault(sequences: Path) -> None:
    sent = fuzz(sequences, int(os.environ.get("SEIKO_FUZZ", MANY)))
    print(f"{sent} requests")
    assert sent >= 10_000 or "SEIKO_FUZZ" in os.environ
