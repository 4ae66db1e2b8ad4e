"""Where output goes: machine-readable on standard output or into a file, everything else on standard error.

A file is written whole or not at all, and an existing one is kept unless it holds the same bytes or is to be replaced.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seiko.cli.errors import InputError

__all__ = ["as_csv", "as_json", "as_jsonl", "deliver", "say"]


def say(text: str) -> None:
    """Print a sentence for people, on standard error."""
    print(text, file=sys.stderr)


def as_json(value: Any) -> str:
    """Return one line of JSON; what is not finite becomes null, for JSON has no NaN."""
    return json.dumps(_finite(value), allow_nan=False) + "\n"


def as_jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return one JSON object a line."""
    return "".join(as_json(dict(row)) for row in rows)


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a table with a header; None is an empty cell, a number has all of its digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({column: "" if row.get(column) is None else row[column] for column in columns})
    return text.getvalue()


def deliver(text: str, out: Path | None, *, force: bool = False) -> None:
    """Write text to standard output, or to a file.

    Raises:
        InputError: If the file exists with other content and is not to be replaced.
        OSError: If it cannot be written.
    """
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    data = text.encode()
    if out.is_dir():
        raise InputError(f"{out} is a folder: name a file")
    if out.exists() and not force:
        if out.read_bytes() == data:
            return
        raise InputError(f"{out} exists and holds something else: name another file, or replace it with --force")
    if not out.parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {out.parent}")
    temporary = out.with_name(f".{out.name}-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
