"""What is answered when something cannot be done: a status, a sentence, and the way out; never a traceback.

401 come in first    403 not yours, or not meant    404 no such thing    409 not now    413 too large
422 cannot be meant  429 too often                  500 a fault of the program, named by a number in the log
503 the run cannot be written or read now
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from seiko.campaign import CampaignError, LedgerError, UnknownQuery
from seiko.campaign.label_file import LabelFileError
from seiko.web.uploads import UploadGone

__all__ = ["EXPECTED", "Faults", "Problem", "problem_of"]

EXPECTED = (HTTPException, CampaignError, LedgerError, UploadGone, ValueError, ImportError)
_log = logging.getLogger("seiko.web")


@dataclass(frozen=True, slots=True)
class Problem:
    """A status and a sentence."""

    status: int
    text: str


def problem_of(error: BaseException) -> Problem:
    """Return what to answer; a fault of the program is logged."""
    match error:
        case HTTPException():
            return Problem(error.status_code, str(error.detail))
        case UploadGone():
            return Problem(404, str(error))
        case LabelFileError():
            return Problem(422, str(error))
        case UnknownQuery():
            return Problem(404, str(error))
        case CampaignError():
            return Problem(409, str(error))
        case LedgerError():
            _log.error("the run cannot be used: %s", error)
            return Problem(503, str(error))
        case ValueError():
            return Problem(422, str(error))
        case ImportError():  # an extra that is not installed; the message names it
            _log.error("%s", error)
            return Problem(503, str(error))
    number = secrets.token_hex(4)
    _log.error("fault %s", number, exc_info=error)
    return Problem(500, f"something went wrong here (number {number} in the server's log); nothing was changed")


class Faults:
    """Turn what nobody expected into an answer, inside of what adds headers to every answer.

    Args:
        app: What is behind it.
        answer: Makes the answer.
    """

    def __init__(self, app: Any, answer: Callable[[Request, Exception], Response]) -> None:
        self.app, self._answer = app, answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except HTTPException:
            raise
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await self._answer(Request(scope), error)(scope, receive, send)
