"""The present, as a fold over the past.

    opened    the recipe
    asked     a round's queries: design, source, what was believed of it
    told      labels
    advanced  a round's report and the artifact with the model's weights

`RunState` is what a run is after some events; `fold` takes it one event further. Nothing else changes it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from seiko.campaign.ledger import Event, LedgerCorrupted
from seiko.campaign.seen import ImagePair, NaturalnessReport, PromptReport
from seiko.designs import Design
from seiko.oracles import Label

__all__ = ["CalibrationReport", "Query", "RoundReport", "RunState", "fold"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A design that was asked for.

    Args:
        id: Name in this run: round and number, ``"2-0031"``.
        design: What is to be measured.
        round: Round that asked it, from 1.
        source: Where the candidate came from.
        mean: Label predicted when it was chosen, oracle's units; None before the first fit.
        std: Standard deviation of that prediction *of the label*, oracle's units.
    """

    id: str
    design: Design
    round: int
    source: str
    mean: float | None = None
    std: float | None = None


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """How predictions met labels that had not been fitted; see `seiko.rewards.Calibration`. None: not defined."""

    n: int
    r2: float | None
    spearman: float | None
    nll: float | None
    coverage: float | None
    rmse: float | None


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """What a finished round did.

    Args:
        round: From 1.
        labels_used: Labels charged to the budget so far.
        feasible: Share of this round's labels that were not infeasible; None without labels.
        batch_mean: Mean of this round's labels, oracle's units.
        best: Best label so far, oracle's units.
        alpha: Last coefficient of the pretrained anchor, reward standard deviations a nat; None without an update.
        beta: Coefficient of the previous anchor.
        kl_pretrained: Path KL from the pretrained model, nats, over fresh samples.
        kl_previous: Path KL from the model before this round, nats; None where it is not known (steered rounds).
        believed_mean: Reward model's mean over fresh samples, oracle's units; None without a fit.
        diversity: Mean pairwise distance of fresh samples, in the domain's unit (positions, for sequences).
        distinct: Share of fresh samples that are distinct.
        prequential: Predictions made when this round's batch was chosen, against its labels.
        held_out: Predictions of this round's fit on the labels that were held out from it.
        samples: Some fresh designs of the model after the round.
        seconds: Wall-clock time of `advance`.
        prompts: What the look found for each prompt; empty for a model that takes none.
        images: Some fresh images beside the pretrained model's; empty for other designs.
        naturalness: How far images have gone from the pretrained model's; None for other designs.
    """

    round: int
    labels_used: int
    feasible: float | None
    batch_mean: float | None
    best: float | None
    alpha: float | None
    beta: float | None
    kl_pretrained: float
    kl_previous: float | None
    believed_mean: float | None
    diversity: float
    distinct: float
    prequential: CalibrationReport | None
    held_out: CalibrationReport | None
    samples: tuple[str, ...]
    seconds: float
    prompts: tuple[PromptReport, ...] = ()
    images: tuple[ImagePair, ...] = ()
    naturalness: NaturalnessReport | None = None

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> RoundReport:
        """Read a report from the ledger; keys of a later version are left out."""
        known = {f.name for f in dataclasses.fields(cls)}
        values = {key: value for key, value in payload.items() if key in known}
        for name in ("prequential", "held_out"):
            values[name] = CalibrationReport(**values[name]) if values.get(name) else None
        values["samples"] = tuple(values["samples"])
        values["prompts"] = tuple(PromptReport(**row) for row in values.get("prompts", ()))
        values["images"] = tuple(ImagePair(**row) for row in values.get("images", ()))
        values["naturalness"] = NaturalnessReport(**values["naturalness"]) if values.get("naturalness") else None
        return cls(**values)


@dataclass
class RunState:
    """A run after some events; changed by `fold` only."""

    last_seq: int = 0
    recipe: dict[str, Any] | None = None
    opened_at: str = ""
    queries: dict[str, Query] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    labelled_at: dict[str, int] = field(default_factory=dict)
    reports: list[RoundReport] = field(default_factory=list)
    weights: list[str | None] = field(default_factory=list)
    fits: list[int] = field(default_factory=list)

    @property
    def round(self) -> int:
        """The round that is open, from 1; one more than the rounds finished."""
        return len(self.reports) + 1

    @property
    def fitted_to(self) -> int:
        """The last event whose labels the last finished round was fitted on; 0 before the first."""
        return self.fits[-1] if self.fits else 0

    @property
    def charged(self) -> int:
        """Labels charged to the budget: every query that was asked, unless its measurement failed."""
        return sum(1 for id in self.queries if not self._failed(id))

    @property
    def answered(self) -> int:
        """Queries with a value or found infeasible."""
        return sum(1 for id in self.queries if id in self.labels and not self._failed(id))

    def pending(self, round: int | None = None) -> list[Query]:
        """Return the queries without any label, of all rounds or of one."""
        return [
            query for query in self.queries.values() if query.id not in self.labels and round in (None, query.round)
        ]

    def asked(self, round: int) -> list[Query]:
        """Return all queries of a round."""
        return [query for query in self.queries.values() if query.round == round]

    def values(self, up_to: int | None = None) -> list[tuple[Query, Label]]:
        """Return queries with a measured value, in the order asked; only labels told by event `up_to` if given."""
        return [(query, label) for query, label in self.judged(up_to) if label.status == "value"]

    def judged(self, up_to: int | None = None) -> list[tuple[Query, Label]]:
        """Return queries with a value or found infeasible, likewise: what a failed measurement says is nothing."""
        return [
            (query, self.labels[query.id])
            for query in self.queries.values()
            if query.id in self.labels
            and not self._failed(query.id)
            and (up_to is None or self.labelled_at[query.id] <= up_to)
        ]

    def _failed(self, id: str) -> bool:
        return id in self.labels and self.labels[id].status == "failed"


def fold(state: RunState, event: Event) -> None:
    """Take the state one event further.

    Raises:
        LedgerCorrupted: If the event makes no sense after those before it.
    """
    payload = event.payload
    try:
        match event.kind:
            case "opened":
                state.recipe, state.opened_at = payload["recipe"], event.created_at
            case "asked":
                for row in payload["queries"]:
                    design = Design(row["content"], row["kind"], row.get("prompt"))
                    state.queries[row["id"]] = Query(
                        id=row["id"],
                        design=design,
                        round=payload["round"],
                        source=row["source"],
                        mean=row["mean"],
                        std=row["std"],
                    )
            case "told":
                for id, label in payload["labels"].items():
                    if id not in state.queries:
                        raise KeyError(id)
                    state.labels[id], state.labelled_at[id] = Label(**label), event.seq
            case "advanced":
                state.reports.append(RoundReport.from_payload(payload["report"]))
                state.weights.append(payload["weights"])
                state.fits.append(payload["fitted_to"])
            case _:
                raise ValueError(f"unknown kind {event.kind!r}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerCorrupted(
            f"event {event.seq} ({event.kind}) makes no sense: {error}; it may be of a newer version of seiko"
        ) from error
    state.last_seq = event.seq
