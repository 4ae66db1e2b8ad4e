"""Designs as files: images as they are, molecules drawn."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from seiko.web.context import Visitor, web_of
from seiko.web.pictures import molecule_svg, shown_as

__all__ = ["router"]

router = APIRouter()
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}  # the design of a query never changes


@router.get("/pictures/{id}")
def picture(request: Request, session: Visitor, id: str) -> Response:
    """Return a design as a picture."""
    desk = web_of(request).desk
    query = desk.query(id)
    shown = shown_as(query.design)
    if shown == "image":
        return Response(desk.bytes_of(query), media_type="image/png", headers=FOR_EVER)
    drawing = molecule_svg(query.design.content) if shown == "molecule" else None
    if drawing is None:
        raise HTTPException(404, "this design has no picture")
    return Response(drawing, media_type="image/svg+xml", headers=FOR_EVER)
