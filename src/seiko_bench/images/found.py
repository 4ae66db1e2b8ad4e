"""Result files of the image benchmarks, in the order in which tables and figures show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["OURS", "digits_found", "estimators_found", "tasks_of"]

OURS = "seiko-ucb"
"""The method of digits that the others are held against."""


def digits_found(results: Path) -> list[dict[str, Any]]:
    """Return what `seiko bench digits` wrote into a folder, seiko's first."""
    return _found(results, "digits", OURS)


def estimators_found(results: Path) -> list[dict[str, Any]]:
    """Return what `seiko bench estimators` wrote into a folder, the full window first."""
    return _found(results, "estimators", "full")


def tasks_of(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return the tasks of digits that some method has run, by name."""
    runs = (run for result in found for run in result["runs"])
    return sorted({key for run in runs for key, value in run.items() if isinstance(value, dict)})


def _found(results: Path, name: str, first: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(results.glob(f"{name}-*.json"))]
    return sorted(found, key=lambda result: (result["method"] != first, result["method"]))
