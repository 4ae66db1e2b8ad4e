"""One design by itself: what happened to it; its owner retracts, abandons, or has it measured again, with a reason."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from seiko.oracles import Label
from seiko.web.context import Form, Owner, page, web_of
from seiko.web.fields import whole
from seiko.web.story import story_of

__all__ = ["router"]

router = APIRouter()
LONGEST = 1000
DONE = ("retracted", "abandoned", "again", "failed", "nothing")


@router.get("/designs/{id}")
def design(request: Request, session: Owner, id: str, done: str = "") -> Response:
    """Show all that is known of a design."""
    desk = web_of(request).desk
    query = desk.query(id)
    with desk.reading() as state:
        story = story_of(state, query)
    return page(request, "one.html", session, story=story, done=done if done in DONE else "", writable=desk.writable)


@router.post("/designs/{id}/retract")
def retract(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Take its label away, or that of one measurement."""
    replicate = None if form.get("replicate") in (None, "") else _replicate(form)
    taken = web_of(request).desk.retract(id, _reason(form), replicate)
    return _back(id, "retracted" if taken else "nothing")


@router.post("/designs/{id}/abandon")
def abandon(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Wait for it no longer."""
    taken = web_of(request).desk.abandon([id], _reason(form))
    return _back(id, "abandoned" if taken else "nothing")


@router.post("/designs/{id}/fail")
def fail(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Take note that its measurement broke, and whether it is to be repeated."""
    retry = form.get("retry") == "1"
    label = Label(status="failed", reason=_reason(form), retry=retry, replicate=_replicate(form))
    taken, _ = web_of(request).desk.tell({id: [label]})
    return _back(id, "nothing" if not taken else "again" if retry else "failed")


def _reason(form: FormData) -> str:
    reason = form.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise HTTPException(422, "say why, in words: the reason is kept with the run")
    return reason.strip()[:LONGEST]


def _replicate(form: FormData) -> int:
    text = form.get("replicate") or "1"
    if (number := whole(text, 1, 10_000)) is None:
        raise HTTPException(422, f"a measurement is numbered from 1, got {str(text)[:40]!r}")
    return number


def _back(id: str, done: str) -> Response:
    return RedirectResponse(f"/designs/{id}?done={done}", 303)
