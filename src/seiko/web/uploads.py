"""A file of results on its way in: checked, shown, read otherwise or mended if need be, and only then taken.

    upload -> preview, or the first error by line and column -> mend that line, choose other columns -> preview -> take

What was measured before and not asked for is attached: whether the model knows the designs is found when they are
taken, in a process that loads it, and what is wrong then comes back as an error of the same file.

Between the steps the bytes wait here, in memory, for the person who sent them: a few files for half an hour. What is
taken is checked again against the run as it is then.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from seiko.campaign import RunState
from seiko.campaign.attach_file import parse_measured
from seiko.campaign.label_file import LabelFileError, Reading, parse_labels
from seiko.campaign.state import Query
from seiko.campaign.taking import new_labels
from seiko.designs import IMAGE, Design
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign import Objectives

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
        reading: How it is to be read.
        attach: Whether it holds what was measured before, and not what was asked for.
    """

    id: str
    name: str
    person: str
    data: bytes
    reading: Reading = field(default_factory=Reading)
    attach: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A label that would be taken.

    Args:
        design: What it is of.
        label: What was measured.
        query: Who asked for it; None for what is attached.
    """

    design: Design
    label: Label
    query: Query | None

    def of(self, name: str) -> float | None:
        """A property's value, if there is one."""
        return dict(self.label.values).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What taking a file would do.

    Args:
        upload: The file.
        new: Labels that would be taken.
        known: How many of its labels the run knows already; of what is attached that is found when it is taken.
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
            if row.query is not None:
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
        self._last: dict[tuple[str, bool], Reading] = {}
        self._lock = threading.Lock()

    def put(
        self, person: str, name: str, data: bytes, *, reading: Reading | None = None, attach: bool = False
    ) -> Upload:
        """Keep a file."""
        new = Upload(id="", name=name, person=person, data=data, reading=reading or Reading(), attach=attach)
        return self._keep(new)

    def change(self, upload: Upload, *, data: bytes | None = None, reading: Reading | None = None) -> Upload:
        """Keep another version of a file in place of it, under another name: what was said of the old one is over."""
        self.drop(upload.id)
        data = upload.data if data is None else data
        return self._keep(replace(upload, data=data, reading=reading or upload.reading))

    def _keep(self, upload: Upload) -> Upload:
        upload = replace(upload, id=secrets.token_urlsafe(16))
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

    def remember(self, upload: Upload) -> None:
        """Note how a file that was taken had been read."""
        with self._lock:
            self._last[upload.person, upload.attach] = upload.reading

    def last(self, person: str, attach: bool) -> Reading | None:
        """Return how this person's last file of the kind was read; None before the first."""
        with self._lock:
            return self._last.get((person, attach))


def preview(
    upload: Upload, state: RunState, objectives: Objectives | None = None, error: LabelFileError | None = None
) -> Preview:
    """Say what taking a file would do; nothing is taken.

    Args:
        upload: The file.
        state: The run.
        objectives: Of its recipe.
        error: What was found when it was to be attached.
    """
    try:
        if error is not None:
            raise error
        if upload.attach:
            return _measured_before(upload, state, objectives)
        labels = parse_labels(upload.data, state, upload.name, upload.reading)
    except LabelFileError as error:
        lines = _around(upload.data, error.line) if error.line else ()
        return Preview(upload=upload, new=[], known=0, missing=len(state.pending()), error=error, lines=lines)
    new = [
        Row(state.queries[id].design, label, state.queries[id])
        for id, found in new_labels(state, labels).items()
        for label in found
    ]
    waiting = {query.id for query in state.pending()} - set(labels)
    return Preview(upload=upload, new=new, known=sum(map(len, labels.values())) - len(new), missing=len(waiting))


def _measured_before(upload: Upload, state: RunState, objectives: Objectives | None) -> Preview:
    kind = next((query.design.kind for query in state.queries.values()), "")
    if kind == IMAGE:
        raise LabelFileError(
            upload.name, None, None, "images are attached with their files: seiko tell RUN FOLDER --attach"
        )
    measured = parse_measured(upload.data, kind, upload.name, upload.reading, objectives=objectives)
    new = [Row(design, label, None) for design, labels in measured.items() for label in labels]
    return Preview(upload=upload, new=new, known=0, missing=len(state.pending()))


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
