"""Several properties beside each other: where each stands, the front and its volume; it follows the labels."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from seiko.report.tables import decimals_for
from seiko.web.context import Owner, Web, page, web_of
from seiko.web.curves import FRONT

__all__ = ["router"]

router = APIRouter()


@router.get("/objectives")
def objectives(request: Request, session: Owner) -> Response:
    """Show where several properties stand."""
    return page(request, "objectives.html", session, **_now(web_of(request)))


@router.get("/objectives/live")
def live(request: Request, session: Owner, version: str = "") -> Response:
    """Return the part that changes; nothing if it has not."""
    now = _now(web_of(request))
    if version == now["drawn"].version:
        return Response(status_code=204)
    return page(request, "front.html", session, **now)


def _now(web: Web) -> dict[str, Any]:
    if web.desk.recipe.objectives is None:
        raise HTTPException(404, "this run has one objective: the overview shows it")
    drawn = web.curves.now()
    found = drawn.several
    decimals = {}
    for j, name in enumerate(web.desk.recipe.objectives.names):
        decimals[name] = None if found is None else decimals_for(row.best[j] for row in found.rounds)
    panels = {name: drawn.panels[name] for name in FRONT if name in drawn.panels}
    return {"drawn": drawn, "found": found, "panels": panels, "decimals": decimals}
