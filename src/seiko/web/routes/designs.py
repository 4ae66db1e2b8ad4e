"""All designs that were asked for: filter, search, sort, page, download."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from seiko.report.tables import decimals_for
from seiko.web.browser import OF, Filter, find, lines_of, to_csv
from seiko.web.context import Owner, file_headers, page, web_of

__all__ = ["router"]

router = APIRouter()


@router.get("/designs")
def designs(request: Request, session: Owner) -> Response:
    """Show a page of designs."""
    with web_of(request).desk.reading() as state:
        lines = lines_of(state)
    properties = _properties(request)
    wanted = Filter.read(request.query_params, properties)
    found = find(lines, wanted)
    choices: dict[str, Any] = {
        "asked": len(lines),
        "rounds": sorted({line.query.round for line in lines}),
        "sources": sorted({line.query.source for line in lines}),
        "states": sorted({line.state for line in lines}),
        "properties": {
            name: decimals_for(value for line in lines if (value := line.of(name)) is not None) for name in properties
        },
        "sorts": [
            ("id", "id"), ("design", "design"), *((f"{OF}{name}", name) for name in properties),
            ("value", "overall" if properties else "measured"), ("predicted", "predicted"), ("error", "error"),
            ("round", "round"), ("source", "source"),
        ],
    }  # fmt: skip

    def address(place: str = "/designs", **changes: object) -> str:
        given = {
            "text": wanted.text, "state": wanted.state, "round": wanted.round, "source": wanted.source,
            "sort": wanted.sort, "down": int(wanted.descending), "page": found.page,
        } | changes  # fmt: skip
        return f"{place}?{urlencode({name: value for name, value in given.items() if value not in ('', None)})}"

    decimals = decimals_for(line.value for line in lines if line.value is not None)
    template = "found.html" if request.headers.get("hx-target") == "found" else "designs.html"
    return page(request, template, session, found=found, wanted=wanted, address=address, decimals=decimals, **choices)


@router.get("/designs.csv")
def download(request: Request, session: Owner) -> Response:
    """Return all designs that were found as a table."""
    web = web_of(request)
    with web.desk.reading() as state:
        lines = lines_of(state)
    properties = _properties(request)
    text = to_csv(lines, Filter.read(request.query_params, properties), properties)
    headers = file_headers(web.desk.name, "designs.csv")
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _properties(request: Request) -> tuple[str, ...]:
    objectives = web_of(request).desk.recipe.objectives
    return () if objectives is None else objectives.names
