"""Who may come in: people, their roles, and the links that let them in.

A token is 256 random bits. It is shown once, in a link; what is kept is its SHA-256 (a random token needs no slow hash)
and a secret that signs sessions, in a file that only its owner may read. Without a file they live as long as the
process. Roles: an *owner* sees and does everything, a *rater* sees the designs to be judged and their own answers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Access", "AccessError", "Link", "Person", "Role"]

Role = Literal["owner", "rater"]
ROLES = ("owner", "rater")
_NAME = re.compile(r"\w[\w .-]{0,39}")


class AccessError(ValueError):
    """The file of links is not what it must be, or a name cannot be one."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may come in.

    Args:
        name: Under which their answers are kept.
        role: ``"owner"`` or ``"rater"``.
        mark: First half of the hash of their token; a session that has another one is over.
    """

    name: str
    role: Role
    mark: str


@dataclass(frozen=True, slots=True)
class Link:
    """A token as it is handed out, once.

    Args:
        name: Whose it is.
        role: What they may do.
        token: The secret.
    """

    name: str
    role: Role
    token: str

    def url(self, base: str) -> str:
        """Return the link; the token is behind the #, which browsers neither send, log nor pass on to other sites."""
        return f"{base}/login#{self.token}"


class Access:
    """People by the hash of their token, and the secret that signs their sessions."""

    def __init__(self, secret: str, people: Iterable[tuple[str, Role, str]]) -> None:
        self.secret = secret
        self._people = {digest: Person(name, role, digest[:32]) for name, role, digest in people}

    @classmethod
    def prepare(
        cls, path: Path | None, raters: Iterable[str], *, anew: bool = False, owner: str = "owner"
    ) -> tuple[Access, list[Link]]:
        """Return who may come in, and the links made now: for people whom the file does not know yet.

        Args:
            path: Where the hashes are kept; None to keep nothing.
            raters: Names of raters.
            anew: Make all links anew; the old ones and all sessions are over.
            owner: Name of the owner.

        Raises:
            AccessError: If a name cannot be one or is there twice, or the file is not what it must be.
            OSError: If the file cannot be written.
        """
        wanted: dict[str, Role] = {checked_name(owner): "owner"}
        for name in raters:
            if checked_name(name) in wanted:
                raise AccessError(f"{name!r} is named twice: every person needs a name of their own")
            wanted[name] = "rater"
        secret, rows = (secrets.token_hex(32), []) if anew or path is None or not path.exists() else _read(path)
        known = {name: role for name, role, _ in rows}
        links = []
        for name, role in wanted.items():
            if known.get(name, role) != role:
                raise AccessError(f"{name!r} is {known[name]} in {path}: choose another name, or make the links anew")
            if name not in known:
                link = Link(name, role, secrets.token_urlsafe(32))
                rows.append((name, role, _digest(link.token)))
                links.append(link)
        if links and path is not None:
            _write(path, secret, rows)
        return cls(secret, rows), links

    def person(self, token: str) -> Person | None:
        """Return whose token it is; takes the same time for every wrong one."""
        digest, found = _digest(token), None
        for known, person in self._people.items():
            if hmac.compare_digest(known, digest):
                found = person
        return found

    def still(self, name: str, mark: str) -> Person | None:
        """Return the person of a session, if their link is still the one that the session began with."""
        return next((p for p in self._people.values() if p.name == name and hmac.compare_digest(p.mark, mark)), None)

    @property
    def people(self) -> list[Person]:
        """All who may come in."""
        return list(self._people.values())


def checked_name(name: str) -> str:
    """Return a name if it can be a person's.

    Raises:
        AccessError: If not.
    """
    if not _NAME.fullmatch(name) or name != name.strip():
        raise AccessError(f"a name has 1 to 40 letters, digits, blanks, points or dashes, got {name!r:.80}")
    return name


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> tuple[str, list[tuple[str, Role, str]]]:
    wrong = AccessError(f"{path} is not a file of links: make them anew (--new-links)")
    try:
        values = json.loads(path.read_text())
        rows = [(checked_name(row["name"]), row["role"], row["token_sha256"]) for row in values["people"]]
        secret = values["secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise wrong from error
    if not isinstance(secret, str) or len(secret) < 32 or any(role not in ROLES for _, role, _ in rows):
        raise wrong
    if not all(isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) for _, _, digest in rows):
        raise wrong
    return secret, rows


def _write(path: Path, secret: str, rows: list[tuple[str, Role, str]]) -> None:
    people = [{"name": name, "role": role, "token_sha256": digest} for name, role, digest in rows]
    beside = path.with_name(f".{path.name}-{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"secret": secret, "people": people}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
