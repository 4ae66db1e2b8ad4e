"""The closed loop with a real program and a real service, both of which break; and a loop that is killed itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

import seiko
from seiko.acquisition import UCB
from seiko.campaign import Campaign, Recipe, run
from seiko.models import Alphabet, Architecture, MaskedLMSource, Pretraining
from seiko.oracles import Command, Oracle, OracleFailed, Service
from seiko.rewards import LastLayer, OneHot

# Dies before every third design, but not twice in a row; what it has measured is in a file.
PROGRAM = """
import csv, os, sys
log = sys.argv[1]
print("id,value", flush=True)
for row in csv.DictReader(sys.stdin.read().splitlines()):
    with open(log, "a+") as file:
        file.seek(0)
        lines = file.read().split()
        if len(lines) % 3 == 2 and lines[-1] != "died":
            file.write("died\\n")
            file.flush()
            os._exit(7)
        file.write(row["design"] + "\\n")
    print(row["id"], row["design"].count("A") / 6, sep=",", flush=True)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tokens = torch.randint(4, (64, 6), generator=torch.Generator().manual_seed(0))
    small = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
    small.run(tokens, Alphabet.dna(), folder)
    return str(folder)


def a_recipe(model: str, oracle: Oracle) -> Recipe:
    return Recipe(
        name="outside",
        model=MaskedLMSource(name=model, num_steps=2),
        oracle=oracle,
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=UCB(),
        update=None,
        look=50,
        pool=60,
        budget=12,
        rounds=2,
    )


def right(campaign: Campaign) -> bool:
    values = campaign.state.values()
    return all(label.value == query.design.content.count("A") / 6 for query, label in values)


def test_a_program_that_keeps_dying_loses_nothing(tmp_path: Path, model: str) -> None:
    (tmp_path / "count.py").write_text(PROGRAM)
    log = tmp_path / "log"
    command = Command(arguments=(sys.executable, str(tmp_path / "count.py"), str(log)))
    with Campaign.open(tmp_path / "run", a_recipe(model, command)) as campaign:
        for _ in range(20):
            try:
                run(campaign)
                break
            except OracleFailed:
                continue
        assert campaign.done
        assert right(campaign)
        state = campaign.state
        measured = Counter(line for line in log.read_text().split() if line != "died")
        assert "died" in log.read_text()
        assert set(measured.values()) == {1}, "what it had answered was never asked again"
        assert len(state.values()) + sum(label.status == "failed" for label in state.labels.values()) == len(
            state.queries
        )
        assert len(state.values()) == state.charged


class Scoring(ThreadingHTTPServer):
    """Measures each design once for each key, and breaks in turn."""

    daemon_threads = True

    def __init__(self, moods: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.moods, self.requests, self.lock = moods, 0, threading.Lock()
        self.measured: Counter[str] = Counter()
        self.kept: dict[str, bytes] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that are killed."""


class Handler(BaseHTTPRequestHandler):
    server: Scoring

    def do_POST(self) -> None:
        body, key = self.rfile.read(int(self.headers["Content-Length"])), self.headers["Idempotency-Key"]
        with self.server.lock:
            mood = self.server.moods[self.server.requests % len(self.server.moods)]
            self.server.requests += 1
            if mood == "503":
                self.send_error(503)
                return
            if key not in self.server.kept:
                rows = json.loads(body)["designs"]
                self.server.measured.update(row["design"] for row in rows)
                labels = [{"id": row["id"], "value": row["design"].count("A") / 6} for row in rows]
                self.server.kept[key] = json.dumps({"labels": labels}).encode()
        if mood == "lost":
            self.connection.close()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.kept[key])))
        self.end_headers()
        self.wfile.write(self.server.kept[key])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serving(*moods: str) -> Scoring:
    server = Scoring(list(moods))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def test_a_service_that_loses_answers_measures_nothing_twice(tmp_path: Path, model: str) -> None:
    with serving("lost", "well", "503", "lost", "503", "well") as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with Campaign.open(tmp_path / "run", a_recipe(model, Service(url=url, part=2, wait=0.001))) as campaign:
            run(campaign)
            assert right(campaign)
            assert campaign.state.answered == 12
        assert set(server.measured.values()) == {1}
        assert sum(server.measured.values()) == 12
        server.shutdown()


LOOP = """
import sys
import torch
torch.set_num_threads(1)
from seiko.campaign import Campaign, run
with Campaign.open(sys.argv[1]) as campaign:
    run(campaign)
print("finished")
"""


@pytest.mark.slow
def test_a_loop_that_is_killed_buys_nothing_twice(tmp_path: Path, model: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko.__file__).parents[1])}
    with serving("well", "lost", "well") as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with Campaign.open(tmp_path / "run", a_recipe(model, Service(url=url, part=1, wait=0.001))):
            pass
        kills = 0
        for after in (1, 3, 6, 11, 10_000):
            arguments = [sys.executable, "-c", LOOP, str(tmp_path / "run")]
            with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) as child:
                while child.poll() is None and server.requests < after:
                    time.sleep(0.001)
                if child.poll() is None and after < 10_000:
                    child.send_signal(signal.SIGKILL)
                    kills += 1
                child.wait(timeout=120)
        assert kills >= 3
        with Campaign.open(tmp_path / "run") as campaign:
            assert campaign.done
            assert right(campaign)
            assert campaign.state.answered == 12
        assert sum(server.measured.values()) == 12, "no label was bought twice"
        server.shutdown()
