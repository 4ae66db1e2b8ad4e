"""What every page has at hand, and the three questions that come before it: who, may they, and did they mean it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

import seiko
from seiko.report.tables import number, percent
from seiko.web.access import Access
from seiko.web.curves import Curves
from seiko.web.desk import Desk
from seiko.web.jobs import Jobs
from seiko.web.limits import Buckets
from seiko.web.options import Options
from seiko.web.pictures import letters, shown_as
from seiko.web.sessions import COOKIE, Session, Sessions, same_origin
from seiko.web.uploads import Uploads

__all__ = ["Form", "Outside", "Owner", "Visitor", "Web", "file_headers", "page", "web_of"]

HERE = Path(__file__).parent
MOST_FILES, MOST_FIELDS = 1, 40


class Outside(Exception):
    """Nobody has come in yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """All parts of the app.

    Args:
        desk: The run.
        jobs: Its long work.
        access: Who may come in.
        sessions: Who has.
        options: How it is served.
        curves: Its figures.
        uploads: Files on their way in.
        logins: Failed logins by address.
        posts: Changes by person.
        passed: Sets of designs that a rater did not want to compare.
        pages: The templates.
    """

    desk: Desk
    jobs: Jobs
    access: Access
    sessions: Sessions
    options: Options
    curves: Curves
    uploads: Uploads
    logins: Buckets
    posts: Buckets
    passed: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    pages: Environment


def environment() -> Environment:
    """Return the templates: every string escaped, a name that is not given an error."""
    pages = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    pages.globals |= {"letters": letters, "shown_as": shown_as, "version": seiko.__version__}
    pages.filters |= {"number": number, "percent": percent}
    return pages


def web_of(request: Request) -> Web:
    """Return the parts of the app that a request came to."""
    web: Web = request.app.state.web
    return web


def visitor(request: Request) -> Session:
    """Return who asks.

    Raises:
        Outside: If nobody has come in with this browser.
    """
    session = web_of(request).sessions.read(request.cookies.get(COOKIE))
    if session is None:
        raise Outside
    return session


Visitor = Annotated[Session, Depends(visitor)]


def owner(session: Visitor) -> Session:
    """Return who asks, if they own the run.

    Raises:
        HTTPException: 403 if not.
    """
    if session.person.role != "owner":
        raise HTTPException(403, "this page belongs to the owner of the run")
    return session


Owner = Annotated[Session, Depends(owner)]


async def checked_form(request: Request, session: Visitor) -> FormData:
    """Return a form that was sent from one of our own pages, not too often.

    Raises:
        HTTPException: 403 if it was sent from elsewhere, 429 if there were too many.
    """
    import hmac

    web = web_of(request)
    if wait := web.posts.take(session.person.name):
        raise HTTPException(429, f"too many changes at once: wait {wait} s", {"Retry-After": str(wait)})
    form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=web.options.body_bytes)
    given = request.headers.get("x-csrf-token") or form.get("csrf")
    matches = isinstance(given, str) and hmac.compare_digest(given.encode(), session.csrf.encode())
    if not matches or not same_origin(request):
        raise HTTPException(403, "this form was not sent from a page of this server: reload the page, then repeat")
    return form


Form = Annotated[FormData, Depends(checked_form)]


def page(request: Request, name: str, session: Session | None, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page, or a part of one for htmx."""
    web = web_of(request)
    text = web.pages.get_template(name).render(
        run=web.desk.name,
        recipe=web.desk.recipe.name,
        objectives=web.desk.recipe.objectives,
        options=web.options,
        session=session,
        path=request.url.path,
        by_htmx="hx-request" in request.headers,
        **values,
    )
    return HTMLResponse(text, status_code=status)


def file_headers(run: str, what: str) -> dict[str, str]:
    """Return the headers of a file that is to be kept, not shown, under a name with letters of every system."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in run) or "run"
    return {"content-disposition": f'attachment; filename="{name}-{what}"'}
