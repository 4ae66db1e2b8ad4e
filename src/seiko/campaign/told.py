"""What people, laboratories and programs say to a run: labels and all that may be wrong with them.

    tell, attach, retract, abandon      values; those that were not asked for; wrong ones; those that will not come
    compare, withdraw                   which of two is better
    rate, unrate                        what one of several people thinks; enough of them make a label
    lay_out                             where a query is on a plate

Each verb is one transaction: it folds the ledger, decides, and appends its event if nobody else appended meanwhile.
None of them moves a model or buys anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from seiko.campaign.attaching import attached_rows, kind_of
from seiko.campaign.checkpoint import refresh
from seiko.campaign.comparisons import Comparison, check_comparisons
from seiko.campaign.errors import UnknownQuery
from seiko.campaign.gathering import readable
from seiko.campaign.history import History
from seiko.campaign.judging import new_ratings, to_take_back
from seiko.campaign.laying import layout
from seiko.campaign.ledger import Ledger, LedgerConflict, NewEvent
from seiko.campaign.objectives import complete
from seiko.campaign.plates import Plate
from seiko.campaign.ratings import Rating
from seiko.campaign.recipe import Recipe
from seiko.campaign.state import RunState
from seiko.campaign.taking import LabelLike, as_labels, check_sense, label_rows, new_labels, to_abandon, to_retract
from seiko.campaign.units import Units
from seiko.designs import Design
from seiko.oracles import Label

__all__ = ["Told"]


class Told(ABC):
    """A run that is told things; `seiko.campaign.Campaign` is one."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._state = RunState()

    @property
    @abstractmethod
    def recipe(self) -> Recipe:
        """What the run does."""

    @property
    @abstractmethod
    def _history(self) -> History:
        """What finished rounds were."""

    @property
    def state(self) -> RunState:
        """The present: everything that the ledger says, folded up to now."""
        self._refresh()
        return self._state

    def lay_out(
        self,
        *,
        wells: int = 96,
        replicates: int = 1,
        controls: Mapping[str, Design | None] | None = None,
        control_wells: int = 1,
        seed: int | None = None,
    ) -> list[Plate]:
        """Give each query that waits a place on a plate, once, and keep it.

        Args:
            wells: Of a plate: 96 or 384.
            replicates: Wells of each query.
            controls: Designs that are on every plate, by name; None for a place without a design.
            control_wells: Wells of each control on a plate.
            seed: Draws the places; None for the recipe's.

        Returns:
            The plates that hold a query of the open round that waits, those laid out before among them.

        Raises:
            ValueError: If a control is none of the model's designs, or they do not fit.
        """

        def decide(state: RunState) -> dict[str, Any]:
            return layout(
                state,
                self._history.model,
                self.recipe.same,
                wells=wells,
                replicates=replicates,
                controls=controls or {},
                control_wells=control_wells,
                seed=self.recipe.seed if seed is None else seed,
            )

        self._decide("plated", decide)
        waiting = {query.id for query in self._state.pending(self._state.round)}
        plates = self._state.plates.values()
        return [plate for plate in plates if any(id in waiting for id, _ in plate.at.values())]

    def tell(self, labels: Mapping[str, LabelLike | Sequence[LabelLike]], *, units: Units | None = None) -> int:
        """Take labels by query id: all of them, or none if one is wrong.

        A number is a value, None is infeasible, several labels are replicates. The same label again is taken once; a
        failed measurement, or one whose label was retracted, may be told again.

        Args:
            labels: By query id; larger is better.
            units: What they were made with, if they come from a file; kept, so that the next file is read alike.

        Returns:
            How many labels were new.

        Raises:
            UnknownQuery: If an id was never asked.
            LabelConflict: If a label differs from the one that stands for the same measurement.
            ValueError: If a value is not finite.
        """
        given = {id: self._complete(id, as_labels(id, label)) for id, label in labels.items()}

        def decide(state: RunState) -> dict[str, Any]:
            check_sense(state, units)
            rows = {id: label_rows(found) for id, found in new_labels(state, given).items()}
            return {"labels": rows} if units is None else {"labels": rows, "units": asdict(units)}

        told = self._decide("told", decide)["labels"]
        return sum(len(rows) if isinstance(rows, list) else 1 for rows in told.values())

    def attach(self, measured: Mapping[Design, LabelLike | Sequence[LabelLike]], *, units: Units | None = None) -> int:
        """Take labels of designs that were not asked for: all of them, or none if one is wrong.

        They are fitted, never charged, and none of their designs is asked from then on.

        Args:
            measured: By design; larger is better.
            units: As in `tell`.

        Returns:
            How many labels were new.

        Raises:
            ValueError: If a design is none of the model's.
            LabelConflict: If the run has asked for a design, it has another label already, or the units are of another
                sense than those of the labels before.
        """
        given = {d: self._complete(d.content, as_labels(d.content, label)) for d, label in measured.items()}

        def decide(state: RunState) -> dict[str, Any]:
            check_sense(state, units)
            rows = attached_rows(state, self._history.model, self.recipe.same, given)
            self._keep(measured)
            return {"designs": rows} if units is None else {"designs": rows, "units": asdict(units)}

        rows = self._decide("attached", decide)["designs"]
        return sum(len(row["labels"]) if isinstance(row["labels"], list) else 1 for row in rows)

    def attachable(self, measured: Mapping[Design, LabelLike | Sequence[LabelLike]]) -> list[tuple[Design, Label]]:
        """Return the labels that `attach` would take, and take none; raises as it does."""
        rows = attached_rows(self.state, self._history.model, self.recipe.same, measured)
        return [
            (Design(row["content"], row["kind"], row.get("prompt")), Label(**label))
            for row in rows
            for label in (row["labels"] if isinstance(row["labels"], list) else [row["labels"]])
        ]

    def retract(self, ids: Sequence[str], reason: str, *, replicate: int | None = None) -> int:
        """Take labels away that were wrong; finished rounds stay as they were fitted.

        What was retracted stays paid, is asked for no more, and takes another label.

        Args:
            ids: Queries.
            reason: Why, in words; it is kept.
            replicate: Which measurement; None for all of them.

        Returns:
            How many queries had a label to take away; those whose label was retracted before are passed over.

        Raises:
            UnknownQuery: If an id was never asked.
            LabelConflict: If a query never had a label.
            ValueError: If there is no reason.
        """
        found = self._decide(
            "retracted",
            lambda state: {"ids": to_retract(state, ids, replicate), "reason": _reason(reason), "replicate": replicate},
        )
        return len(found["ids"])

    def abandon(self, ids: Sequence[str], reason: str) -> int:
        """Wait no longer for queries that nobody will measure; their labels go back into the budget.

        Returns:
            How many were waited for. A label that comes after all is still taken.

        Raises:
            UnknownQuery: If an id was never asked.
            LabelConflict: If a query has a label.
            ValueError: If there is no reason.
        """
        found = self._decide("abandoned", lambda state: {"ids": to_abandon(state, ids), "reason": _reason(reason)})
        return len(found["ids"])

    def design(self, content: str) -> Design:
        """Return a design of this run's kind, to be attached."""
        return Design(content, kind_of(self.state, self._history.model))

    def readable(self, design: Design) -> bool:
        """Whether the run's model knows a design, so that its label can be learnt from."""
        return readable(self._history.model, design)

    def compare(self, comparisons: Iterable[Comparison]) -> int:
        """Take comparisons of queries: all of them, or none if one is wrong.

        A query that was compared waits for no other label. The same comparison again is taken once; contradictions
        and cycles are data. `seiko.campaign.best_of` makes the comparisons of a choice among several.

        Returns:
            How many comparisons were new.

        Raises:
            UnknownQuery: If an id was never asked.
            ValueError: If a choice has two winners or raters.
        """
        given = list(comparisons)
        while True:
            self._require_asked(given)
            if not (new := check_comparisons(self._state.comparisons, given)):
                return 0
            self.ledger.require_writable()
            try:
                self._append("compared", {"comparisons": [comparison.row() for comparison in new]})
            except LedgerConflict:
                continue
            return len(new)

    def withdraw(self, comparisons: Iterable[Comparison]) -> int:
        """Take comparisons back; finished rounds keep what they were fitted to.

        Returns:
            How many there were to take back; those that are not there are passed over.

        Raises:
            UnknownQuery: If an id was never asked.
        """
        given = list(comparisons)
        while True:
            self._require_asked(given)
            known = {comparison.same_as: comparison for comparison in given if comparison in self._state.comparisons}
            if not known:
                return 0
            self.ledger.require_writable()
            rows = [comparison.row() for comparison in known.values()]
            try:
                self._append("compared", {"comparisons": [], "withdrawn": rows})
            except LedgerConflict:
                continue
            return len(rows)

    def rate(self, ratings: Iterable[Rating], *, raters: int = 1, step: float = 0.0) -> list[str]:
        """Take what people say of designs: all of it, or nothing if one rating is wrong.

        A design that enough of them have scored is labelled in the same append; see `seiko.campaign.ratings`. Scores
        that come after the label are kept and change nothing.

        Args:
            ratings: The ratings; the same one again is taken once.
            raters: Scores that make a label.
            step: Distance between neighbouring scores of the scale, 0 for one without a grid.

        Returns:
            The queries that were labelled by it.

        Raises:
            UnknownQuery: If an id was never asked.
            LabelConflict: If a rater says something else of a design whose label has come of their first word.
            ValueError: If `raters` is not positive, or a score is not all that this run wants to know of a design.
        """
        if raters < 1:
            raise ValueError(f"raters must be a positive number of scores, got {raters}")
        given = list(ratings)
        while True:
            new, labels = new_ratings(self.state, given, raters, step)
            if not new:
                return []
            events = [NewEvent("rated", {"ratings": [asdict(rating) for rating in new], "labels": list(labels)})]
            if labels:
                rows = {id: label_rows(self._complete(id, [label])) for id, label in labels.items()}
                events.append(NewEvent("told", {"labels": rows}))
            self.ledger.require_writable()
            try:
                self.ledger.append(events, expected=self._state.last_seq)
            except LedgerConflict:
                continue
            self._refresh()
            return list(labels)

    def unrate(self, query: str, rater: str) -> Rating:
        """Take a rating back, and the label that had come of it.

        Returns:
            The rating that stood.

        Raises:
            UnknownQuery: If this rater has said nothing of that query.
            LabelConflict: If a finished round was fitted to its label, or other labels stand beside it.
        """
        while True:
            rating = to_take_back(self.state, query, rater)
            self.ledger.require_writable()
            try:
                self._append("unrated", {"ratings": [{"query": query, "rater": rater}]})
            except LedgerConflict:
                continue
            return rating

    def _require_asked(self, comparisons: Iterable[Comparison]) -> None:
        state = self.state
        for comparison in comparisons:
            for id in (comparison.winner, comparison.loser):
                if id not in state.queries:
                    raise UnknownQuery(f"query {id!r} was never asked in this run; nothing was taken")

    # -------------------------------------------------------- the insides

    def _keep(self, designs: Iterable[Design]) -> None:
        """Put the files of images into the run folder, before the event that names them."""
        for design in designs:
            if design.data is not None:
                self.ledger.artifacts.put(design.data)

    def _refresh(self) -> None:
        refresh(self.ledger, self._state)

    def _append(self, kind: str, payload: dict[str, Any]) -> None:
        self.ledger.append([NewEvent(kind, payload)], expected=self._state.last_seq)
        self._refresh()

    def _decide(self, kind: str, decide: Callable[[RunState], dict[str, Any]]) -> dict[str, Any]:
        """Append what is decided from the present; if somebody appended meanwhile, it is decided anew."""
        while True:
            payload = decide(self.state)
            if not next(iter(payload.values())):
                return payload  # nothing new
            self.ledger.require_writable()
            try:
                self._append(kind, payload)
            except LedgerConflict:
                continue
            return payload

    def _complete(self, id: str, labels: list[Label]) -> list[Label]:
        return [complete(self.recipe.objectives, id, label) for label in labels]


def _reason(reason: str) -> str:
    if not reason.strip():
        raise ValueError("say why, in words: the reason is kept with the run")
    return reason
