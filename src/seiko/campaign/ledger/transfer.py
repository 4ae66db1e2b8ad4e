"""A run as JSON lines, from which it is rebuilt bit for bit, in a folder or on a server.

    {"format": "seiko ledger", "version": 1, "run": ..., "events": N, "digest": ..., "artifacts": M}
    {"artifact": SHA-256, "bytes": B, "data": base64}        M lines; without "data", a file of that name lies beside
    {"seq": 1, "kind": ..., "payload": {...}, "created_at": ..., "digest": ...}        N lines

An import reads the file twice: once to verify every digest, hash and count, and only then to write, so that a file that
does not verify leaves nothing behind. The events are written in one transaction.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seiko.campaign.artifacts import ArtifactStore, LedgerError, checked_sha
from seiko.campaign.ledger.base import Ledger
from seiko.campaign.ledger.errors import NoRun, RunExists
from seiko.campaign.ledger.events import GENESIS, Row, chained, checked_kind
from seiko.config import canonical_json

__all__ = ["ExportInvalid", "Header", "export_lines", "import_file", "verify_file"]

FORMAT, VERSION = "seiko ledger", 1
LONGEST = 512 * 2**20  # bytes of a line: the largest artifact of a server in base64, and some


class ExportInvalid(LedgerError, ValueError):
    """A file is not an export, or not whole; nothing was imported."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """First line of an export.

    Args:
        run: Name that the run had.
        events: Number of its events.
        digest: Digest of the last one.
        artifacts: Number of its artifacts.
    """

    run: str
    events: int
    digest: str
    artifacts: int


def export_lines(ledger: Ledger, beside: Path | None = None) -> Iterator[bytes]:
    """Yield the lines of an export, verified while they are read; events appended meanwhile are left out.

    Args:
        ledger: The run.
        beside: Folder that the artifacts are copied into; None puts them into the lines.

    Raises:
        LedgerCorrupted: If the chain is broken.
        ArtifactCorrupted: If an artifact is damaged.
    """
    last = ledger.last_seq  # before the artifacts are listed: an event comes after what it names
    digest = (ledger.digest_of(last) or "") if last else GENESIS
    names = list(ledger.artifacts.names())
    head = {"format": FORMAT, "version": VERSION, "run": ledger.name, "events": last, "digest": digest}
    yield _line(head | {"artifacts": len(names)})
    for sha in names:
        data = ledger.artifacts.get(sha)
        if beside is not None:
            ArtifactStore(beside).put(data)
            yield _line({"artifact": sha, "bytes": len(data)})
        else:
            yield _line({"artifact": sha, "bytes": len(data), "data": base64.b64encode(data).decode()})
    previous = GENESIS.encode()
    for row in itertools.islice(ledger.rows(), last):
        if None in row or chained(previous, row.seq, *row[1:4]) != row.digest:  # type: ignore[arg-type]
            raise ledger.corrupted(row.seq, "its digest differs")
        previous = row.digest or b""
        texts = {name: (part or b"").decode() for name, part in zip(Row._fields[1:], row[1:], strict=True)}
        # the payload as the bytes that were hashed
        parts = (
            row.seq,
            json.dumps(texts["kind"]).encode(),
            row.payload or b"",
            json.dumps(texts["created_at"]).encode(),
        )
        yield b'{"seq":%d,"kind":%b,"payload":%b,"created_at":%b' % parts + b',"digest":"%b"}\n' % previous
    if previous.decode() != digest:
        raise ledger.corrupted(last, "events are missing")


def verify_file(path: Path, beside: Path | None = None) -> Header:
    """Check every digest, hash and count of an export.

    Raises:
        ExportInvalid: If something is wrong; names the line and says what.
        OSError: If a file cannot be read.
    """
    header, rows = _scan(path, beside, lambda data: None)
    for _ in rows:
        pass
    return header


def import_file(path: Path, place: Path | str, beside: Path | None = None) -> Header:
    """Rebuild a run from an export, bit for bit; a run that exists is only written if it is empty.

    Args:
        path: The export.
        place: Where the run is to be.
        beside: Folder of the artifacts, if they are not in the lines.

    Raises:
        ExportInvalid: If the file does not verify; nothing was made.
        RunExists: If there is a run with events.
        LedgerError: If the run cannot be written; repeat the import.
    """
    header = verify_file(path, beside)
    try:
        ledger = Ledger.open(place)
    except NoRun:
        ledger = Ledger.create(place)
    with ledger:
        if ledger.last_seq:
            raise RunExists(f"{ledger.place} holds a run already: choose another place")
        _, rows = _scan(path, beside, ledger.artifacts.put)
        ledger.restore(rows)
    return header


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _scan(path: Path, beside: Path | None, keep: Callable[[bytes], object]) -> tuple[Header, Iterator[Row]]:
    """Return the header and an iterator that keeps the artifacts, yields the rows, and ends only if all was right."""
    lines = _lines(path)
    number, first = next(lines, (1, {}))
    header = _header(number, first)

    def rows() -> Iterator[Row]:
        artifacts, seq, previous = 0, 0, GENESIS.encode()
        for number, line in lines:
            if "artifact" in line:
                artifacts += 1
                if seq or artifacts > header.artifacts:
                    raise ExportInvalid(f"line {number}: an artifact after the {header.artifacts} that were announced")
                keep(_artifact(number, line, beside))
                continue
            seq += 1
            row = _row(number, line, seq)
            if chained(previous, seq, *row[1:4]) != row.digest:  # type: ignore[arg-type]
                raise ExportInvalid(f"line {number}: event {seq} is not what was exported (its digest differs)")
            previous = row.digest or b""
            yield row
        if (artifacts, seq, previous.decode()) != (header.artifacts, header.events, header.digest):
            raise ExportInvalid(
                f"the file is not whole: it holds {seq} events and {artifacts} artifacts, its first line announces "
                f"{header.events} and {header.artifacts}"
            )

    return header, rows()


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number in itertools.count(1):
            line = file.readline(LONGEST + 1)
            if not line:
                return
            if len(line) > LONGEST:
                raise ExportInvalid(f"line {number} is longer than {LONGEST // 2**20} MiB: this is no export")
            try:
                value = json.loads(line.decode())
            except RecursionError:
                raise ExportInvalid(f"line {number} is nested too deeply: this is no export") from None
            except ValueError as error:
                raise ExportInvalid(f"line {number} is not JSON ({error}): the file is damaged or no export") from error
            if not isinstance(value, dict):
                raise ExportInvalid(f"line {number} is not a JSON object: the file is damaged or no export")
            yield number, value


def _header(number: int, line: dict[str, Any]) -> Header:
    if line.get("format") != FORMAT:
        raise ExportInvalid(f"line {number} is not the first line of an export: write one with `seiko ledger export`")
    if line.get("version") != VERSION:
        raise ExportInvalid(
            f"line {number}: the export has version {line.get('version')!r:.20}, this version of seiko reads "
            f"{VERSION}: upgrade seiko"
        )
    run, events, digest, artifacts = (line.get(key) for key in ("run", "events", "digest", "artifacts"))
    if not (isinstance(run, str) and isinstance(digest, str) and type(events) is int and type(artifacts) is int):
        raise ExportInvalid(f"line {number}: run, events, digest and artifacts must be there")
    return Header(run=run, events=events, digest=digest, artifacts=artifacts)


def _artifact(number: int, line: dict[str, Any], beside: Path | None) -> bytes:
    try:
        sha = checked_sha(line["artifact"] if isinstance(line["artifact"], str) else "")
    except ValueError as error:
        raise ExportInvalid(f"line {number}: {error}") from error
    if "data" not in line:
        if beside is None:
            raise ExportInvalid(f"line {number}: artifact {sha} lies beside the file: name its folder (--artifacts)")
        return ArtifactStore(beside).get(sha)
    try:
        data = base64.b64decode(line["data"], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ExportInvalid(f"line {number}: artifact {sha} is not base64 ({error})") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha:
        raise ExportInvalid(f"line {number}: artifact {sha} is damaged: its bytes have SHA-256 {found}")
    return data


def _row(number: int, line: dict[str, Any], seq: int) -> Row:
    if line.keys() != set(Row._fields) or not isinstance(line["payload"], dict):
        raise ExportInvalid(f"line {number} is neither an artifact nor an event with {', '.join(Row._fields)}")
    if line["seq"] != seq or type(line["seq"]) is not int:
        raise ExportInvalid(f"line {number}: event {seq} is missing, the next is {line['seq']!r:.20}")
    texts = [line[name] for name in ("kind", "created_at", "digest")]
    try:
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("kind, created_at and digest must be text")
        kind, created_at, digest = (text.encode() for text in texts)
        checked_kind(texts[0])
        return Row(seq, kind, canonical_json(line["payload"]).encode(), created_at, digest)
    except ValueError as error:  # also text that cannot be encoded
        raise ExportInvalid(f"line {number}: event {seq}: {error}") from error
