"""Kills at random instants of the closed loop and of a laboratory's commands, until each run is finished."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import seiko
from seiko.campaign import Campaign, NoRun
from seiko_bench.faults import Outcome
from seiko_bench.tiny import make_model

__all__ = ["Worker", "bought_twice", "kills", "run_at", "story", "worker"]

KILLS, ON_SERVER, FEW = 200, 100, 4
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def kills(folder: Path, server: str, quick: bool) -> Iterator[Outcome]:
    """Kill half of the times the closed loop, half of the times the commands; go on; compare with a run left alone."""
    model, moments = make_model(folder / "model"), random.Random(0)
    total = FEW if quick else ON_SERVER if server else KILLS
    with worker(model) as process:
        for what in ("run", "verbs"):
            process.play(what, run_at(folder, server, f"{what}-first"), None)  # pays for what is loaded late
            began = time.monotonic()
            process.play(what, run_at(folder, server, f"{what}-alone"), None)
            duration = time.monotonic() - began
            expected = story(run_at(folder, server, f"{what}-alone"))
            killed = runs = lost = twice = same = 0
            at: Counter[str] = Counter()
            while killed < total // 2:
                runs += 1
                place, finished = run_at(folder, server, f"{what}-{runs}"), False
                promised: dict[str, float] = {}
                while not finished:
                    seconds = moments.uniform(0, duration) if killed < total // 2 else None
                    told, stage, finished = process.play(what, place, seconds)
                    promised |= told
                    if not finished:
                        killed += 1
                        at[stage] += 1
                        kept = labels_of(place)
                        lost += len([id for id, value in promised.items() if kept.get(id) != value])
                twice += bought_twice(place)
                same += story(place) == expected
            moments_of = ", ".join(f"{count} in {stage}" for stage, count in sorted(at.items()))
            name = "seiko run" if what == "run" else "ask, tell, advance"
            yield Outcome(
                fault=f"SIGKILL at a random instant of {name}",
                where="PostgreSQL" if server else "SQLite",
                trials=runs,
                lost=lost,
                twice=twice,
                same=same,
                remark=f"{killed} kills in {runs} runs" + (f" ({moments_of})" if what == "verbs" else ""),
            )


def run_at(folder: Path, server: str, name: str) -> str:
    """Return the place of a run: in a folder, or on a server."""
    return f"{server}&run={folder.name}-{name}" if server else str(folder / name)


def story(place: str) -> dict[str, Any]:
    """Return everything that a run decided: all but the seconds it took. Reads every event and the weights."""
    with Campaign.open(place) as campaign:
        state = campaign.state
        for weights in state.weights:
            if weights is not None:
                campaign.ledger.artifacts.get(weights)
        return {
            "queries": list(state.queries.values()),
            "labels": dict(state.labels),
            "weights": list(state.weights),
            "reports": [dataclasses.replace(report, seconds=0.0) for report in state.reports],
        }


def bought_twice(place: str) -> int:
    """Return how many queries are a design, or its reverse complement, that was bought before."""
    with Campaign.open(place) as campaign:
        sent = [query.design.content for query in campaign.state.queries.values()]
        if campaign.recipe.same is not None:
            sent = [min(design, design[::-1].translate(COMPLEMENT)) for design in sent]
    return len(sent) - len(set(sent))


def labels_of(place: str) -> dict[str, float | None]:
    """Return the labels that a run remembers; none if it was killed before it began."""
    try:
        with Campaign.open(place) as campaign:
            return {id: label.value for id, label in campaign.state.labels.items()}
    except NoRun:
        return {}


class Worker:
    """A process that forks what is to be killed (`faults_worker`)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            raise RuntimeError("the worker of the benchmark died")
        return text.strip()

    def start(self, command: str) -> None:
        """Have it fork."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def play(self, what: str, place: str, seconds: float | None) -> tuple[dict[str, float], str, bool]:
        """Do something, and kill it after some seconds.

        Returns:
            Labels that were acknowledged, the verb it was at, and whether it had finished.
        """
        self.start(f"{what} {place}")
        said: list[str] = []
        child: int | None = None
        while child is None:  # a quick child may speak before its parent does
            line = self.line()
            if line.startswith("started "):
                child = int(line.split()[1])
            else:
                said.append(line)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        self.start("reap")
        while (line := self.line()) != "ended":
            said.append(line)
        words = [line.split() for line in said]
        told = {word[1]: float(word[2]) for word in words if word[0] == "told"}
        stage = next((word[1] for word in reversed(words) if word[0] == "at"), "opening")
        return told, stage, ["finished"] in words


@contextmanager
def worker(model: Path) -> Iterator[Worker]:
    """Run a worker."""
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "seiko_bench.faults_worker", str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            serving = Worker(process)
            while serving.line() != "ready":
                pass
            yield serving
        finally:
            process.kill()
