"""`seiko bench load`: how long a ledger of a million events takes to open, and what it adds to an `ask`.

    open          `Campaign.open`: ledger, state, recipe; the first time all events are folded, then from the
                  checkpoint; with as many events after it as there can be; and when these make it keep the next
    ask           one design more, in a process that has just opened so late after the checkpoint; split into
    the model's   loading, drawing, reading designs in and out, fitting, predicting, choosing
    the rest      events, state, labels, whether a design is known, the append: what a long ledger can slow down

Wall-clock and processor seconds are both kept: on a machine that is busy with other work they differ.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import seiko
from seiko.campaign import Campaign, checkpoint
from seiko.rewards import LastLayer, OneHot
from seiko_bench.long_ledger import BATCH, LETTERS, goes_on, write
from seiko_bench.tiny import make_model, tiny

__all__ = ["load"]

EVENTS, FEW = 1_000_001, 20_001

MODELS_OWN = (
    "seiko.campaign.history.History.fit",
    "seiko.campaign.campaign.outlook",
    "seiko.campaign.campaign.predict",
    "seiko.campaign.campaign.propose",
    "seiko.models.masked_lm.MaskedLM.ingest",
    "seiko.models.masked_lm.MaskedLMSource.load",
)

LEDGERS = (  # within those, what a long ledger can slow down
    "seiko.campaign.known.Known.find",
    "seiko.campaign.state.RunState.judged",
    "seiko.campaign.state.RunState.measured",
)


def load(out: Path, command: str, quick: bool) -> Path:
    """Measure, write OUT/load.json, return the file."""
    events = FEW if quick else EVENTS
    with tempfile.TemporaryDirectory(prefix="seiko-load-") as name:
        folder = Path(name)
        model = make_model(folder / "model", LETTERS)
        # without a rescaled spread, which takes gigabytes for a million labels and is not what is measured
        belief = LastLayer(features=OneHot(vocabulary=4), rescale=False)
        recipe = tiny(model, budget=2_000_000, rounds=5_000, same=None, reward_model=belief)
        seconds: dict[str, dict[str, float]] = {}
        with _timed(seconds, "write"):
            written = write(str(folder / "run"), recipe, events)
        for which in ("open, all events folded", "open"):
            with _timed(seconds, which):
                campaign = Campaign.open(folder / "run")
            if which != "open":
                campaign.close()
        behind = max(checkpoint.EVERY, written // checkpoint.SHARE) - 1
        goes_on(campaign.ledger, written, behind)
        campaign.close()
        with _timed(seconds, f"open, {behind:,} events after the checkpoint"):
            campaign = Campaign.open(folder / "run")
        labels = len(campaign.state.labels)
        own = [0.0, 0.0]
        with _timed(seconds, "ask"), _watched(own):
            queries = campaign.ask(1, another=True)
        seconds["ask, the model's own"] = {"wall": own[0], "processor": own[1]}
        seconds["ask, the rest"] = {
            key: seconds["ask"][key] - value for key, value in seconds["ask, the model's own"].items()
        }
        with _timed(seconds, "tell"):
            campaign.tell({queries[0].id: 0.5})
        campaign.close()
        with _timed(seconds, "open, and the next checkpoint kept"):
            Campaign.open(folder / "run").close()
        size = (folder / "run" / "ledger.sqlite").stat().st_size
    result: dict[str, Any] = {
        "benchmark": "Load: a ledger of a million events",
        "command": command,
        "version": seiko.__version__,
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "events": written + behind + 2,
        "labels": labels,
        "what": f"one `opened`, then in turn an `asked` with {BATCH} queries and {BATCH} `told` with one label each",
        "bytes": size,
        "memory": _memory(),
        "seconds": {name: {key: round(value, 3) for key, value in row.items()} for name, row in seconds.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / "load.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


@contextmanager
def _timed(seconds: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    seconds[name] = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}


@contextmanager
def _watched(own: list[float]) -> Iterator[None]:
    """Add up what is spent in `MODELS_OWN` less what of it is spent in `LEDGERS`."""
    inside = [False]

    def watch(function: Callable[..., Any], model: bool) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if inside[-1] == model:
                return function(*args, **kwargs)
            sign = 1 if model else -1
            wall, processor = time.perf_counter(), time.process_time()
            inside.append(model)
            try:
                return function(*args, **kwargs)
            finally:
                inside.pop()
                own[0] += sign * (time.perf_counter() - wall)
                own[1] += sign * (time.process_time() - processor)

        return watched

    with ExitStack() as stack:
        for name in (*MODELS_OWN, *LEDGERS):
            module, _, rest = name.rpartition(".")
            owner: Any = sys.modules.get(module) or getattr(
                sys.modules[module.rpartition(".")[0]], module.rpartition(".")[2]
            )
            stack.enter_context(patch(name, watch(getattr(owner, rest), name in MODELS_OWN)))
        yield


def _memory() -> int:
    """Return the most memory that this process has had, bytes."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
