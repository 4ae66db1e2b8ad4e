"""Parts of a benchmark that are finished stay finished: a record on disk beside the question that it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seiko.report.style import replace_bytes

__all__ = ["kept"]


def kept(path: Path, asked: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the record that an earlier, interrupted benchmark left for the same question, or make it and leave it.

    Args:
        path: The file.
        asked: What decides the record, as JSON.
        make: Makes the record.
    """
    if path.exists():
        found = json.loads(path.read_text())
        if found["asked"] == dict(asked):
            record: dict[str, Any] = found["record"]
            return record
    record = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, json.dumps({"asked": dict(asked), "record": record}, indent=1).encode())
    return record
