"""What the docs say of faults, fuzzing and load, from the result files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["ledger_tables"]

FAULTS = ["fault", "ledger", "trials", "labels lost", "bought twice", "same state", "silently wrong", "remark"]
FUZZ = ["input", "made by", "inputs", "taken", "refused in a sentence", "findings", "seconds"]
LOAD = ["", "seconds of wall clock", "seconds of processor"]


def ledger_tables(results: Path) -> list[tuple[str, list[str], list[list[str]], str]]:
    """Return for each file that there is: heading, header, rows and command."""
    found = []
    for name, header, rows in (("faults", FAULTS, _faults), ("fuzz", FUZZ, _fuzz), ("load", LOAD, _load)):
        path = results / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text())
            found.append((result["benchmark"], header, rows(result), _command(result)))
    return found


def _command(result: dict[str, Any]) -> str:
    more = ""
    if "events" in result:
        more = (
            f"{result['events']:,} events: {result['what']}; {result['bytes'] / 1e6:.0f} MB on disk, at most "
            f"{result['memory'] / 1e9:.1f} GB of memory. "
        )
    return f"{more}Command:\n\n    {result['command']}\n"


def _faults(result: dict[str, Any]) -> list[list[str]]:
    return [
        [
            row["fault"],
            row["where"],
            str(row["trials"]),
            str(row["lost"]),
            str(row["twice"]),
            str(row["same"]),
            "—" if row["silent"] is None else str(row["silent"]),
            row["remark"] or "—",
        ]
        for row in result["outcomes"]
    ]


def _fuzz(result: dict[str, Any]) -> list[list[str]]:
    what = {"labels": "label file", "recipe": "recipe JSON", "ledger": "export of a run, imported and looked at"}
    return [
        [
            what[row["target"]],
            row["by"],
            f"{row['inputs']:,}",
            f"{row['taken']:,}",
            f"{row['inputs'] - row['taken'] - sum(found['times'] for found in row['findings'].values()):,}",
            str(len(row["findings"])),
            f"{row['seconds']:.0f}",
        ]
        for row in result["rows"]
    ]


def _load(result: dict[str, Any]) -> list[list[str]]:
    return [[name, f"{row['wall']:.2f}", f"{row['processor']:.2f}"] for name, row in result["seconds"].items()]
