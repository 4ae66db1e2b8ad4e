"""A few designs side by side: which is the best of them?"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from seiko.web.context import Form, Visitor, page, web_of
from seiko.web.queue import last_choice, next_choice
from seiko.web.sessions import Session

__all__ = ["router"]

router = APIRouter()
MOST_PASSED = 200


@router.get("/compare")
def compare(request: Request, session: Visitor) -> Response:
    """Show the next designs to choose from."""
    if not web_of(request).options.best_of:
        return RedirectResponse("/rate", 303)
    return _choice(request, session, "compare.html")


@router.post("/compare")
def choose(request: Request, session: Visitor, form: Form) -> Response:
    """Take a choice, or that there is none to make."""
    web = web_of(request)
    name = session.person.name
    shown = [id for id in form.getlist("shown") if isinstance(id, str)]
    winner = form.get("winner")
    if len(shown) != len(set(shown)) or not 2 <= len(shown) <= 9:
        raise HTTPException(422, "the form names no designs to choose from")
    for id in shown:
        web.desk.query(id)
    if form.get("skip") == "1":
        web.passed.setdefault(name, []).append(frozenset(shown))
        del web.passed[name][:-MOST_PASSED]
    elif isinstance(winner, str) and winner in shown:
        web.desk.choose(winner, [id for id in shown if id != winner], name)
    else:
        raise HTTPException(422, "choose one of the designs that are shown")
    return _next(request, session)


@router.post("/compare/undo")
def undo(request: Request, session: Visitor, form: Form) -> Response:
    """Take this person's last choice back."""
    web = web_of(request)
    with web.desk.reading() as state:
        last = last_choice(state.comparisons, session.person.name)
    if not last:
        raise HTTPException(409, "there is nothing to take back")
    web.desk.withdraw(last)
    return _next(request, session)


def _next(request: Request, session: Session) -> Response:
    if "hx-request" in request.headers:
        return _choice(request, session, "choice.html")
    return RedirectResponse("/compare", 303)


def _choice(request: Request, session: Session, template: str) -> Response:
    web = web_of(request)
    name = session.person.name
    with web.desk.reading() as state:
        queries = next_choice(state, name, web.options.best_of, web.passed.get(name, ()))
        own = [comparison for comparison in state.comparisons if comparison.rater == name]
        count = len({comparison.choice or index for index, comparison in enumerate(own)})
        round, asked = state.round, len(state.asked(state.round))
    return page(request, template, session, queries=queries, count=count, can_undo=bool(own), round=round, asked=asked)
