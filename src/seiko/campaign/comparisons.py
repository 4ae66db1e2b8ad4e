"""Preferences: who was better than whom, said by people or by an assay that only ranks.

    comparison  winner, loser, rater                  one of two
    choice      the comparisons of one winner with each of the others that were shown; `best_of` makes them
    tie         neither is better; counts as half a win either way

A comparison of two is data whatever was said before: the same rater may contradict himself, several may make a cycle.
Only the very same comparison (rater, pair, choice) told twice is taken once. One taken back is kept, as are all events,
with the event that took it back, so that earlier rounds can be fitted again as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seiko.campaign.sense import sound

__all__ = ["Comparison", "Comparisons", "agreement", "answers", "best_of", "check_comparisons"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One query was preferred to another.

    Args:
        winner: Id of the better query.
        loser: Id of the other.
        rater: Who said so, in any words; empty if it is not known.
        choice: Name of the choice that it is part of: all comparisons of one choice have the same winner and rater, and
            count as *one* answer, "the best of these"; None for a comparison of two.
        tie: Whether neither was better; then winner and loser only name the pair.

    Raises:
        ValueError: If an id is empty, a query is compared with itself, or a tie is part of a choice.
    """

    winner: str
    loser: str
    rater: str = ""
    choice: str | None = None
    tie: bool = False

    def __post_init__(self) -> None:
        if not self.winner or not self.loser:
            raise ValueError(f"a comparison needs two query ids, got {self.winner!r} and {self.loser!r}")
        if self.winner == self.loser:
            raise ValueError(f"query {self.winner!r} is compared with itself; a comparison needs two queries")
        if self.tie and self.choice is not None:
            raise ValueError(
                f"{self.winner!r} and {self.loser!r} are a tie in choice {self.choice!r}: a best of n has one winner; "
                "leave the choice out, or tell the tie as a comparison of two"
            )

    def row(self) -> dict[str, Any]:
        """Return it as the ledger keeps it; choice and tie only where there is one."""
        row: dict[str, Any] = {"winner": self.winner, "loser": self.loser, "rater": self.rater}
        if self.choice is not None:
            row["choice"] = self.choice
        if self.tie:
            row["tie"] = True
        return row

    @property
    def same_as(self) -> tuple[Any, ...]:
        """What it must share with another to be the same comparison: a tie has no order."""
        pair = tuple(sorted((self.winner, self.loser))) if self.tie else (self.winner, self.loser)
        return (*pair, self.rater, self.choice, self.tie)


def best_of(winner: str, others: Sequence[str], rater: str = "") -> list[Comparison]:
    """Return the comparisons that say: this one is the best of those shown.

    Args:
        winner: Id of the query that was chosen.
        others: Ids of the other queries shown.
        rater: Who chose.

    Raises:
        ValueError: If there are no others, one is named twice, or the winner is among them.
    """
    if not others:
        raise ValueError(f"the best of n needs others than {winner!r} to be chosen from, got none")
    if twice := sorted({id for id in others if others.count(id) > 1}):
        raise ValueError(f"query {twice[0]!r} is named twice among the others")
    if len(others) == 1:
        return [Comparison(winner=winner, loser=others[0], rater=rater)]
    shown = "\0".join((winner, *sorted(others), rater))
    choice = hashlib.sha256(shown.encode()).hexdigest()[:16]
    return [Comparison(winner=winner, loser=other, rater=rater, choice=choice) for other in others]


