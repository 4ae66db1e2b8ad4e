"""What several properties have come to: the best and the limits of each, the front, and its volume round by round.

    best       largest label, or smallest where less is better; once of all designs, once of those that keep all limits
    on front   designs that no other dominates, among all that were labelled up to a round
    volume     between the references and that front, in units of the properties

Front and volume are those of the report (`seiko.report.front`): where the recipe names no reference, the worst value
measured so far stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seiko.campaign.state import Query, RunState
from seiko.oracles import Label
from seiko.report.tables import number

if TYPE_CHECKING:
    from seiko.campaign import Objectives, Property

__all__ = ["FrontDesign", "FrontRound", "PropertyRow", "Several", "several"]

MOST = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyRow:
    """Where one property stands.

    Args:
        name: As labels call it.
        wanted: What is better, in words.
        limits: What the recipe asks of it, in words; empty if nothing.
        best: Best label, its own units.
        best_id: Query that has it.
        allowed: Best label among the designs that keep all limits; None if none does.
        last: Mean over the last batch.
        within: Share of labels that keep its limits; None if it has none.
    """

    name: str
    wanted: str
    limits: str
    best: float
    best_id: str
    allowed: float | None
    last: float | None
    within: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontRound:
    """The front after a round's labels.

    Args:
        round: Which; 0 is what was attached.
        labels: Designs labelled up to then.
        on_front: Those that no other dominates.
        volume: Hypervolume.
        best: Best of each property up to then.
    """

    round: int
    labels: int
    on_front: int
    volume: float
    best: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDesign:
    """A design of the front with its numbers."""

    query: Query
    label: Label
    values: tuple[float, ...]
    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """All that the page shows.

    Args:
        names: Of the properties.
        combine: How the recipe makes one number of them.
        limited: Whether the recipe sets limits.
        properties: Where each stands.
        rounds: The front by round.
        designs: Some of the front, best overall first.
        on_front: How many are on it.
        labels: Designs with numbers.
        allowed: How many of them keep all limits.
    """

    names: tuple[str, ...]
    combine: str
    limited: bool
    properties: list[PropertyRow]
    rounds: list[FrontRound]
    designs: list[FrontDesign]
    on_front: int
    labels: int
    allowed: int


def several(state: RunState, objectives: Objectives) -> Several | None:
    """Return where several properties stand; None before the first label.

    Raises:
        ImportError: If BoTorch is not installed; the message names the extra.
    """
    from seiko.campaign.properties import outcomes
    from seiko.metrics.pareto import hypervolume, pareto_front

    found = outcomes(state, objectives)
    if found is None:
        return None
    parts, pairs, gains = objectives.properties, found.pairs, found.gains
    values: list[tuple[float, ...]] = list(map(tuple, found.values.tolist()))
    kept = [all(map(_keeps, parts, row)) for row in values]
    rounds = []
    for round in sorted({query.round for query, _ in pairs}):
        count = sum(1 for query, _ in pairs if query.round <= round)
        rounds.append(
            FrontRound(
                round=round,
                labels=count,
                on_front=int(pareto_front(gains[:count]).sum()),
                volume=hypervolume(gains[:count], found.reference),
                best=tuple(_best(part, [row[j] for row in values[:count]]) for j, part in enumerate(parts)),
            )
        )
    front = [
        FrontDesign(query=query, label=label, values=row, allowed=allowed)
        for (query, label), row, allowed, on in zip(pairs, values, kept, pareto_front(gains).tolist(), strict=True)
        if on
    ]
    front.sort(key=lambda design: (not design.allowed, -(design.label.value or 0.0)))
    return Several(
        names=objectives.names,
        combine=objectives.combine,
        limited=any(_limits(part) for part in parts),
        properties=[_row(part, j, pairs, values, kept) for j, part in enumerate(parts)],
        rounds=rounds,
        designs=front[:MOST],
        on_front=len(front),
        labels=len(pairs),
        allowed=sum(kept),
    )


def _row(
    part: Property,
    j: int,
    pairs: Sequence[tuple[Query, Label]],
    values: Sequence[tuple[float, ...]],
    kept: Sequence[bool],
) -> PropertyRow:
    column = [row[j] for row in values]
    best = _best(part, column)
    allowed = [value for value, keeps in zip(column, kept, strict=True) if keeps]
    last_round = pairs[-1][0].round
    last = [value for (query, _), value in zip(pairs, column, strict=True) if query.round == last_round]
    limits = _limits(part)
    asked = [limits] if limits else []
    if part.reference is not None:
        asked.append(f"beyond {number(part.reference)}")
    return PropertyRow(
        name=part.name,
        wanted="more is better" if part.goal == "max" else "less is better",
        limits=", ".join(asked),
        best=best,
        best_id=pairs[column.index(best)][0].id,
        allowed=_best(part, allowed) if allowed else None,
        last=sum(last) / len(last) if last_round else None,
        within=sum(_keeps(part, value) for value in column) / len(column) if limits else None,
    )


def _best(part: Property, column: Sequence[float]) -> float:
    return max(column) if part.goal == "max" else min(column)


def _keeps(part: Property, value: float) -> bool:
    return (part.at_least is None or value >= part.at_least) and (part.at_most is None or value <= part.at_most)


def _limits(part: Property) -> str:
    words = [] if part.at_least is None else [f"at least {number(part.at_least)}"]
    return ", ".join(words if part.at_most is None else [*words, f"at most {number(part.at_most)}"])
