"""What a rater sees next.

Each rater goes through the open designs in an order of their own: by SHA-256(rater, query). So nobody sees the model's
ranking, two raters at once seldom label the same design where one score is enough, and the order after a reload is the
one before it. A rater's designs are those that wait for a label and that they have neither scored nor skipped.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from seiko.campaign.comparisons import Comparison, Comparisons
from seiko.campaign.state import Query, RunState

__all__ = ["Progress", "last_choice", "next_choice", "open_designs", "progress_of"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rater is.

    Args:
        done: Designs of the open round that they have judged.
        total: Those, and the ones that still wait for them.
    """

    done: int
    total: int


def open_designs(state: RunState, rater: str) -> list[Query]:
    """Return the designs that wait for this rater's score, in the rater's own order."""
    waiting = [query for query in state.pending() if rater not in state.ratings.of(query.id)]
    return sorted(waiting, key=lambda query: _shuffled(rater, query.id))


def progress_of(state: RunState, rater: str) -> Progress:
    """Return how many designs of the open round this rater has judged, and how many there are for them."""
    done = sum(1 for rating in state.ratings.by(rater) if state.queries[rating.query].round == state.round)
    return Progress(done, done + len(open_designs(state, rater)))


def next_choice(state: RunState, rater: str, n: int, passed: Sequence[frozenset[str]] = ()) -> list[Query]:
    """Return n designs of the open round to choose the best of; empty if there is nothing left to compare.

    Designs that were compared least come first, so that every design is compared about equally often. A set that this
    rater has judged is not shown again. Beside each other are images for the same prompt, if any prompt has enough.

    Args:
        state: The run.
        rater: Who chooses.
        n: How many are shown.
        passed: Sets that this rater did not want to judge.
    """
    asked = [query for query in state.asked(state.round) if query.id not in state.labels]
    if len(asked) < n:
        return []
    seen: dict[str, int] = {}
    for comparison in state.comparisons:
        for id in (comparison.winner, comparison.loser):
            seen[id] = seen.get(id, 0) + 1
    by_need = sorted(asked, key=lambda query: (seen.get(query.id, 0), _shuffled(rater, query.id)))
    judged = {*passed, *_judged(state.comparisons, rater)}
    of_prompt: dict[str | None, list[Query]] = {}
    for query in by_need:
        of_prompt.setdefault(query.design.prompt, []).append(query)
    groups = [group for group in of_prompt.values() if len(group) >= n] or [by_need]
    sets = itertools.chain.from_iterable(itertools.combinations(group, n) for group in groups)
    for chosen in itertools.islice(sets, 5000):
        ids = frozenset(query.id for query in chosen)
        if ids not in judged:
            shown = sorted(ids)
            return sorted(chosen, key=lambda query: _shuffled(rater, *shown, query.id))
    return []


def last_choice(comparisons: Comparisons, rater: str) -> list[Comparison]:
    """Return the comparisons of a rater's last choice that stands; empty before the first."""
    own = [comparison for comparison in comparisons if comparison.rater == rater]
    if not own:
        return []
    last = own[-1]
    return [c for c in own if c.choice == last.choice] if last.choice is not None else [last]


def _judged(comparisons: Comparisons, rater: str) -> set[frozenset[str]]:
    groups: dict[object, set[str]] = {}
    for number, comparison in enumerate(comparisons):
        if comparison.rater == rater:
            groups.setdefault(comparison.choice or number, set()).update((comparison.winner, comparison.loser))
    return {frozenset(ids) for ids in groups.values()}


def _shuffled(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
