"""Which queries go on a plate, with which controls beside them.

A query is laid out if it waits and is on no plate, or if it is to be measured again since. Controls are designs of the
user's (a wild type, a known binder) or empty names (buffer): the former are queries of round 0, so that their readings
are fitted and cost nothing; the latter are only places, whose readings are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seiko.campaign.attaching import read_design
from seiko.campaign.identity import identities
from seiko.campaign.known import Known
from seiko.campaign.lifecycle import Act, Record, State
from seiko.campaign.plates import Measurement, lay_out
from seiko.campaign.state import Query, RunState
from seiko.designs import Design
from seiko.diffusion import Transition
from seiko.models import DiffusionModel
from seiko.rewards import Symmetry

__all__ = ["layout"]


def layout(
    state: RunState,
    model: DiffusionModel[Transition],
    same: Symmetry | None,
    *,
    wells: int,
    replicates: int,
    controls: Mapping[str, Design | None],
    control_wells: int,
    seed: int,
) -> dict[str, Any]:
    """Return what a `plated` event holds: plates, and controls that are new; no plates if nothing is to be laid out.

    Raises:
        ValueError: If a number is out of range, a control is none of the model's designs, or its name is taken.
    """
    for name, number in (("replicates", replicates), ("control_wells", control_wells)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    queries = [query for query in state.pending(state.round) if _to_be_laid_out(state, query)]
    if not queries:
        return {"plates": [], "controls": []}
    known, added = Known(state, model, same), dict[str, Query]()
    new: list[dict[str, Any]] = []
    places: list[Measurement] = []
    for name, design in controls.items():
        query = _control(state, known, added, model, same, name, design)
        if isinstance(query, Query) and query.id not in state.queries and query.source == "control":
            added[identities(model, [query.design], same)[0]] = query
            new.append({"id": query.id, "content": query.design.content, "kind": query.design.kind})
        id = query if isinstance(query, str) else query.id
        first = _next_replicate(state, id) + sum(1 for other, _ in places if other == id)
        places += [(id, first + i) for i in range(control_wells)]
    plates = lay_out(
        [_open_replicates(state, query.id, replicates) for query in queries],
        places,
        wells=wells,
        seed=seed,
        first=len(state.plates) + 1,
    )
    return {"plates": [plate.row() for plate in plates], "controls": new}


def _to_be_laid_out(state: RunState, query: Query) -> bool:
    held = [plate.seq for plate in state.plates.values() if any(id == query.id for id, _ in plate.at.values())]
    record = state.records.get(query.id)
    return not held or (record is not None and record.last(Act.FAIL) > max(held))


def _open_replicates(state: RunState, id: str, replicates: int) -> list[Measurement]:
    """Return the first replicates that no label stands for."""
    record = state.records.get(id, Record())
    stands = (State.LABELLED, State.INFEASIBLE)
    numbers = (r for r in range(1, replicates + len(record.replicates()) + 1) if record.measurement(r) not in stands)
    return [(id, next(numbers)) for _ in range(replicates)]


def _control(
    state: RunState,
    known: Known,
    added: Mapping[str, Query],
    model: DiffusionModel[Transition],
    same: Symmetry | None,
    name: str,
    design: Design | None,
) -> Query | str:
    if not name.isidentifier():
        raise ValueError(f"a control is named by letters, digits and underscores, got {name!r}")
    if design is None:
        return f"control:{name}"
    try:
        spelt = read_design(model, design)
    except ValueError as error:
        raise ValueError(
            f"the control {name} = {design.content!r} is no design of this run's model: {error}"
        ) from error
    found = added.get(identities(model, [spelt], same)[0]) or known.of(spelt)
    if found is not None:
        return found
    if (id := f"0-{name}") in state.queries:
        raise ValueError(f"the control {name} is {state.queries[id].design.content!r} already: choose another name")
    return Query(id=id, design=spelt, round=0, source="control")


def _next_replicate(state: RunState, id: str) -> int:
    plated = [r for plate in state.plates.values() for other, r in plate.at.values() if other == id]
    told: Sequence[int] = state.records[id].replicates() if id in state.records else []
    return max([0, *plated, *told]) + 1
