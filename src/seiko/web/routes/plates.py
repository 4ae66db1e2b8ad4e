"""Plates: which design is in which well and what came of it; the batch that waits is laid out on new ones."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from seiko.campaign.lifecycle import Record
from seiko.campaign.plates import SIZES, Plate
from seiko.campaign.state import RunState
from seiko.web.context import Form, Owner, file_headers, page, web_of
from seiko.web.fields import whole

__all__ = ["router"]

router = APIRouter()
MOST_CONTROLS = 50
MOST_WELLS = 96  # of one design or control


@dataclass(frozen=True, slots=True)
class Well:
    """A well as it is shown: what is in it, and how that measurement stands."""

    name: str
    query: str
    known: bool
    replicate: int
    state: str


@router.get("/plates")
def plates(request: Request, session: Owner) -> Response:
    """Show all plates, the newest first."""
    web = web_of(request)
    with web.desk.reading() as state:
        shown = [(plate, _rows(state, plate)) for plate in reversed(state.plates.values())]
        pending = len(state.pending(state.round))
    return page(
        request, "plates.html", session, shown=shown, pending=pending, job=web.jobs.current, writable=web.desk.writable
    )


@router.get("/plates/{name}.csv")
def download(request: Request, session: Owner, name: str) -> Response:
    """Return the layout of a plate as a table that can be filled in and told."""
    desk = web_of(request).desk
    objectives = desk.recipe.objectives
    values = ("value", "noise") if objectives is None else objectives.names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with desk.reading() as state:
        if name not in state.plates:
            raise HTTPException(404, f"there is no plate {name!r:.40}")
        writer.writerow(("plate", "well", "replicate", "id", "design", *values, "status", "reason"))
        for well, (id, replicate) in state.plates[name].at.items():
            design = state.queries[id].design.content if id in state.queries else ""
            writer.writerow((name, well, replicate, id, design, *[""] * (len(values) + 2)))
    headers = file_headers(desk.name, f"{name}.csv")
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/plates")
def lay_out(request: Request, session: Owner, form: Form) -> Response:
    """Give each design that waits a well, in the background: controls are read by the model."""
    wells = _number(form, "wells", 96, max(SIZES))
    if wells not in SIZES:
        raise HTTPException(422, f"a plate has {' or '.join(map(str, SIZES))} wells, got {wells}")
    web_of(request).jobs.start(
        "lay_out",
        wells=wells,
        replicates=_number(form, "replicates", 1, MOST_WELLS),
        controls=_controls(form),
        control_wells=_number(form, "control_wells", 1, MOST_WELLS),
    )
    return RedirectResponse("/plates", 303)


def _rows(state: RunState, plate: Plate) -> list[tuple[str, list[Well | None]]]:
    rows, columns = SIZES[plate.wells]
    return [
        (letter, [_well(state, plate, f"{letter}{column:02d}") for column in range(1, columns + 1)])
        for letter in map(chr, range(ord("A"), ord("A") + rows))
    ]


def _well(state: RunState, plate: Plate, name: str) -> Well | None:
    if name not in plate.at:
        return None
    id, replicate = plate.at[name]
    if id not in state.queries:
        return Well(name, id.removeprefix("control:"), False, replicate, "control")
    record: Record = state.records.get(id, Record())
    return Well(name, id, True, replicate, record.measurement(replicate).value)


def _number(form: FormData, name: str, usual: int, most: int) -> int:
    text = form.get(name) or str(usual)
    if (number := whole(text, 1, most)) is None:
        raise HTTPException(422, f"{name.replace('_', ' ')} must be a number from 1 to {most}, got {str(text)[:40]!r}")
    return number


def _controls(form: FormData) -> dict[str, str]:
    """Return what was written a line, NAME or NAME=DESIGN."""
    text = form.get("controls")
    controls: dict[str, str] = {}
    for line in text.splitlines() if isinstance(text, str) else ():
        name, _, content = (part.strip() for part in line.partition("="))
        if not name and not content:
            continue
        if not name.isidentifier():
            raise HTTPException(422, f"a control is NAME or NAME=DESIGN, one a line, got {line[:80]!r}")
        if name in controls:
            raise HTTPException(422, f"the control {name} is there twice: more wells of it are its number of wells")
        controls[name] = content
    if len(controls) > MOST_CONTROLS:
        raise HTTPException(422, f"at most {MOST_CONTROLS} controls, got {len(controls)}")
    return controls
