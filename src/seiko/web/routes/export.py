"""Taking things out: labels as a table or as JSON lines, the report, and the whole run, from which it is rebuilt."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from seiko.campaign import Ledger
from seiko.campaign.label_table import LABEL_COLUMNS, labelled_rows
from seiko.campaign.ledger.transfer import export_lines
from seiko.report import render
from seiko.report.run import report_data
from seiko.web.browser import harmless
from seiko.web.context import Owner, file_headers, web_of

__all__ = ["router"]

router = APIRouter()


@router.get("/export/labels.csv")
def labels(request: Request, session: Owner) -> Response:
    """Return all labels as a table."""
    desk = web_of(request).desk
    with desk.reading() as state:
        rows = labelled_rows(state)
    further = dict.fromkeys(
        name for row in rows for name, cell in row.items() if name not in LABEL_COLUMNS and cell is not None
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, (*LABEL_COLUMNS, *further), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        row |= {name: harmless(row[name]) for name in ("reason", "prompt")}
        writer.writerow({name: "" if row.get(name) is None else row[name] for name in (*LABEL_COLUMNS, *further)})
    return Response(
        text.getvalue(), media_type="text/csv; charset=utf-8", headers=file_headers(desk.name, "labels.csv")
    )


@router.get("/export/labels.jsonl")
def lines(request: Request, session: Owner) -> Response:
    """Return all labels as JSON lines, every word as it was written."""
    desk = web_of(request).desk
    with desk.reading() as state:
        rows = labelled_rows(state)
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    return Response(text, media_type="application/jsonl", headers=file_headers(desk.name, "labels.jsonl"))


@router.get("/export/report.html")
def report(request: Request, session: Owner) -> Response:
    """Return the report on one page, without what only the model could draw."""
    desk = web_of(request).desk
    with desk.campaign() as campaign:
        data = report_data(campaign, samples=False)
    return Response(render(data), media_type="text/html", headers=file_headers(desk.name, "report.html"))


@router.get("/export/run.jsonl")
def run(request: Request, session: Owner) -> Response:
    """Return the run, verified while it is read; `seiko ledger import` rebuilds it bit for bit."""
    desk = web_of(request).desk
    return StreamingResponse(
        _run(desk.place), media_type="application/jsonl", headers=file_headers(desk.name, "run.jsonl")
    )


def _run(place: str) -> Iterator[Any]:
    # a connection of its own: a long download holds nobody up
    with Ledger.open(place) as ledger:
        yield from export_lines(ledger)
