"""What is answered when something cannot be done: a status, a sentence, and the way out; never a traceback.

401 come in first    403 not yours, or not meant    404 no such thing    409 not now    413 too large
422 cannot be meant  429 too often                  500 a fault of the program, named by a number in the log
503 the run cannot be written or read now

Of a run on a server, neither its URL nor what the driver says of host and user is for everybody who may rate: they are
in the log, the page says what to do.
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
from seiko.campaign.artifacts import ArtifactCorrupted, LedgerReadOnly
from seiko.campaign.label_file import LabelFileError
from seiko.campaign.ledger import LedgerBusy, LedgerCorrupted, is_server
from seiko.web.uploads import UploadGone

__all__ = ["EXPECTED", "Answer", "Faults", "Problem", "in_words", "problem_of"]

EXPECTED = (HTTPException, CampaignError, LedgerError, UploadGone, ValueError, ImportError)
Answer = Callable[[Request, Exception], Response]  # makes of what was refused, or went wrong, what the client is told
_PLAIN = {"Not Found": "there is no page at this address", "Method Not Allowed": "that cannot be done at this address"}
_log = logging.getLogger("seiko.web")


@dataclass(frozen=True, slots=True)
class Problem:
    """A status and a sentence."""

    status: int
    text: str


def in_words(error: LedgerError, place: str) -> str:
    """Return what people may read of a run that cannot be used."""
    if not is_server(place):
        return str(error)
    match error:
        case LedgerBusy():
            return "the run is held by another process: try again"
        case LedgerReadOnly():
            return "the run takes no writes now: its owner may ask whoever runs the database"
        case LedgerCorrupted() | ArtifactCorrupted():
            return "the run is damaged: its owner finds in the server's log what is wrong"
    return "the database of the run does not answer: try again; what was taken is kept, and nothing is taken twice"


def problem_of(error: BaseException, place: str) -> Problem:
    """Return what to answer; a fault of the program is logged."""
    match error:
        case HTTPException():
            return Problem(error.status_code, _PLAIN.get(str(error.detail), str(error.detail)))
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
            return Problem(503, in_words(error, place))
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

    def __init__(self, app: Any, answer: Answer) -> None:
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
