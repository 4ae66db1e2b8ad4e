"""All of it together: the pages, the interface for programs, and what stands in front of both.

Outermost first: security headers on every answer, only the server's own names, only bodies of a decent size; then the
pages (session cookie, csrf) and `/api/v1` (token). `/api/openapi.json` describes the latter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

import seiko
from seiko.web import api
from seiko.web.access import Access
from seiko.web.answers import EXPECTED, Faults, problem_of
from seiko.web.context import HERE, Outside, Web, environment, page, web_of
from seiko.web.curves import Curves
from seiko.web.desk import Desk
from seiko.web.headers import SecurityHeaders
from seiko.web.jobs import Jobs
from seiko.web.limits import BodyLimit, Buckets
from seiko.web.options import Options
from seiko.web.routes import (
    compare,
    design,
    designs,
    export,
    login,
    objectives,
    overview,
    people,
    pictures,
    plates,
    rate,
    upload,
)
from seiko.web.sessions import COOKIE, Sessions
from seiko.web.uploads import Uploads

__all__ = ["create_app"]

_ROUTERS = (
    login, overview, objectives, rate, compare, upload, plates, designs, design, export, people, pictures,
)  # fmt: skip
_MULTIPART = 64 << 10  # what a form adds to the file in it


class _Static(StaticFiles):
    """Our own files; their address changes with the version."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=3600"
        return response


def create_app(desk: Desk, access: Access, options: Options | None = None, jobs: Jobs | None = None) -> FastAPI:
    """Return the app that serves a run.

    Args:
        desk: The run; it is closed when the app is.
        access: Who may come in.
        options: How it is served.
        jobs: Its long work; None for processes of this interpreter.
    """
    options = options or Options()
    web = Web(
        desk=desk,
        jobs=jobs or Jobs(desk.place, desk.modules),
        access=access,
        sessions=Sessions(access, options.session_hours),
        options=options,
        curves=Curves(desk),
        uploads=Uploads(),
        logins=Buckets(options.logins_a_minute / 60, options.logins_a_minute),
        posts=Buckets(options.posts_a_second, options.burst),
        pages=environment(),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        web.jobs.close()
        desk.close()

    app = FastAPI(
        title="seiko",
        version=seiko.__version__,
        description="Ask for designs, tell labels, advance the model.",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.web = web
    app.include_router(api.router)
    for module in _ROUTERS:
        app.include_router(module.router, include_in_schema=False)
    app.mount("/static", _Static(directory=HERE / "static"), name="static")
    app.add_exception_handler(Outside, _come_in)
    app.add_exception_handler(RequestValidationError, _not_meant)
    for kind in EXPECTED:
        app.add_exception_handler(kind, _answer)
    app.add_middleware(Faults, answer=_answer)
    larger = {"/upload": options.upload_bytes + _MULTIPART}
    app.add_middleware(BodyLimit, limit=options.body_bytes, larger=larger, answer=_answer)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(options.hosts), www_redirect=False)
    app.add_middleware(SecurityHeaders, secure=options.secure)
    return app


def _come_in(request: Request, error: Exception) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse("/login", 303)


def _not_meant(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
    return _answer(request, HTTPException(422, "; ".join(found)))


def _answer(request: Request, error: Exception) -> Response:
    problem = problem_of(error, web_of(request).desk.place)
    headers = dict(getattr(error, "headers", None) or {})
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": problem.text}, problem.status, headers)
    if "hx-request" in request.headers:
        answer = page(request, "problem.html", None, status=problem.status, problem=problem)
        answer.headers.update({"HX-Retarget": "#notice", "HX-Reswap": "innerHTML", **headers})
        return answer
    session = web_of(request).sessions.read(request.cookies.get(COOKIE))
    answer = page(request, "error.html", session, status=problem.status, problem=problem)
    answer.headers.update(headers)
    return answer
