"""The present, as a fold over the past.

    opened    the recipe; a run of which nothing was asked yet may be given another
    asked     a round's queries: design, source, what was believed of it
    told      labels
    compared  which of two queries is better, and comparisons taken back
    rated     what people said of designs; unrated: taken back, with the labels that had come of it
    attached  designs that were not asked for, with their labels: queries of round 0, which cost nothing
    plated    where on a plate queries and controls are; controls are queries of round 0, too
    retracted labels taken away, with the reason
    abandoned queries that nobody will measure, with the reason
    advanced  a round's report and the artifact with the model's weights

`RunState` is what a run is after some events; `fold` takes it one event further. Nothing else changes it. What state a
query is in, and what that costs, is decided in `seiko.campaign.lifecycle`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from seiko.campaign.comparisons import Comparisons
from seiko.campaign.ledger import Event, LedgerCorrupted
from seiko.campaign.lifecycle import CHARGED, WAITING, Record, State, act_of, after
from seiko.campaign.plates import Plate
from seiko.campaign.ratings import RatingBook
from seiko.campaign.records import Records, Tally
from seiko.campaign.register import Register
from seiko.campaign.replicates import combine
from seiko.campaign.seen import ImagePair, NaturalnessReport, PromptReport
from seiko.campaign.sense import check_recipe, sound
from seiko.campaign.standing import Designs, Measured, count, judged, measured
from seiko.campaign.units import Units
from seiko.designs import Design
from seiko.oracles import Label

__all__ = ["CalibrationReport", "Query", "RoundReport", "RunState", "fold"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A design that was asked for.

    Args:
        id: Name in this run: round and number, ``"2-0031"``.
        design: What is to be measured.
        round: Round that asked it, from 1; 0 if it was not asked for (attached measurements, controls).
        source: Where the candidate came from.
        mean: Label predicted when it was chosen, oracle's units; None before the first fit.
        std: Standard deviation of that prediction *of the label*, oracle's units.
        batch: Number of its batch among those of its round, from 1.
    """

    id: str
    design: Design
    round: int
    source: str
    mean: float | None = None
    std: float | None = None
    batch: int = 1

    @property
    def own(self) -> bool:
        """Whether the run asked for it, and pays for it."""
        return self.round > 0


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
    """A run after some events; changed by `fold` only.

    What a checkpoint held stays in its register until it is looked up; `queries`, `labels` and `labelled_at` lie over
    it.
    """

    last_seq: int = 0
    recipe: dict[str, Any] | None = None
    opened_at: str = ""
    queries: MutableMapping[str, Query] = field(default_factory=dict)
    labels: MutableMapping[str, Label] = field(default_factory=dict)
    labelled_at: MutableMapping[str, int] = field(default_factory=dict)
    records: Records = field(default_factory=dict)  # type: ignore[assignment]  # it is bound to the labels below
    learnt_at: int = 0  # the last event that told or took away a label
    plates: dict[str, Plate] = field(default_factory=dict)
    units: Units | None = None  # that the last file's labels were made with
    comparisons: Comparisons = field(default_factory=Comparisons)
    ratings: RatingBook = field(default_factory=RatingBook)
    reports: list[RoundReport] = field(default_factory=list)
    weights: list[str | None] = field(default_factory=list)
    fits: list[int] = field(default_factory=list)
    register: Register | None = field(default=None, init=False, repr=False, compare=False)
    _tally: Tally = field(default_factory=Tally, init=False, repr=False, compare=False)
    _moving: dict[str, State] = field(default_factory=dict, init=False, repr=False, compare=False)
    _designs: Designs = field(default_factory=Designs, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.records, Records):
            self.records = Records(self.labels, self.labelled_at, self.records)

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
        """Labels charged to the budget: those that were bought, and those reserved by queries that still wait."""
        return sum(count for stage, count in self.tally.stages.items() if stage in CHARGED)

    @property
    def answered(self) -> int:
        """Queries that were labelled (and perhaps retracted), found infeasible, or compared; each once."""
        tally = self.tally
        told = sum(count for stage, count in tally.stages.items() if stage in CHARGED - WAITING)
        return told + sum(1 for id in tally.waiting if self.stage(id) is State.PENDING and self.comparisons.names(id))

    @property
    def tally(self) -> Tally:
        """Own queries by state, and those that wait; counted anew if the queries were not folded."""
        if self._tally.known != len(self.queries):
            self.recount()
        return self._tally

    def recount(self) -> None:
        """Count the own queries by state."""
        count(self)

    def stage(self, id: str) -> State:
        """Return the state of a query."""
        record = self.records.made(id)
        if record is not None:
            return record.state
        return after(State.PENDING, act_of(self.labels[id])) if id in self.labels else State.PENDING

    def pending(self, round: int | None = None) -> list[Query]:
        """Return the queries that wait for a label, of all rounds or of one; those that were compared do not wait."""
        queries = [self.queries[id] for id in self.tally.waiting if not self.comparisons.names(id)]
        return [query for query in queries if round in (None, query.round)]

    def batch_of(self, round: int) -> tuple[int, int]:
        """Return how many queries a round has asked, and the number of its last batch; 0 and 0 for none."""
        return self.tally.rounds.get(round, (0, 0))

    def asked(self, round: int) -> list[Query]:
        """Return all queries of a round."""
        return [query for query in self.queries.values() if query.round == round]

    def values(self, up_to: int | None = None) -> list[tuple[Query, Label]]:
        """Return queries with a measured value, in the order asked; as of event `up_to` if given.

        What was attached is among them. Replicates are one label, with the noise that they show.
        """
        return [(query, label) for query, label in self.judged(up_to) if label.status == "value"]

    def judged(self, up_to: int | None = None) -> list[tuple[Query, Label]]:
        """Return queries with a value or found infeasible, likewise: what a failed measurement says is nothing."""
        return judged(self, up_to)

    def measured(self, up_to: int | None = None) -> Measured:
        """Return what `values` says, as arrays."""
        return measured(self, up_to)

    def find(self, design: Design) -> str | None:
        """Return the query that has asked for a design or was attached with it, the first of several; None if none."""
        return self._designs.find(self, design)

    def standing(self, id: str, up_to: int | None = None) -> list[Label]:
        """Return the labels of a query that stand, one for each replicate; as of event `up_to` if given."""
        record = self.records.made(id)
        if record is not None:
            return record.standing(up_to)
        label = self.labels.get(id)
        if label is None or label.status == "failed" or (up_to is not None and self.labelled_at[id] > up_to):
            return []
        return [label]

    def record(self, id: str) -> Record:
        """Return what happened to a query, to add to it; then call `refresh`.

        Raises:
            KeyError: If it was never asked.
        """
        if self.queries[id].own:
            self._moving.setdefault(id, self.stage(id))
        if id not in self.records:
            self.records[id] = Record()
        return self.records[id]

    def add(self, query: Query) -> None:
        """Take a query that is new, or another in its place."""
        known = self.queries.get(query.id)
        before = self.stage(query.id) if known is not None and known.own else None
        counted = self._tally.known == len(self.queries) and (known is None or query.own)
        self.queries[query.id] = query
        if counted and query.own:
            self._move(query.id, before)
        elif counted:
            self._tally.known += 1
        if counted and known is None:
            self._tally.add_round(query.round, 1, query.batch)

    def tell_first(self, id: str, label: Label, seq: int) -> bool:
        """Take a label, if it is the first thing that happens to a query, without a record; return whether it was."""
        query = self.queries[id]
        if id in self.records:
            return False
        self.labels[id], self.labelled_at[id] = label, seq
        if label.status != "failed":
            self.learnt_at = seq
        if query.own:
            self._move(id, State.PENDING)
        return True

    def refresh(self, id: str, seq: int) -> None:
        """Say anew what the labels of a query say together, after an event changed them."""
        record, before = self.records[id], self.labels.get(id)
        labels = record.standing() or record.failures()[-1:]
        if labels:
            self.labels[id], self.labelled_at[id] = combine(labels), seq
        else:
            self.labels.pop(id, None)
            self.labelled_at.pop(id, None)
        if any(label is not None and label.status != "failed" for label in (before, self.labels.get(id))):
            self.learnt_at = seq
        if (moved := self._moving.pop(id, None)) is not None:
            self._move(id, moved)

    def _move(self, id: str, before: State | None) -> None:
        tally = self._tally
        if tally.known + (before is None) == len(self.queries) and tally.move(id, before, self.stage(id), WAITING):
            tally.waiting = {id: None for id in self.queries if id in tally.waiting}


