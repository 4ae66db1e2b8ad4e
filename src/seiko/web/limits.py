"""How much and how often: token buckets for what people do, a cap on what they send.

A bucket holds at most `burst` and gains `rate` a second; each act takes one. The cap counts bytes as they arrive, so
that a body without a length, or with a false one, is cut off as well.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from seiko.web.answers import Answer
from seiko.web.options import MEGABYTE

__all__ = ["BodyLimit", "Buckets"]

MOST_BUCKETS = 10_000


class Buckets:
    """Token buckets by name; the longest unused are forgotten first.

    Args:
        rate: Acts a second that may last.
        burst: Acts at once.
        clock: Seconds; for tests.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name -> (level, when)
        self._lock = threading.Lock()

    def take(self, name: str, count: float = 1) -> int:
        """Take from a bucket; return 0 if there was enough, else the whole seconds to wait, and take nothing."""
        with self._lock:
            level = self._level(name)
            enough = level >= count
            self._put(name, level - count if enough else level)
            return 0 if enough else math.ceil((count - level) / self.rate)

    def wait(self, name: str) -> int:
        """Return the seconds until one may be taken, 0 if at once; take nothing."""
        with self._lock:
            level = self._level(name)
            return 0 if level >= 1 else math.ceil((1 - level) / self.rate)

    def _level(self, name: str) -> float:
        level, then = self._levels.get(name, (self.burst, 0.0))
        return min(self.burst, level + self.rate * (self._clock() - then))

    def _put(self, name: str, level: float) -> None:
        self._levels[name] = (level, self._clock())
        self._levels.move_to_end(name)
        while len(self._levels) > MOST_BUCKETS:
            self._levels.popitem(last=False)


class TooLarge(HTTPException):
    """A body is larger than it may be."""

    def __init__(self, limit: int) -> None:
        words = f"the request is larger than {limit / MEGABYTE:g} MiB: send less at a time"
        super().__init__(413, words, {"Connection": "close"})  # what is left of the body is not read


class BodyLimit:
    """Cut off requests whose body is larger than allowed, with status 413.

    Args:
        app: What is behind it.
        limit: Bytes.
        larger: Bytes for some paths.
        answer: Makes the answer.
    """

    def __init__(self, app: Any, limit: int, larger: dict[str, int], answer: Answer) -> None:
        self.app, self.limit, self.larger, self._answer = app, limit, larger, answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"], self.limit)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            await self._answer(Request(scope), TooLarge(limit))(scope, receive, send)
            return
        seen, started = 0, False

        async def counted() -> Any:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise TooLarge(limit)
            return message

        async def watched(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except TooLarge as error:
            if started:
                raise
            await self._answer(Request(scope), error)(scope, receive, send)
