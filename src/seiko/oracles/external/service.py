"""A service in the network as the oracle: JSON in, JSON out.

    POST url    {"designs": [{"id": ..., "design": ..., "kind": ..., "prompt": ..., "png": base64 of an image}, ...]}
    200         {"labels": [{"id": ..., "value": ..., "noise": ..., "status": ..., "reason": ...}, ...]}

Each request carries an `Idempotency-Key`, the SHA-256 of what it asks: a service that keeps its answers by that key can
be asked again after any accident, also by a loop that was killed and started again, and measures nothing twice; the ids
are the designs' keys, which serve the same. Lost connections, time-outs and 408, 425, 429, 5xx are tried again with
exponential, randomised back-off, or after `Retry-After`; any other status is a mistake of ours and ends the loop.

A token is read from an environment variable when it is needed. It is in no recipe, no ledger and no message, and is
sent by https only, or to this machine.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.external.answers import Broken, OracleFailed, as_sent, converse

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

__all__ = ["Service"]

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
LARGEST = 64 << 20  # bytes of one answer
LARGEST_SENT = 16 << 20  # characters of the images of one request, but for one that is larger alone
LONGEST = 60.0  # seconds between two tries


@dataclass(frozen=True, kw_only=True)
class Service:
    """Answer by asking a service; larger is better.

    Args:
        url: Where to POST to.
        part: Designs of one request; fewer where images would make it larger than 16 MB.
        timeout: Seconds without a byte before a request counts as lost.
        tries: How often a request is sent before the loop ends.
        wait: Seconds before the second try, doubled with each, at random between 0 and that.
        token: *Name* of the environment variable that holds the token, sent as ``Authorization: Bearer``.

    Raises:
        ValueError: If the URL is none, holds a password, or would take a token over the open network.
    """

    url: str
    part: int = 50
    timeout: float = 60.0
    tries: int = 5
    wait: float = 1.0
    token: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be http://... or https://..., got {self.url!r}")
        if parts.username or parts.password:
            raise ValueError("url must not hold a password, it would be written into the run: name a variable as token")
        if self.token is not None:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.token, re.ASCII):
                raise ValueError("token must be the name of an environment variable, not the token itself")
            if parts.scheme == "http" and not _is_here(parts.hostname):
                raise ValueError(f"a token is sent by https only, got {parts.scheme}://{parts.hostname}")
        for name in ("part", "timeout", "tries"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.wait < 0:
            raise ValueError(f"wait must be at least 0 seconds, got {self.wait}")

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        labels = dict(self.answers(designs))
        return [labels[position] for position in range(len(designs))]

    def answers(self, designs: Sequence[Design]) -> Iterator[tuple[int, Label]]:
        """Yield position and label of each design, request by request.

        Raises:
            OracleFailed: If the service refuses, or cannot be reached.
        """
        return converse(designs, self._attempt)

    def _attempt(self, designs: Sequence[Design], number: int) -> Iterator[Mapping[str, Any]]:
        try:
            import httpx
            import tenacity
        except ImportError as error:
            raise OracleFailed("a service is asked by httpx and tenacity: pip install 'seiko[scale]'") from error

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.pause if isinstance(error, _Again) else None
            return random_pause(state) if asked is None else min(asked, LONGEST)

        random_pause = tenacity.wait_random_exponential(multiplier=self.wait, max=LONGEST)
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.tries),
            wait=pause,
            retry=tenacity.retry_if_exception_type(_Again),
            reraise=True,
        )
        with httpx.Client(timeout=self.timeout, follow_redirects=False) as client:
            for rows in _parts(designs, self.part):
                body = json.dumps({"designs": rows}).encode()
                try:
                    answer = again(self._post, client, body, number)
                except _Again as error:
                    raise OracleFailed(f"{self._place()}: {error}, {self.tries} times") from None
                yield from _records(answer)

    def _post(self, client: httpx.Client, body: bytes, number: int) -> bytes:
        import httpx

        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": hashlib.sha256(self.url.encode() + b"\0%d\0" % number + body).hexdigest(),
        }
        secret = None
        if self.token is not None:
            if not (secret := os.environ.get(self.token)):
                raise OracleFailed(f"the environment variable {self.token}, which holds the token, is not set")
            headers["Authorization"] = f"Bearer {secret}"
        try:
            with client.stream("POST", self.url, content=body, headers=headers) as response:
                data = b""
                for part in response.iter_bytes():
                    data += part
                    if len(data) > LARGEST:
                        raise OracleFailed(f"{self._place()} answers with more than {LARGEST >> 20} MB")
        except httpx.TransportError as error:
            raise _Again(_clean(f"{type(error).__name__}: {error}", secret)) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.DecodingError, UnicodeError) as error:
            raise OracleFailed(_clean(f"{self._place()}: {type(error).__name__}: {error}", secret)) from None
        if response.status_code == 200:
            return data
        said = _clean(f"it answered {response.status_code}: {data[:300].decode(errors='replace')}", secret)
        if response.status_code in AGAIN:
            raise _Again(said, _seconds(response.headers.get("Retry-After")))
        raise OracleFailed(f"{self._place()}: {said}")

    def _place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a key


class _Again(Exception):
    """To be tried again, after some seconds if the service says how many."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


def _parts(designs: Sequence[Design], most: int) -> Iterator[list[dict[str, str]]]:
    """Yield what is sent in each request; the same designs give the same requests."""
    rows: list[dict[str, str]] = []
    size = 0
    for design in designs:
        row = as_sent(design)
        more = len(row.get("png", ""))
        if rows and (len(rows) == most or size + more > LARGEST_SENT):
            yield rows
            rows, size = [], 0
        rows.append(row)
        size += more
    if rows:
        yield rows


def _records(data: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        raise Broken(f"it answered {data[:60]!r}, which is no JSON") from None
    labels = answer.get("labels") if isinstance(answer, dict) else None
    if not isinstance(labels, list):
        raise Broken('it answered JSON without a list "labels"')
    yield from (label for label in labels if isinstance(label, dict))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,6}", text.strip(), re.ASCII) else None


def _clean(text: str, secret: str | None) -> str:
    """Return a message without the token: services repeat what they were sent."""
    return " ".join((text.replace(secret, "***") if secret else text).split())


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
