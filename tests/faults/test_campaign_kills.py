"""A closed loop killed at any instant and started again is the run that was never killed."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import seiko
from seiko.campaign import Campaign
from seiko.models import Alphabet, Architecture, Pretraining

KILLS = 12

# Imports once, then forks one process for each line read: "PATH MODEL" runs the campaign until it is killed or done.
# Each part of a batch is acknowledged after `tell` returned. A warm start costs a few milliseconds; importing torch and
# transformers anew would cost seconds a kill.
WORKER = """
import os, sys
import torch

torch.set_num_threads(1)  # a fork keeps no threads

import seiko.campaign.loop
from seiko.acquisition import UCB
from seiko.campaign import Campaign, Fresh, Recipe, Remask, run
from seiko.models import MaskedLMSource
from seiko.oracles.noise import noisy_label
from seiko.rewards import LastLayer, OneHot, ReverseComplement
from seiko.updates import PPO, KLBudget

seiko.campaign.loop.PART = 4

def recipe(model):
    return Recipe(
        name="killed", model=MaskedLMSource(name=model, num_steps=2),
        reward_model=LastLayer(features=OneHot(vocabulary=4)), acquisition=UCB(), update=PPO(learning_rate=1e-2),
        strength=KLBudget(nats=1.0), steps=3, samples=32, look=200, candidates=(Fresh(share=0.5), Remask(share=0.5)),
        pool=80, same=ReverseComplement(), budget=24, rounds=3,
    )

def oracle(designs):
    return [noisy_label(d.content.count("A") / 6, noise=0.1, seed=0, key=d.key) for d in designs]

class Loud(Campaign):
    def tell(self, labels):
        new = super().tell(labels)
        for id in labels:
            os.write(1, f"told {id} {labels[id].value!r}\\n".encode())
        return new

def work(path, model):
    with Loud.open(path, recipe(model)) as campaign:
        run(campaign, oracle)
    os.write(1, b"finished\\n")

MaskedLMSource(name=sys.argv[1]).load()  # warms what is imported late
os.write(1, b"ready\\n")
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(*line.split())
            code = 0
        finally:
            if code:
                os.write(1, b"failed\\n")
            os._exit(code)
    os.write(1, f"started {child}\\n".encode())
    sys.stdin.readline()  # until it is waited for, a child that ended can still be signalled, and its id is its own
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokens = torch.randint(4, (64, 6), generator=torch.Generator().manual_seed(0))
    training = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
    training.run(tokens, Alphabet.dna(), tmp_path / "model")
    return tmp_path / "model"


@contextmanager
def worker(model: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            assert line(process) == "ready"
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    text = process.stdout.readline()
    assert text, "the worker died"
    return text.strip()


def play(
    process: subprocess.Popen[str], path: Path, model: Path, kill: tuple[int, float] | None
) -> tuple[dict[str, float], bool]:
    """Run; return the labels that were acknowledged and whether the run was finished.

    Args:
        process: The worker.
        path: The run.
        model: What it starts from.
        kill: It is killed so many seconds after so many labels were acknowledged; None for never.
    """
    assert process.stdin is not None
    process.stdin.write(f"{path} {model}\n")
    process.stdin.flush()
    told: dict[str, float] = {}
    started, finished = 0, False

    def heard() -> str:
        nonlocal started, finished
        word, *rest = line(process).split()
        assert word != "failed", "the campaign raised"
        if word == "told":
            told[rest[0]] = float(rest[1])
        started, finished = int(rest[0]) if word == "started" else started, finished or word == "finished"
        return word

    while not started:  # a quick child may speak before its parent does
        heard()
    if kill is not None:
        labels, seconds = kill
        while len(told) < labels and not finished:
            heard()
        time.sleep(seconds)
        os.kill(started, signal.SIGKILL)
    process.stdin.write("reap\n")
    process.stdin.flush()
    while heard() != "ended":
        pass
    return told, finished


def story(path: Path) -> dict[str, Any]:
    """Return everything a run decided, all but the seconds it took; checks that no molecule was bought twice."""
    with Campaign.open(path) as campaign:
        state = campaign.state
        sent = [query.design.content for query in state.queries.values()]
        molecules = {min(s, s[::-1].translate(str.maketrans("ACGT", "TGCA"))) for s in sent}
        assert len(molecules) == len(sent)
        for weights in state.weights:
            campaign.ledger.artifacts.get(weights or "")  # raises if it is missing or damaged
        return {
            "queries": list(state.queries.values()),
            "labels": dict(state.labels),
            "weights": list(state.weights),
            "reports": [dataclasses.replace(report, seconds=0.0) for report in state.reports],
        }


def labels_of(path: Path) -> dict[str, float | None]:
    with Campaign.open(path) as campaign:
        return {id: label.value for id, label in campaign.state.labels.items()}


def test_killed_at_any_instant(tmp_path: Path, model: Path) -> None:
    moments, kills, runs, cut_short = random.Random(0), 0, 0, set()
    with worker(model) as process:
        play(process, tmp_path / "whole", model, None)  # the first one pays for what is loaded late
        began = time.monotonic()
        _, finished = play(process, tmp_path / "reference", model, None)
        duration = time.monotonic() - began
        assert finished
        expected = story(tmp_path / "reference")
        assert story(tmp_path / "whole") == expected
        assert len(expected["labels"]) == 24
        while kills < KILLS:
            runs += 1
            path, promised = tmp_path / f"killed{runs}", {}
            finished = False
            while not finished:
                # at any time, most of which goes into moving the model; about when labels are told; soon after a start
                kinds = (0, moments.uniform(0, duration)), (moments.randint(1, 8), moments.uniform(0, 0.005)), (0, 0.01)
                at = kinds[kills % len(kinds)]
                told, finished = play(process, path, model, at if kills < KILLS else None)
                kills += not finished
                promised |= told
                if not finished:
                    cut_short.add(last_event(path))
                    kept = labels_of(path) if last_event(path) else {}
                    assert promised.items() <= kept.items(), "a label that was acknowledged is lost"
            assert story(path) == expected
    assert kills >= KILLS
    assert len(cut_short) >= 3, f"all kills fell between the same events: {cut_short}"


def last_event(path: Path) -> int:
    """Return the number of the last event of a run, 0 if it has none yet."""
    from seiko.campaign.ledger import Ledger, NoRun

    try:
        with Ledger.open(path) as ledger:
            return len(list(ledger))
    except NoRun:
        return 0
