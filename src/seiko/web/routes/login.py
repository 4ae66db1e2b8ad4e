"""Coming in and going out.

The link's token stands behind the #: the page's script moves it into the form, so that it never is part of an address
that is sent, logged or passed on.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from seiko.web.context import Form, Visitor, page, web_of
from seiko.web.sessions import COOKIE, same_origin

__all__ = ["router"]

router = APIRouter()


@router.get("/login")
def login_page(request: Request) -> Response:
    """Ask for the token."""
    return page(request, "login.html", None, problem="")


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Let in whoever has a token."""
    web = web_of(request)
    if not same_origin(request):
        raise HTTPException(403, "come in from this server's own page")
    address = request.client.host if request.client else ""
    if wait := web.logins.wait(address):
        text = f"Too many wrong links from your address: wait {wait} s."
        answer = page(request, "login.html", None, status=429, problem=text)
        answer.headers["retry-after"] = str(wait)
        return answer
    form = await request.form(max_files=0, max_fields=5)
    token = form.get("token")
    person = web.access.person(token.strip()) if isinstance(token, str) else None
    if person is None:
        web.logins.take(address)
        return page(
            request, "login.html", None, status=401, problem="This link is not, or no longer, good. Ask for a new one."
        )
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        web.sessions.cookie(person),
        max_age=web.sessions.seconds,
        httponly=True,
        samesite="strict",
        secure=web.options.secure,
    )
    return response


@router.post("/logout")
def log_out(request: Request, session: Visitor, form: Form) -> Response:
    """End the session."""
    web_of(request).sessions.end(session)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=web_of(request).options.secure)
    return response
