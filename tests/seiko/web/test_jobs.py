"""Long work in a process of its own: progress, results, failures, and that it can be stopped."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from seiko.campaign import Campaign, Ledger
from seiko.web.jobs import Busy, Jobs
from seiko.web.worker import work


def orders(place: Path, verb: str, **arguments: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    work({"place": str(place), "modules": [], "verb": verb, "arguments": arguments}, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_worker_reports_as_json_lines(recipe: Any, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "run", recipe):
        pass
    *steps, last = orders(tmp_path / "run", "ask", n=4)
    assert {step["stage"] for step in steps} == {"ask"}
    assert last == {"status": "done", "result": "round 1: 4 designs wait for a label"}
    [early] = orders(tmp_path / "run", "advance", without_pending=False)
    assert early["status"] == "failed"
    assert "4 labels of round 1 are missing" in early["result"]
    with Campaign.open(tmp_path / "run") as campaign:
        campaign.tell({query.id: 0.5 for query in campaign.state.pending()})
    *steps, last = orders(tmp_path / "run", "advance", without_pending=False)
    assert {"fit", "update", "look"} <= {step["stage"] for step in steps}
    assert last == {"status": "done", "result": "round 1 is finished"}
    [gone] = orders(tmp_path / "nothing", "ask", n=None)
    assert gone["status"] == "failed"


def test_a_batch_is_asked_for_from_the_page(serve: Any, recipe: Any, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "run", recipe):
        pass
    served = serve(tmp_path / "run")
    owner = served.log_in()
    assert "Ask for a batch" in owner.get("/").text
    assert owner.post("/jobs/ask", n="x").status_code == 422
    answer = owner.post("/jobs/ask", htmx=True, n="5")
    assert "Asking for a batch" in answer.text
    assert 'hx-trigger="every 1s"' in answer.text
    busy = owner.post("/jobs/advance")
    assert busy.status_code == 409
    assert "the server is busy" in busy.text
    jobs = served.app.state.web.jobs
    jobs.wait(120)
    assert jobs.current.status == "done", jobs.current
    said = owner.get("/jobs/live").text
    assert "Round 1: 5 designs wait for a label" in said
    assert 'hx-get="/jobs/live?seen=1-done"' in said
    assert owner.get("/jobs/live?seen=1-done").status_code == 204  # it is read out once
    assert len(re.findall("data-open", owner.get("/rate").text)) == 5


def test_work_can_be_stopped_and_nothing_is_changed(recipe: Any, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "run", recipe):
        pass
    jobs = Jobs(str(tmp_path / "run"))
    assert jobs.current is None
    jobs.stop()  # nothing runs: nothing happens
    jobs.start("ask", n=4)
    with pytest.raises(Busy, match="wait for it, or stop it"):
        jobs.start("ask", n=4)
    jobs.stop()
    jobs.close()
    assert jobs.current is not None
    assert jobs.current.status == "stopped"
    with Ledger.open(tmp_path / "run") as ledger:
        assert [event.kind for event in ledger] == ["opened"]


def test_work_that_dies_is_a_sentence(recipe: Any, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "run", recipe):
        pass
    jobs = Jobs(str(tmp_path / "run"))
    jobs.start("ask", n=4)
    assert jobs._process is not None
    time.sleep(0.1)
    jobs._process.kill()
    jobs.wait(60)
    assert jobs.current is not None
    assert jobs.current.status == "failed"
    assert "the work ended early (exit code -9)" in jobs.current.result
