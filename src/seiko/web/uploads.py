"""A file of results on its way in: checked, shown, mended line by line if need be, and only then taken.

    upload -> preview, or the first error by line and column -> mend that line -> preview -> take

Between the steps the bytes wait here, in memory, for the person who sent them: a few files for half an hour. What is
taken is checked again against the run as it is then.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from seiko.campaign import RunState
from seiko.campaign.label_file import LabelFileError, parse_labels
from seiko.campaign.state import Query
from seiko.campaign.taking import new_labels
from seiko.oracles import Label

__all__ = ["Preview", "Row", "Upload", "UploadGone", "Uploads", "mended", "preview"]

MOST = 20
KEPT_SECONDS = 1800.0
CONTEXT = 2  # lines shown around a wrong one


class UploadGone(LookupError):
    """The file is no longer here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that somebody sent.

    Args:
        id: Its name here.
        name: Its name there.
        person: Who sent it.
        data: Its bytes.
    """

    id: str
    name: str
    person: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A label that would be taken."""

    query: Query
    label: Label

    def of(self, name: str) -> float | None:
        """A property's value, if there is one."""
        return dict(self.label.values).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What taking a file would do.

    Args:
        upload: The file.
        new: Labels that would be taken.
        known: How many of its labels the run knows already.
        missing: How many designs would still wait for a label.
        error: Why it cannot be taken; then nothing else is known.
        lines: Lines around the wrong one: number, text.
    """

    upload: Upload
    new: list[Row]
    known: int
    missing: int
    error: LabelFileError | None = None
    lines: tuple[tuple[int, str], ...] = ()

    @property
    def labels(self) -> dict[str, list[Label]]:
        """The new labels by query."""
        labels: dict[str, list[Label]] = {}
        for row in self.new:
            labels.setdefault(row.query.id, []).append(row.label)
        return labels


class Uploads:
    """Keeps a few files for a while.

    Args:
        most: How many; the oldest go first.
        seconds: How long.
        clock: Seconds; for tests.
    """

    def __init__(
        self, most: int = MOST, seconds: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._kept: OrderedDict[str, tuple[float, Upload]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, person: str, name: str, data: bytes) -> Upload:
        """Keep a file."""
        upload = Upload(id=secrets.token_urlsafe(16), name=name, person=person, data=data)
        with self._lock:
            self._kept[upload.id] = self._clock(), upload
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return upload

    def get(self, id: str, person: str) -> Upload:
        """Return a file to who sent it.

        Raises:
            UploadGone: If it is not here, or somebody else's.
        """
        with self._lock:
            then, upload = self._kept.get(id, (0.0, None))
            if upload is None or upload.person != person or self._clock() - then > self._seconds:
                raise UploadGone("this file is no longer here: choose it again")
            return upload

    def drop(self, id: str) -> None:
        """Forget a file."""
        with self._lock:
            self._kept.pop(id, None)


def preview(upload: Upload, state: RunState) -> Preview:
    """Say what taking a file would do; nothing is taken."""
    try:
        labels = parse_labels(upload.data, state, upload.name)
    except LabelFileError as error:
        lines = _around(upload.data, error.line) if error.line else ()
        return Preview(upload=upload, new=[], known=0, missing=len(state.pending()), error=error, lines=lines)
    new = [Row(state.queries[id], label) for id, found in new_labels(state, labels).items() for label in found]
    waiting = {query.id for query in state.pending()} - set(labels)
    return Preview(upload=upload, new=new, known=sum(map(len, labels.values())) - len(new), missing=len(waiting))


def mended(upload: Upload, line: int, text: str) -> bytes:
    """Return the bytes of a file with one line replaced; an empty text takes the line out.

    Raises:
        ValueError: If there is no such line, or the text is more than one.
    """
    if "\n" in text or "\r" in text:
        raise ValueError("a line is mended by one line, got several")
    lines = upload.data.split(b"\n")
    if not 1 <= line <= len(lines):
        raise ValueError(f"line must be one of 1 to {len(lines)}, got {line}")
    ending = b"\r" if lines[line - 1].endswith(b"\r") else b""
    lines[line - 1 : line] = [text.encode() + ending] if text.strip() else []
    return b"\n".join(lines)


def _around(data: bytes, line: int) -> tuple[tuple[int, str], ...]:
    lines = data.decode("utf-8-sig", "replace").split("\n")
    first, last = max(1, line - CONTEXT), min(len(lines), line + CONTEXT)
    return tuple((number, lines[number - 1].rstrip("\r")) for number in range(first, last + 1))
