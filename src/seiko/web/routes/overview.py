"""Where the run stands: numbers, curves, alarms in words, and what to do next."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from seiko.web.context import Form, Owner, Visitor, Web, page, web_of
from seiko.web.curves import FRONT, NAMES
from seiko.web.fields import whole

__all__ = ["router"]

router = APIRouter()
FILES = (*NAMES, "reward-narrow", *FRONT)


@router.get("/")
def overview(request: Request, session: Visitor) -> Response:
    """Show the run to its owner, the queue to a rater."""
    web = web_of(request)
    if session.person.role != "owner":
        return RedirectResponse("/compare" if web.options.best_of else "/rate", 303)
    return page(request, "overview.html", session, **_now(web))


@router.get("/overview/live")
def live(request: Request, session: Owner, version: str = "") -> Response:
    """Return the part that changes; nothing if it has not."""
    web = web_of(request)
    now = _now(web)
    if version == now["stamp"]:
        return Response(status_code=204)
    return page(request, "live.html", session, **now)


@router.get("/figures/{name}.svg")
def figure(request: Request, session: Owner, name: str) -> Response:
    """Return one of the curves."""
    drawn = web_of(request).curves.now()
    if name not in FILES or name not in drawn.files:
        raise HTTPException(404, "there is no such figure, or nothing to draw yet")
    return Response(drawn.files[name], media_type="image/svg+xml", headers={"cache-control": "private, max-age=60"})


@router.get("/jobs/live")
def job(request: Request, session: Owner, seen: str = "") -> Response:
    """Return how the long work goes; nothing if that was seen: what is said again is read out again."""
    current = web_of(request).jobs.current
    if current is not None and seen == f"{current.id}-{current.status}":
        return Response(status_code=204)
    return page(request, "job.html", session, job=current)


@router.post("/jobs/ask")
def ask(request: Request, session: Owner, form: Form) -> Response:
    """Choose a batch, in the background."""
    return _start(request, session, "ask", n=_size(form.get("n")))


@router.post("/jobs/advance")
def advance(request: Request, session: Owner, form: Form) -> Response:
    """Finish the round, in the background."""
    return _start(request, session, "advance", without_pending=form.get("without_pending") == "1")


@router.post("/jobs/stop")
def stop(request: Request, session: Owner, form: Form) -> Response:
    """Stop the long work."""
    web_of(request).jobs.stop()
    return _answer(request, session)


def _start(request: Request, session: Owner, verb: Any, **arguments: Any) -> Response:
    web_of(request).jobs.start(verb, **arguments)
    return _answer(request, session)


def _answer(request: Request, session: Owner) -> Response:
    if "hx-request" in request.headers:
        return page(request, "job.html", session, job=web_of(request).jobs.current)
    return RedirectResponse("/", 303)


def _size(text: object) -> int | None:
    if not isinstance(text, str) or not text.strip():
        return None
    if (size := whole(text, 1, 10**6)) is None:
        raise HTTPException(422, f"the size of a batch must be a positive number of designs, got {text[:40]!r}")
    return size


def _now(web: Web) -> dict[str, Any]:
    drawn = web.curves.now()
    recipe = web.desk.recipe
    with web.desk.reading() as state:
        asked, pending = len(state.asked(state.round)), len(state.pending(state.round))
        late = len(state.pending()) - pending
        rated = sum(1 for query in state.asked(state.round) if state.ratings.scores(query.id))
        finished, answered, charged = len(state.reports), state.answered, state.charged
        stamp = f"{drawn.version}-{state.last_seq}"
    why = web.desk.stopped_because
    rounds_left = max(1, recipe.rounds - finished)
    return {
        "drawn": drawn,
        "stamp": stamp,
        "done": why is not None,
        "why": why,
        "round": min(finished + 1, recipe.rounds),
        "rounds": recipe.rounds,
        "finished": finished,
        "budget": recipe.budget,
        "answered": answered,
        "reserved": charged - answered,
        "asked": asked,
        "pending": pending,
        "late": late,
        "rated": rated,
        "usual": -(-max(0, recipe.budget - charged) // rounds_left),
        "job": web.jobs.current,
        "writable": web.desk.writable,
    }
