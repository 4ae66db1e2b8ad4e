"""A file of results: choose, preview, mend, take."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from seiko.campaign.label_file import LabelFileError
from seiko.web.context import Form, Owner, page, web_of
from seiko.web.uploads import Upload, mended, preview

__all__ = ["router"]

router = APIRouter()


@router.get("/upload")
def choose(request: Request, session: Owner, taken: int = 0) -> Response:
    """Ask for a file."""
    with web_of(request).desk.reading() as state:
        pending = len(state.pending())
    return page(request, "upload.html", session, preview=None, pending=pending, taken=taken)


@router.post("/upload")
async def upload(request: Request, session: Owner, form: Form) -> Response:
    """Check a file and show what it would do; nothing is taken."""
    web = web_of(request)
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise HTTPException(422, "choose a file first")
    data = await file.read()
    kept = web.uploads.put(session.person.name, file.filename[:200], data)
    return await run_in_threadpool(_show, request, session, kept)


@router.get("/upload/{id}")
def again(request: Request, session: Owner, id: str) -> Response:
    """Show a file once more: a reload loses nothing."""
    return _show(request, session, web_of(request).uploads.get(id, session.person.name))


@router.post("/upload/{id}/mend")
def mend(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Replace one line of a file and check it again."""
    web = web_of(request)
    line, text = form.get("line"), form.get("text")
    if (
        not isinstance(line, str)
        or not (line.isascii() and line.isdigit() and len(line) < 9)
        or not isinstance(text, str)
    ):
        raise HTTPException(422, "the form names no line to mend")
    kept = web.uploads.get(id, session.person.name)
    new = web.uploads.put(session.person.name, kept.name, mended(kept, int(line), text))
    web.uploads.drop(id)
    return _show(request, session, new)


@router.post("/upload/{id}/take")
def take(request: Request, session: Owner, form: Form, id: str) -> Response:
    """Take all labels of a file, or none."""
    web = web_of(request)
    kept = web.uploads.get(id, session.person.name)
    with web.desk.reading() as state:
        found = preview(kept, state)
    if found.error is not None:
        return _show(request, session, kept)
    try:
        taken, _ = web.desk.tell(found.labels)
    except LabelFileError:
        return _show(request, session, kept)
    web.uploads.drop(id)
    return RedirectResponse(f"/upload?taken={taken}", 303)


def _show(request: Request, session: Owner, kept: Upload) -> Response:
    with web_of(request).desk.reading() as state:
        found, pending = preview(kept, state), len(state.pending())
    status = 200 if found.error is None else 422
    return page(request, "upload.html", session, status=status, preview=found, pending=pending, taken=0)
