"""What the docs say of faults and load, from the result files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["ledger_tables"]

FAULTS = ["fault", "ledger", "trials", "labels lost", "bought twice", "same state", "silently wrong", "remark"]
LOAD = ["", "seconds of wall clock", "seconds of processor"]


def ledger_tables(results: Path) -> list[tuple[str, list[str], list[list[str]], str]]:
    """Return for each file that there is: heading, header, rows and command."""
    found = []
    for name, rows in (("faults", _faults), ("load", _load)):
        path = results / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text())
            header = FAULTS if name == "faults" else LOAD
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


def _load(result: dict[str, Any]) -> list[list[str]]:
    return [[name, f"{row['wall']:.2f}", f"{row['processor']:.2f}"] for name, row in result["seconds"].items()]
