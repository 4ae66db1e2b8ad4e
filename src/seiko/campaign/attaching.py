"""Measurements that the run did not ask for: historic data, wild types, controls.

They become queries of round 0: the reward model is fitted to them, sources of candidates may start from them, and none
of them is ever asked again; they cost nothing and are in no round's report. A design is attached under its content; one
that the model cannot read is refused, and so is one that the run has asked for itself, whose label belongs to its id.
"""

from __future__ import annotations

import hashlib
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seiko.campaign.errors import LabelConflict
from seiko.campaign.identity import identities
from seiko.campaign.known import Known
from seiko.campaign.state import Query, RunState
from seiko.campaign.taking import as_labels, label_rows, new_labels
from seiko.designs import IMAGE, INVALID, Design
from seiko.diffusion import Noise, Transition, rollout
from seiko.models import DiffusionModel, ModelPolicy, Observing
from seiko.oracles import Label
from seiko.rewards import Symmetry

__all__ = ["attached_rows", "kind_of", "read_design"]


def kind_of(state: RunState, model: DiffusionModel[Transition]) -> str:
    """Return the kind of design that a run deals in: that of its queries, else of the model's draws."""
    for query in state.queries.values():
        return query.design.kind
    with torch.no_grad():
        drawn = rollout(ModelPolicy(model, "pretrained"), None, Noise.seeded(0, 16)).x_0
    return next((design.kind for design in model.export(drawn) if design.kind != INVALID), INVALID)


def read_design(model: DiffusionModel[Transition], design: Design) -> Design:
    """Return a design as the model spells it; an image as it is, once its file was read.

    Raises:
        ValueError: If it is none of the model's; it is named.
    """
    if design.kind == IMAGE:
        if design.data is None or hashlib.sha256(design.data).hexdigest() != design.content:
            raise ValueError("an image comes with its file, under the SHA-256 of that")
        model.observe([design]) if isinstance(model, Observing) else model.ingest([design])
        return design
    return model.export(model.ingest([design]))[0]


def attached_rows(
    state: RunState,
    model: DiffusionModel[Transition],
    same: Symmetry | None,
    given: Mapping[Design, Any],
) -> list[dict[str, Any]]:
    """Return what `attached` events hold: designs with those of their labels that are new.

    Args:
        state: The run.
        model: Reads the designs.
        same: Designs that are one to the oracle.
        given: Label, number, None or a sequence of replicates, by design.

    Raises:
        ValueError: If a design is none of the model's, or a measurement failed.
        LabelConflict: If a design was asked for, or has another label already.
    """
    known, new = Known(state, model, same), dict[str, Query]()
    labels: dict[str, list[Label]] = {}
    designs: dict[str, Design] = {}
    number, _ = state.batch_of(0)
    for design, value in given.items():
        told = as_labels(design.content, value)
        if any(label.status == "failed" for label in told):
            raise ValueError(f"{design.content!r}: a failed measurement says nothing, leave it out; nothing was taken")
        try:
            spelt = read_design(model, design)
        except ValueError as error:
            raise ValueError(
                f"{design.content!r} is no design of this run's model ({error}); nothing was taken"
            ) from error
        [name] = identities(model, [spelt], same)
        query = new.get(name) or known.of(spelt)
        if query is None:
            number += 1
            query = new[name] = Query(id=f"0-{number:04d}", design=spelt, round=0, source="attached")
        elif query.own:
            raise LabelConflict(
                f"{design.content!r} was asked for as query {query.id}: tell its label under that id; nothing was taken"
            )
        elif query.id in labels:
            raise LabelConflict(
                f"{design.content!r} is the same as {designs[query.id].content!r}, which is there already: number the "
                "second measurement as another replicate; nothing was taken"
            )
        labels[query.id], designs[query.id] = told, query.design
    queries = ChainMap({query.id: query for query in new.values()}, state.queries)
    found = new_labels(RunState(queries=queries, labels=state.labels, records=state.records), labels)
    return [_row(id, designs[id], told) for id, told in found.items()]


def _row(id: str, design: Design, labels: Sequence[Label]) -> dict[str, Any]:
    row = {"id": id, "content": design.content, "kind": design.kind, "labels": label_rows(labels)}
    return row if design.prompt is None else {**row, "prompt": design.prompt}
