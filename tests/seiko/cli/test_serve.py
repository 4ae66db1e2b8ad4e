"""`seiko serve`: links, warnings, wrong usage, and a real process that answers and ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import Result

import seiko as seiko_package

Invoke = Callable[..., Result]


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Keep the server from running; return what would have been served."""
    served: list[Any] = []

    def keep(app: Any, listener: Any, certificate: Any, key: Any) -> None:
        served.append(app.state.web)
        app.state.web.desk.close()

    monkeypatch.setattr("seiko.cli.serve._run", keep)
    return served


def test_each_person_gets_a_link_once(seiko: Invoke, waiting: Path, unserved: list[Any]) -> None:
    first = seiko("serve", "waiting", "--port", "0", "--rater", "anna", "--rater", "ben", "--raters", "2")
    assert first.exit_code == 0, first.output
    lines = [line.split("\t") for line in first.stdout.splitlines()]
    assert [(role, name) for role, name, _ in lines] == [("owner", "owner"), ("rater", "anna"), ("rater", "ben")]
    assert all(re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/login#[\w-]{43}", url) for *_, url in lines)
    assert "warning" not in first.stderr
    assert unserved[0].options.raters == 2
    again = seiko("serve", "waiting", "--port", "0", "--rater", "anna", "--rater", "ben")
    assert again.stdout == ""
    assert "still good" in again.stderr
    anew = seiko("serve", "waiting", "--port", "0", "--new-links")
    assert anew.stdout.count("login#") == 1
    assert lines[0][2].split("#")[1] not in anew.stdout


def test_raters_without_names_are_numbered(seiko: Invoke, waiting: Path, unserved: list[Any]) -> None:
    result = seiko("serve", "waiting", "--port", "0", "--raters", "3")
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == ["owner", "rater-1", "rater-2", "rater-3"]


def test_listening_to_other_machines_is_warned_of(seiko: Invoke, waiting: Path, unserved: list[Any]) -> None:
    result = seiko("serve", "waiting", "--port", "0", "--host", "0.0.0.0")
    assert "warning: 0.0.0.0 can be reached by other machines, and without --certificate" in result.stderr
    named = seiko("serve", "waiting", "--port", "0", "--host", "0.0.0.0", "--name", "seiko.lab", "--new-links")
    assert "http://seiko.lab:" in named.stdout
    assert unserved[-1].options.hosts == ("seiko.lab", "127.0.0.1", "localhost")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "no run at nothing"),
        (["waiting", "--scale", "thumbs"], "scale must be one of stars, slider"),
        (["waiting", "--best-of", "1"], "best_of must be 0 (ratings) or 2 to 9"),
        (["waiting", "--raters", "3", "--rater", "anna"], "asks for 3 scores of a design, but --rater names 1 people"),
        (["waiting", "--rater", "<b>"], "a name has 1 to 40"),
        (["waiting", "--certificate", "c.pem"], "https needs both"),
        (["waiting", "--certificate", "c.pem", "--key", "k.pem"], "there is no file c.pem"),
        (["waiting", "--host", "192.0.2.1"], "cannot listen at 192.0.2.1"),
    ],
)
def test_wrong_usage_is_a_sentence(
    seiko: Invoke, waiting: Path, unserved: list[Any], arguments: list[str], says: str
) -> None:
    result = seiko("serve", *arguments, "--port", "0")
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert unserved == []


def test_a_process_serves_until_it_is_interrupted(waiting: Path, plates: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(seiko_package.__file__).parents[1]), str(plates)]),
        "SEIKO_MODULES": "plate",
    }
    command = [sys.executable, "-m", "seiko.cli", "serve", str(waiting), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        role, name, url = process.stdout.readline().strip().split("\t")
        assert (role, name) == ("owner", "owner")
        base, token = url.split("/login#")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            assert client.get("/api/v1/status").json()["pending"] == 4  # the listener was there before the link
            told = client.post("/api/v1/tell", json={"labels": [{"id": "1-0001", "value": 0.5}]})
            assert told.json() == {"taken": 1, "known": 0, "pending": 3}
            assert "server" not in told.headers
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - started < 30
        assert "Traceback" not in errors
        assert process.returncode in (0, 130)
    finally:
        process.kill()
        process.wait()
