"""A file of results: choose, preview, read otherwise, mend, take; or attach, for what was measured before."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from seiko.campaign.label_file import LabelFileError
from seiko.web.context import Form, Owner, Web, page, web_of
from seiko.web.fields import whole
from seiko.web.reading import formula, guess, header_of, offered, reading_of
from seiko.web.uploads import Preview, Upload, mended, preview

__all__ = ["router"]

router = APIRouter()


@router.get("/upload")
def choose(request: Request, session: Owner, taken: int = 0) -> Response:
    """Ask for a file."""
    return page(request, "upload.html", session, preview=None, taken=taken, **_around(web_of(request)))


@router.post("/upload")
async def upload(request: Request, session: Owner, form: Form) -> Response:
    """Check a file and show what it would do; nothing is taken."""
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise HTTPException(422, "choose a file first")
    name, attach = file.filename[:200], form.get("attach") == "1"
    return await run_in_threadpool(_first, request, session, name, await file.read(), attach)


@router.get("/upload/{id}")
def again(request: Request, session: Owner, id: str) -> Response:
    """Show a file once more: a reload loses nothing."""
    return _show(request, session, web_of(request).uploads.get(id, session.person.name))


@router.post("/upload/{id}/read")
def read(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Read a file otherwise: other columns, other units."""
    web = web_of(request)
    kept = web.uploads.get(id, session.person.name)
    with web.desk.reading() as state:
        columns = offered(web.desk.recipe.objectives, state, kept.attach)
    return _show(request, session, web.uploads.change(kept, reading=reading_of(form, columns)))


@router.post("/upload/{id}/mend")
def mend(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Replace one line of a file and check it again."""
    web = web_of(request)
    line, text = whole(form.get("line"), 0, 10**9), form.get("text")
    if line is None or not isinstance(text, str):
        raise HTTPException(422, "the form names no line to mend")
    kept = web.uploads.get(id, session.person.name)
    return _show(request, session, web.uploads.change(kept, data=mended(kept, line, text)))


@router.post("/upload/{id}/take")
def take(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Take all labels of a file, or none."""
    web = web_of(request)
    kept = web.uploads.get(id, session.person.name)
    with web.desk.reading() as state:
        found = preview(kept, state, web.desk.recipe.objectives)
    if found.error is not None:
        return _show(request, session, kept)
    if kept.attach:
        return _attach(web, kept)
    try:
        taken, _ = web.desk.tell(found.labels, kept.reading.units)
    except LabelFileError:
        return _show(request, session, kept)
    web.uploads.remember(kept)
    web.uploads.drop(id)
    return RedirectResponse(f"/upload?taken={taken}", 303)


def _first(request: Request, session: Owner, name: str, data: bytes, attach: bool) -> Response:
    web, person = web_of(request), session.person.name
    with web.desk.reading() as state:
        reading = guess(header_of(data), state, web.desk.recipe.objectives, web.uploads.last(person, attach))
    return _show(request, session, web.uploads.put(person, name, data, reading=reading, attach=attach))


def _attach(web: Web, kept: Upload) -> Response:
    """Start the work: whether the model knows the designs takes the model."""
    reading = kept.reading
    web.jobs.start(
        "attach",
        about=kept.id,
        data=base64.b64encode(kept.data).decode(),
        name=kept.name,
        columns=dict(reading.columns),
        units=asdict(reading.units),
    )
    web.uploads.remember(kept)
    return RedirectResponse("/upload", 303)


def _show(request: Request, session: Owner, kept: Upload) -> Response:
    web = web_of(request)
    job, error = web.jobs.current, None
    if job is not None and job.about == kept.id and job.wrong is not None:
        error = LabelFileError(kept.name, job.wrong["line"], job.wrong["column"], job.wrong["message"])
    with web.desk.reading() as state:
        found = preview(kept, state, web.desk.recipe.objectives, error)
    values: dict[str, Any] = {"preview": found, "taken": 0, **_reading(web, found), **_around(web)}
    return page(request, "upload.html", session, status=200 if found.error is None else 422, **values)


def _reading(web: Web, found: Preview) -> dict[str, Any]:
    """Return what the form of columns and units shows."""
    kept, objectives = found.upload, web.desk.recipe.objectives
    header = header_of(kept.data)
    with web.desk.reading() as state:
        ours, plates = offered(objectives, state, kept.attach), list(state.plates)
    own = {name.lower(): name for name in header}
    chosen = {name: kept.reading.columns.get(name) or own.get(name, "") for name in ours}
    return {
        "header": header,
        "missing": header
        and found.error is not None
        and found.error.column in ours
        and not any(name.lower() == found.error.column for name in header),
        "ours": ours,
        "chosen": chosen,
        "reading": kept.reading,
        "formula": None if objectives is not None else formula(kept.reading),
        "wells": plates if not kept.attach else [],
    }


def _around(web: Web) -> dict[str, Any]:
    with web.desk.reading() as state:
        pending, plates = len(state.pending()), len(state.plates)
    return {"pending": pending, "plates": plates, "job": web.jobs.current}