@dataclass
class Comparisons:
    """All comparisons of a run, in the order told; changed by `RunState`'s fold only."""

    _told: dict[tuple[Any, ...], tuple[Comparison, int]] = field(default_factory=dict)
    _past: list[tuple[Comparison, int, int]] = field(default_factory=list)  # (what, told, taken back)
    _ids: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Comparison]:
        return iter([comparison for comparison, _ in self._told.values()])

    def __len__(self) -> int:
        return len(self._told)

    def __contains__(self, comparison: object) -> bool:
        return isinstance(comparison, Comparison) and comparison.same_as in self._told

    def names(self, id: str) -> bool:
        """Whether a query is in any comparison."""
        return id in self._ids

    def up_to(self, seq: int | None = None) -> list[Comparison]:
        """Return what stood at event `seq`, in the order told; None for now."""
        if seq is None:
            return list(self)
        then = [(told, comparison) for comparison, told in self._told.values() if told <= seq]
        then += [(told, comparison) for comparison, told, back in self._past if told <= seq < back]
        return [comparison for _, comparison in sorted(then, key=lambda pair: pair[0])]

    def fold(self, seq: int, payload: Mapping[str, Any], known: Callable[[str], bool]) -> None:
        """Take an event's comparisons, and take back those that it withdraws.

        Raises:
            KeyError: If a query is not known, or what is withdrawn was never told.
            ValueError: If a comparison is none.
        """
        for row in payload["comparisons"]:
            comparison = sound(Comparison(**row))
            for id in (comparison.winner, comparison.loser):
                if not known(id):
                    raise KeyError(id)
            if comparison.same_as not in self._told:
                self._told[comparison.same_as] = comparison, seq
                self._count(comparison, 1)
        for row in payload.get("withdrawn", ()):
            comparison, told = self._told.pop(Comparison(**row).same_as)
            self._past.append((comparison, told, seq))
            self._count(comparison, -1)

    def _count(self, comparison: Comparison, step: int) -> None:
        for id in (comparison.winner, comparison.loser):
            self._ids[id] = self._ids.get(id, 0) + step
            if not self._ids[id]:
                del self._ids[id]


def answers(comparisons: Iterable[Comparison], row: Mapping[str, int]) -> list[tuple[int, list[int], bool]]:
    """Return what `seiko.rewards.Choices.of` takes: the winner's row, the others', and whether it was a tie.

    Args:
        comparisons: In the order told; those of one choice become one answer.
        row: Of each query.
    """
    found: dict[Any, tuple[int, list[int], bool]] = {}
    for comparison in comparisons:
        key = comparison.same_as if comparison.choice is None else comparison.choice
        answer = found.setdefault(key, (row[comparison.winner], [], comparison.tie))
        answer[1].append(row[comparison.loser])
    return list(found.values())


def agreement(comparisons: Iterable[Comparison], predicted: Mapping[str, float | None]) -> tuple[int, int]:
    """Return how many comparisons went as predicted, of how many that were: the honest measure of a preference model.

    Args:
        comparisons: Ties and pairs that were predicted alike, or not at all, are left out.
        predicted: Reward predicted of each query when it was chosen, before anybody compared it.
    """
    right = total = 0
    for comparison in comparisons:
        winner, loser = predicted.get(comparison.winner), predicted.get(comparison.loser)
        if comparison.tie or winner is None or loser is None or winner == loser:
            continue
        right, total = right + (winner > loser), total + 1
    return right, total


def check_comparisons(known: Comparisons, given: Iterable[Comparison]) -> list[Comparison]:
    """Return those that are new, each once.

    Raises:
        ValueError: If two winners or raters share a choice.
    """
    chosen = {c.choice: (c.winner, c.rater) for c in known if c.choice is not None}
    new: dict[tuple[Any, ...], Comparison] = {}
    for comparison in given:
        if comparison.choice is not None:
            by = (comparison.winner, comparison.rater)
            if chosen.setdefault(comparison.choice, by) != by:
                winner, rater = chosen[comparison.choice]
                raise ValueError(
                    f"choice {comparison.choice!r} has the winner {winner!r} (rater {rater!r}) already, got "
                    f"{comparison.winner!r} (rater {comparison.rater!r}); a choice has one of each; nothing was taken"
                )
        if comparison not in known:
            new.setdefault(comparison.same_as, comparison)
    return list(new.values())
