"""A gallery of designs that one person scores: stars or a slider, skip, undo."""

from __future__ import annotations

import math

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from seiko.campaign import LabelConflict, RunState
from seiko.campaign.judging import to_take_back
from seiko.campaign.ratings import Rating
from seiko.web.context import Form, Visitor, Web, page, web_of
from seiko.web.queue import open_designs, progress_of
from seiko.web.sessions import Session

__all__ = ["router"]

router = APIRouter()


@router.get("/rate")
def gallery(request: Request, session: Visitor, first: str = "") -> Response:
    """Show the designs that wait for this person."""
    web = web_of(request)
    name = session.person.name
    with web.desk.reading() as state:
        waiting = open_designs(state, name)
        done = progress_of(state, name)
        words = state.ratings.by(name)
        last = words[-1] if words else None
        can_undo = last is not None and _can_undo(state, last.query, name)
        round = state.round
    chosen = sorted(waiting, key=lambda query: query.id != first)[: web.options.batch]
    return page(request, "rate.html", session, queries=chosen, done=done, can_undo=can_undo, round=round)


@router.post("/rate")
def rate(request: Request, session: Visitor, form: Form) -> Response:
    """Take a score, or that a design is skipped."""
    web = web_of(request)
    name = session.person.name
    rating = _rating(form, name, web)
    web.desk.rate(rating, raters=web.options.raters, step=web.options.scale.step)
    if "hx-request" not in request.headers:
        return RedirectResponse("/rate", 303)
    with web.desk.reading() as state:
        done = progress_of(state, name)
        query = state.queries[rating.query]
    return page(request, "rated.html", session, query=query, rating=rating, done=done, can_undo=True)


@router.post("/rate/undo")
def undo(request: Request, session: Visitor, form: Form) -> Response:
    """Take this person's last word back, and show its design first."""
    web = web_of(request)
    name = session.person.name
    with web.desk.reading() as state:
        words = state.ratings.by(name)
    if not words:
        raise HTTPException(409, "there is nothing to take back")
    wanted = form.get("query")
    query = wanted if isinstance(wanted, str) and wanted else words[-1].query
    web.desk.unrate(query, name)
    return _go(request, session, f"/rate?first={query}")


def _go(request: Request, session: Session, place: str) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": place})
    return RedirectResponse(place, 303)


def _can_undo(state: RunState, query: str, name: str) -> bool:
    try:
        to_take_back(state, query, name)
    except LabelConflict:
        return False
    return True


def _rating(form: FormData, name: str, web: Web) -> Rating:
    query, score = form.get("query"), form.get("score")
    if not isinstance(query, str) or not query:
        raise HTTPException(422, "the form names no design")
    if form.get("skip") == "1":
        return Rating(query=query, rater=name, skipped=True)
    scale = web.options.scale
    try:
        value = float(score) if isinstance(score, str) else math.nan
    except ValueError:
        value = math.nan
    if value not in scale:
        raise HTTPException(
            422, f"a score must be {scale.low:g} to {scale.high:g} in steps of {scale.step:g}, got {str(score)[:40]!r}"
        )
    return Rating(query=query, rater=name, score=value)
