"""What is fuzzed: three places where bytes of somebody else's come in. Each target takes any bytes, and finds, or not.

    labels    a label file: labels, measurements that were not asked for, or comparisons, read against a run
    recipe    the JSON of a recipe
    ledger    an export of a run: `seiko ledger import`, and then whatever looks at the run that it made

A target returns whether the bytes were taken. An error of ours is a refusal, and must leave everything as it was; any
other exception is a finding, and so is a refusal that is no sentence, or a half of anything.
"""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from seiko.campaign import Campaign, RunState
from seiko.campaign.artifacts import LedgerError
from seiko.campaign.attach_file import parse_measured
from seiko.campaign.comparison_file import is_comparison_file, parse_comparisons
from seiko.campaign.comparisons import check_comparisons
from seiko.campaign.errors import CampaignError
from seiko.campaign.label_file import LabelFileError, Reading, parse_labels
from seiko.campaign.ledger import Event
from seiko.campaign.ledger.events import GENESIS, chained
from seiko.campaign.ledger.transfer import ExportInvalid, import_file
from seiko.campaign.state import fold
from seiko.campaign.taking import label_rows, new_labels
from seiko.campaign.units import Units
from seiko.campaign.verification import verify
from seiko.cli.runs import read_state
from seiko.cli.summary import status
from seiko.config import ConfigError, canonical_json, from_json, read_json, to_json
from seiko_bench.tiny import tiny

__all__ = ["READINGS", "TARGETS", "export", "labels", "ledger", "recipe", "story"]

Events = list[tuple[str, dict[str, Any]]]

IDS = [f"1-{i:04d}" for i in range(1, 9)]
LONGEST = 2000  # letters of a message that a person is to read

_RECIPE = to_json(tiny(Path("model")))

READINGS = (
    Reading(),
    Reading(plate="P1"),
    Reading(columns={"value": "noise"}),
    Reading(columns={"id": "well", "value": "value"}),
    Reading(units=Units(log10=True)),
    Reading(units=Units(scale=1e300, minimise=True)),
)


def story() -> Events:
    """Return the events of a small run in which most things have happened once."""
    rows = [
        {"id": id, "content": "ACGT" + id, "kind": "dna", "source": "fresh", "mean": 0.5, "std": None} for id in IDS
    ]
    wells = {f"{'AB'[r]}{i + 1:02d}": [id, r + 1] for i, id in enumerate(IDS) for r in range(2)}
    plate = {"name": "P1", "wells": 96, "seed": 0, "at": {**wells, "C01": ["control:buffer", 1]}}
    report = {
        "round": 1, "labels_used": 3, "feasible": 0.5, "batch_mean": 0.5, "best": 0.5, "alpha": 0.1, "beta": None,
        "kl_pretrained": 1.0, "kl_previous": None, "believed_mean": 0.4, "diversity": 3.0, "distinct": 1.0,
        "prequential": {"n": 2, "r2": None, "spearman": None, "nll": 1.0, "coverage": 0.9, "rmse": 0.1},
        "held_out": None, "samples": ["ACGT"], "seconds": 1.5,
    }  # fmt: skip
    score = {"query": IDS[4], "rater": "ann", "score": 3.0, "skipped": False}
    return [
        ("opened", {"recipe": copy.deepcopy(_RECIPE), "digest": "d"}),
        ("asked", {"round": 1, "batch": 1, "queries": rows}),
        ("plated", {"plates": [plate], "controls": []}),
        ("told", {"labels": {IDS[0]: {"value": 0.5}, IDS[1]: {"status": "infeasible", "reason": "no"}}}),
        ("told", {"labels": {IDS[2]: [{"value": 1.5, "noise": 0.1}, {"value": 1.0, "replicate": 2}]}}),
        ("retracted", {"ids": [IDS[0]], "reason": "wrong", "replicate": None}),
        ("abandoned", {"ids": [IDS[7]], "reason": "lost"}),
        ("compared", {"comparisons": [{"winner": IDS[3], "loser": IDS[4], "rater": "ann"}]}),
        ("rated", {"ratings": [score], "labels": [IDS[4]]}),
        ("unrated", {"ratings": [{"query": IDS[4], "rater": "ann"}]}),
        ("attached", {"designs": [{"id": "0-0001", "content": "TTTT", "kind": "dna", "labels": {"value": 2.0}}]}),
        ("advanced", {"report": report, "weights": None, "fitted_to": 11}),
    ]


