"""50 people label images against one server, each in a session of their own, for a minute.

A rater opens the gallery, fetches its pictures, then scores one design after another as fast as somebody who looks for
about a second (exponential pauses of that mean); when the gallery is done, the next one is opened. The server is
`seiko serve` in a process of its own on this machine, the raters are coroutines of this one, over loopback.

Measured: seconds from a request to the end of its answer, by kind; answers that were errors; and, from the ledger after
the server has ended, whether every score that was acknowledged is there, once, and every label that it completed.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seiko_bench.protocols import Protocol

__all__ = ["web"]

RATERS = 50
SCORES = 10  # that make a label
DESIGNS = 240
SECONDS = 60.0
PAUSE = 1.0  # mean seconds of looking at a design
GALLERY = 24
KINDS = ("score", "gallery", "picture")


def web() -> Protocol:
    """Return the load test."""
    return Protocol(
        description=(
            f"{RATERS} raters score images against one server for {SECONDS:g} s on loopback, looking at a design for "
            f"{PAUSE:g} s on average, {SCORES} scores a label; times in seconds"
        ),
        methods={"raters": _raters},
        headline=(
            *("errors", "lost", "requests_a_second", "server_ms_a_request"),
            *("score.p50", "score.p95", "gallery.p95", "picture.p95"),
        ),
    )


@dataclass
class _Tally:
    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    errors: list[str] = field(default_factory=list)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)  # (rater, query)


def _raters(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    raters, seconds, designs = (5, 3.0, 24) if quick else (RATERS, SECONDS, DESIGNS)
    scores = min(SCORES, raters)
    names = [f"rater {i}" for i in range(1, raters + 1)]
    _prepare(folder, designs, seed)
    process, links = _serve(folder, names, scores)
    tally = _Tally()
    try:
        asyncio.run(_warm(links))
        used, started = _processor_seconds(process.pid), time.monotonic()
        asyncio.run(_all(links, seconds, seed, tally))
        took, used = time.monotonic() - started, _processor_seconds(process.pid) - used
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return {
        "seed": seed,
        "raters": raters,
        "scores_a_label": scores,
        "designs": designs,
        "seconds": round(took, 1),
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "requests": sum(map(len, tally.seconds.values())),
        "requests_a_second": sum(map(len, tally.seconds.values())) / took,
        "server_ms_a_request": 1000 * used / max(1, sum(map(len, tally.seconds.values()))),
        "errors": len(tally.errors),
        "first_errors": tally.errors[:5],
        **{kind: _quantiles(values) for kind, values in tally.seconds.items()},
        **_judged(folder, tally, scores),
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {"count": 0}
    p50, p95, p99 = (float(value) for value in np.quantile(values, [0.5, 0.95, 0.99]))
    return {"count": len(values), "p50": p50, "p95": p95, "p99": p99, "max": max(values)}


def _prepare(folder: Path, designs: int, seed: int) -> None:
    """Make a run that waits for the labels of images; no model draws them, for it is the server that is measured."""
    import torch

    from seiko.campaign import Campaign
    from seiko.campaign.ledger import NewEvent
    from seiko.imaging import image_design
    from seiko_recipes.sequences import dna

    generator = torch.Generator().manual_seed(seed)
    with Campaign.open(folder, dna(prior="seiko:tfbind8", budget=designs, rounds=1)) as campaign:
        rows = []
        for number in range(1, designs + 1):
            coarse = torch.rand(1, 3, 6, 6, generator=generator)
            pixels = torch.nn.functional.interpolate(coarse, (128, 128), mode="bicubic").clamp(0, 1)[0]
            design = image_design(pixels)
            campaign.ledger.artifacts.put(design.data or b"")
            rows.append({"id": f"1-{number:04d}", "content": design.content, "kind": design.kind, "source": "fresh",
                         "mean": None, "std": None})  # fmt: skip
        campaign.ledger.append([NewEvent("asked", {"round": 1, "queries": rows})], expected=campaign.state.last_seq)


def _serve(folder: Path, names: list[str], scores: int) -> tuple[subprocess.Popen[str], dict[str, str]]:
    command = [sys.executable, "-m", "seiko.cli", "serve", str(folder), "--port", "0", "--raters", str(scores)]
    command += [part for name in names for part in ("--rater", name)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip("\n").split("\t") for _ in range(len(names) + 1)]
    return process, {name: url for role, name, url in lines if role == "rater"}


def _processor_seconds(process: int) -> float:
    """Return what a process has used of processors so far, which does not depend on what else the machine does."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _warm(links: dict[str, str]) -> None:
    """Wait until the server has loaded, before the clock starts."""
    import httpx

    async with httpx.AsyncClient(timeout=120) as client:
        await client.get(next(iter(links.values())).split("#")[0])


async def _all(links: dict[str, str], seconds: float, seed: int, tally: _Tally) -> None:
    end = time.monotonic() + seconds
    people = (_one(name, link, end, random.Random(f"{seed} {name}"), tally) for name, link in links.items())
    await asyncio.gather(*people)


async def _one(name: str, link: str, end: float, chance: random.Random, tally: _Tally) -> None:
    import httpx

    base, token = link.split("/login#")
    await asyncio.sleep(chance.random())
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        answer = await client.post("/login", data={"token": token})
        if answer.status_code != 303:
            tally.errors.append(f"login {answer.status_code}")
            return
        seen: set[str] = set()
        while time.monotonic() < end:
            page = await _timed(tally, "gallery", partial(client.get, "/rate"))
            csrf = re.search(r'X-CSRF-Token": "([0-9a-f]{64})"', page)
            queries = re.findall(r'id="q-([^"]+)" tabindex="0" data-open', page)
            if csrf is None or not queries:
                await asyncio.sleep(1)
                continue
            for query in [query for query in queries if query not in seen]:
                await _timed(tally, "picture", partial(client.get, f"/pictures/{query}"))
            seen.update(queries)
            for query in queries:
                await asyncio.sleep(chance.expovariate(1 / PAUSE))
                if time.monotonic() >= end:
                    return
                form = {"csrf": csrf[1], "query": query, "score": str(chance.randint(1, 5))}
                headers = {"HX-Request": "true", "Origin": base}
                if await _timed(tally, "score", partial(client.post, "/rate", data=form, headers=headers)):
                    tally.acknowledged.add((name, query))


async def _timed(tally: _Tally, kind: str, request: Callable[[], Any]) -> str:
    """Send a request; return its text, or nothing if it was an error."""
    started = time.monotonic()
    try:
        answer = await request()
    except Exception as error:
        tally.errors.append(f"{kind} {error!r}")
        return ""
    tally.seconds[kind].append(time.monotonic() - started)
    if answer.status_code != 200:
        tally.errors.append(f"{kind} {answer.status_code}")
        return ""
    return answer.headers["content-type"] if kind == "picture" else str(answer.text)


def _judged(folder: Path, tally: _Tally, scores: int) -> dict[str, Any]:
    from seiko.campaign.ledger import Ledger
    from seiko.campaign.state import RunState, fold

    state, events = RunState(), []
    with Ledger.open(folder) as ledger:
        for event in ledger:
            fold(state, event)
            if event.kind == "rated":
                events += [(row["rater"], row["query"]) for row in event.payload["ratings"]]
    enough = {id for id in state.queries if len(state.ratings.scores(id)) >= scores}
    return {
        "scores_acknowledged": len(tally.acknowledged),
        "scores_kept": len(set(events)),
        "scores_twice": len(events) - len(set(events)),
        "labels": len(state.labels),
        "lost": len(tally.acknowledged - set(events)) + len(enough - set(state.labels)),
    }