def fold(state: RunState, event: Event) -> None:
    """Take the state one event further.

    Raises:
        LedgerCorrupted: If the event makes no sense after those before it.
    """
    payload = event.payload
    try:
        match event.kind:
            case "opened":
                check_recipe(payload["recipe"])
                if state.queries or state.reports:
                    raise ValueError("a recipe comes before the first query, and there are queries")
                state.recipe, state.opened_at = payload["recipe"], event.created_at
            case "asked":
                for row in payload["queries"]:
                    design = Design(row["content"], row["kind"], row.get("prompt"))
                    query = Query(
                        id=row["id"],
                        design=design,
                        round=payload["round"],
                        source=row["source"],
                        mean=row["mean"],
                        std=row["std"],
                        batch=payload.get("batch", 1),
                    )
                    state.add(sound(query))
            case "told":
                for id, labels in payload["labels"].items():
                    _told(state, id, labels, event.seq)
                _keep_units(state, payload)
            case "attached":
                for row in payload["designs"]:
                    if row["id"] not in state.queries:
                        state.add(unasked(row, "attached"))
                    _told(state, row["id"], row["labels"], event.seq)
                _keep_units(state, payload)
            case "plated":
                for row in payload["controls"]:
                    state.add(unasked(row, "control"))
                for row in payload["plates"]:
                    plate = sound(Plate.from_row(row, event.seq))
                    state.plates[plate.name] = plate
            case "retracted":
                for id in payload["ids"]:
                    state.record(id).retract(event.seq, payload["reason"], payload.get("replicate"))
                    state.refresh(id, event.seq)
            case "abandoned":
                for id in payload["ids"]:
                    state.record(id).abandon(event.seq, payload["reason"])
                    state.refresh(id, event.seq)
            case "compared":
                state.comparisons.fold(event.seq, payload, state.queries.__contains__)
            case "rated":
                state.ratings.take(payload["ratings"], payload["labels"], state.queries)
            case "unrated":
                for id in state.ratings.take_back(payload["ratings"]):
                    state.record(id).untell(event.seq)
                    state.refresh(id, event.seq)
            case "advanced":
                report, weights, fitted_to = payload["report"], payload["weights"], payload["fitted_to"]
                if not (weights is None or isinstance(weights, str)) or type(fitted_to) is not int:
                    raise TypeError(f"weights {weights!r:.80} fitted to event {fitted_to!r:.20}")
                state.reports.append(sound(RoundReport.from_payload(report)))
                state.weights.append(weights)
                state.fits.append(fitted_to)
            case _:
                raise ValueError(f"unknown kind {event.kind!r}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerCorrupted(
            f"event {event.seq} ({event.kind}) makes no sense: {error}; it may be of a newer version of seiko"
        ) from error
    state.last_seq = event.seq


def unasked(row: dict[str, Any], source: str) -> Query:
    """Return the query of a design that nobody asked for."""
    design = Design(row["content"], row["kind"], row.get("prompt"))
    return sound(Query(id=row["id"], design=design, round=0, source=source))


def _told(state: RunState, id: str, labels: dict[str, Any] | list[dict[str, Any]], seq: int) -> None:
    if isinstance(labels, dict):
        label = sound(Label(**labels))
        if state.tell_first(id, label, seq):
            return
        state.record(id).label(seq, label)
    else:
        for row in labels:
            state.record(id).label(seq, sound(Label(**row)))
    state.refresh(id, seq)


def _keep_units(state: RunState, payload: dict[str, Any]) -> None:
    if "units" in payload:
        state.units = sound(Units(**payload["units"]))