def export(events: Events) -> bytes:
    """Return an export of these events, with digests that are right, whatever the events are."""
    previous, lines = GENESIS.encode(), []
    for seq, (kind, payload) in enumerate(events, start=1):
        text, at = canonical_json(payload), "2026-01-01T00:00:00.000000+00:00"
        previous = chained(previous, seq, kind.encode(), text.encode(), at.encode())
        row = {"seq": seq, "kind": kind, "payload": payload, "created_at": at, "digest": previous.decode()}
        lines.append(row)
    head = {"format": "seiko ledger", "version": 1, "run": "x", "events": len(events), "digest": previous.decode()}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (head | {"artifacts": 0}, *lines))


def labels(data: bytes) -> bool:
    """Read bytes as a label file; the first says how."""
    how, data = (data[0], data[1:]) if data else (0, b"")
    state, reading = _waiting(), READINGS[how % len(READINGS)]
    try:
        if how >= 192:
            measured = parse_measured(data, "dna", "file", reading, lambda design: len(design.content) < 50)
            assert all(told and all(label.status != "failed" for label in told) for told in measured.values())
            return True
        if is_comparison_file(data):
            compared = parse_comparisons(data, state, "file")
            with suppress(ValueError):  # another choice under a name that the run knows: `seiko tell` says so
                check_comparisons(state.comparisons, compared)
            return True
        found = parse_labels(data, state, "file", reading)
    except LabelFileError as error:
        _is_sentence(error)
        return False
    finally:
        assert state == _run(), "reading a file changed the run"
    new = new_labels(state, found)
    told = json.loads(json.dumps({"labels": {id: label_rows(of) for id, of in new.items()}}, allow_nan=False))
    after = copy.deepcopy(state)
    fold(after, Event(state.last_seq + 1, "told", told, ""))
    assert new_labels(after, found) == {}, "the same file again says something new"
    return True


def recipe(data: bytes) -> bool:
    """Read bytes as a recipe."""
    try:
        found = from_json(read_json(data))
    except ConfigError as error:
        _is_sentence(error)
        return False
    assert from_json(to_json(found)) == found, "a recipe that was written is another one when it is read"
    return True


def ledger(data: bytes) -> bool:
    """Import bytes as an export; where the first one says so, with the digests mended, as somebody ill-meaning would.

    What was imported is then looked at: its state, its summary, its recipe, and `seiko ledger verify`.
    """
    mended, data = (data[0] % 2 == 1, data[1:]) if data else (False, b"")
    if mended:
        data = _mended(data)
    with _Folder() as root:
        (root / "file").write_bytes(data)
        try:
            header = import_file(root / "file", root / "run")
        except ExportInvalid as error:
            _is_sentence(error)
            assert not (root / "run").exists(), "a file that was refused has left a run behind"
            return False
        _look(root / "run", header.events)
    return True


TARGETS: dict[str, Callable[[bytes], bool]] = {"labels": labels, "recipe": recipe, "ledger": ledger}


def _look(place: Path, events: int) -> None:
    try:
        with Campaign.open(place) as campaign:
            assert campaign.ledger.last_seq == events
            assert not any("digest" in fault for fault in verify(campaign.ledger).faults)
            status(campaign.state, "x")
            assert campaign.stopped_because is None or campaign.done
    except (LedgerError, CampaignError, ConfigError) as error:
        _is_sentence(error)
        with suppress(LedgerError):  # what `seiko status` says, for which no class of the recipe is needed
            status(read_state(str(place)), "x")


def _mended(data: bytes) -> bytes:
    """Return an export with the digests and numbers that its events should have; as it is, if it is none."""
    try:
        lines = [json.loads(line) for line in data.splitlines()]
        return export([(str(line["kind"]), line["payload"]) for line in lines[1:]])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return data


def _is_sentence(error: Exception) -> None:
    words = str(error)
    assert words.strip(), f"a {type(error).__name__} without words"
    assert len(words) <= LONGEST, f"{len(words)} letters: {words[:200]}..."


@cache
def _waiting() -> RunState:
    """Return the run that files are read against."""
    return _run()


def _run() -> RunState:
    state = RunState()
    for seq, (kind, payload) in enumerate(story()[:7], start=1):
        fold(state, Event(seq, kind, payload, "2026-01-01T00:00:00+00:00"))
    return state


class _Folder:
    """A folder for one example, in memory where there is such a place."""

    def __enter__(self) -> Path:
        memory = Path("/dev/shm")
        self._path = Path(tempfile.mkdtemp(prefix="seiko-fuzz-", dir=memory if memory.is_dir() else None))
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
