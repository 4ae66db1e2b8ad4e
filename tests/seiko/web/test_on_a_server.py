"""A run on a real PostgreSQL server in the browser: people at once, and nobody is told where it is kept."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import seiko

IMAGES = 24
SECRET = "hunter2secret"
_numbers = itertools.count(1)


def with_password(server: str) -> str:
    """Return the server's URL with a password, which it does not ask for."""
    return re.sub("//([^@:]+)@", rf"//\1:{SECRET}@", server)


@pytest.fixture
def place(server: str, images_at: Callable[[str], str]) -> str:
    """Return a run on a server whose first batch, 24 images, waits for labels."""
    return images_at(f"{with_password(server)}&run=web-{next(_numbers)}")


def tells(place: str) -> list[str]:
    """Return what would tell where a run is kept."""
    folder = re.findall("host=([^&]+)", place)
    user = re.findall("//([^:]+):", place)
    return [SECRET, "postgresql:", "psycopg", *folder, *(f"{name}@" for name in user)]


def said_by(answer: Any) -> str:
    return "\n".join([answer.text, *(f"{name}: {value}" for name, value in answer.headers.items())])


def test_all_pages_work_and_none_tells_where_the_run_is(serve: Any, place: str) -> None:
    served = serve(place)
    owner = served.log_in()
    owner.post("/rate", query="1-0001", score="4")
    bodies = []
    for path in (
        "/", "/overview/live", "/rate", "/designs", "/designs/1-0001", "/designs.csv", "/upload", "/plates", "/people",
        "/jobs/live", "/export/labels.csv", "/export/report.html", "/export/run.jsonl", "/figures/reward.svg",
        "/nothing", "/designs/9-0001",
    ):  # fmt: skip
        answer = owner.get(path)
        assert answer.status_code in (200, 404), path
        bodies.append(said_by(answer))
    assert owner.get("/pictures/1-0001").content.startswith(b"\x89PNG")
    bodies.append(said_by(owner.upload(b"id,value\n1-0002,x\n")))
    bodies.append(said_by(owner.post("/designs/1-0001/abandon", reason="it has a label")))
    token = {"Authorization": f"Bearer {served.tokens['owner']}"}
    bodies += [said_by(owner.get(f"/api/v1/{path}", headers=token)) for path in ("status", "queries", "job")]
    for body, word in itertools.product(bodies, tells(place)):
        assert word not in body, body[:300]
    with served.desk.reading() as state:
        assert state.labels["1-0001"].value == 4


def test_two_raters_at_two_servers_lose_nothing(serve: Any, place: str) -> None:
    one, other = serve(place, ("anna", "ben"), raters=2), serve(place, ("anna", "ben"), raters=2)
    anna, ben = one.log_in("anna"), other.log_in("ben")

    def go(person: Any, score: str) -> list[int]:
        return [person.post("/rate", query=f"1-{i:04d}", score=score).status_code for i in range(1, IMAGES + 1)]

    with ThreadPoolExecutor(2) as pool:
        codes = [*pool.map(go, (anna, ben), ("2", "5"))]
    assert codes == [[303] * IMAGES] * 2
    for served in (one, other):
        with served.desk.reading() as state:
            assert {label.value for label in state.labels.values()} == {3.5}
            assert len(state.labels) == IMAGES
            assert {len(state.ratings.of(id)) for id in state.queries} == {2}


def test_a_server_that_is_gone_is_a_sentence_and_comes_back(serve: Any, images_at: Callable[[str], str]) -> None:
    from seiko_bench.server import NoServer, find_programs, halt, private_server, resume

    pytest.importorskip("psycopg")
    try:
        find_programs()
    except NoServer as error:
        if os.environ.get("SEIKO_REQUIRE_POSTGRES") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with private_server(durable=False) as server:
        url = images_at(f"{with_password(server)}&run=gone")
        served = serve(url)
        owner, jobs = served.log_in(), served.app.state.web.jobs
        halt(server)
        try:
            said = [said_by(owner.get("/designs")), said_by(owner.post("/rate", query="1-0001", score="4"))]
            assert all("the database of the run does not answer: try again" in text for text in said)
            jobs.start("ask", n=1)
            jobs.wait(120)
            said.append(jobs.current.result)
            assert jobs.current.result.startswith("the database of the run does not answer")
        finally:
            resume(server)
        for text, word in itertools.product(said, tells(url)):
            assert word not in text
        assert owner.post("/rate", query="1-0001", score="4").status_code == 303
        with served.desk.reading() as state:
            assert state.labels["1-0001"].value == 4
        served.desk.close()


def test_the_command_serves_it_and_prints_no_password(place: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko.__file__).parents[1])}
    command = [sys.executable, "-m", "seiko.cli", "serve", place, "--port", "0", "--access", str(tmp_path / "links")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        base, token = line.strip().split("\t")[2].split("/login#")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            assert client.get("/api/v1/status").json()["pending"] == IMAGES
            told = client.post("/api/v1/tell", json={"labels": [{"id": "1-0001", "value": 0.5}]})
            assert told.json() == {"taken": 1, "known": 0, "pending": IMAGES - 1}
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert "serving postgresql://" in errors
    assert SECRET not in line + errors
    assert SECRET not in (tmp_path / "links").read_text()
