"""What an event is, and how events are chained.

    digest_n = SHA-256(digest_(n-1), n, kind, payload, created_at),     digest_0 = 64 zeros

with a line feed between the parts, so an edited, torn or missing row is found by whoever reads. The chain finds
accidents and careless edits, not a forger who computes it anew, nor events cut off at the very end.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from seiko.config import JSON

__all__ = ["GENESIS", "Event", "NewEvent", "Row", "chained", "checked_kind"]

GENESIS = "0" * 64
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened and is to be remembered.

    Args:
        kind: Lower-case name, for example ``"labelled"``.
        payload: Plain JSON; copied into the ledger, never referred to.
    """

    kind: str
    payload: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is remembered.

    Args:
        seq: Its number, from 1 without gaps.
        kind: Its name.
        payload: Plain JSON; the caller owns it.
        created_at: When it was appended, UTC, ISO 8601.
    """

    seq: int
    kind: str
    payload: dict[str, Any]
    created_at: str


class Row(NamedTuple):
    """An event as the database holds it: the bytes that were hashed; None where a damaged row has lost something."""

    seq: int
    kind: bytes | None
    payload: bytes | None
    created_at: bytes | None
    digest: bytes | None


def checked_kind(kind: str) -> str:
    """Return the kind if it is a name.

    Raises:
        ValueError: If it is not.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"kind must be a lower-case name of at most 64 characters, got {kind!r:.80}")
    return kind


def chained(previous: bytes, seq: int, kind: bytes, payload: bytes, created_at: bytes) -> bytes:
    """Return the digest of an event that follows the one with digest `previous`, 64 hexadecimal digits."""
    return hashlib.sha256(b"%b\n%d\n%b\n%b\n%b" % (previous, seq, kind, payload, created_at)).hexdigest().encode()
