"""The run behind a lock: what all requests share.

A campaign is one thread's business and the server has many, so each verb here holds the lock for as long as it folds
and appends, a few milliseconds. Between processes the ledger's optimistic append decides, as it does for the command
line: another process may ask, tell and advance beside the server. No verb here needs a model; those that do are `jobs`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from seiko.campaign import Campaign, Comparison, RunState, UnknownQuery, best_of
from seiko.campaign.artifacts import LedgerReadOnly
from seiko.campaign.ratings import Rating
from seiko.campaign.state import Query
from seiko.campaign.units import Units
from seiko.oracles import Label

__all__ = ["Desk"]


class Desk:
    """The run that is served.

    Args:
        place: Run folder, or its URL.
        modules: Modules whose classes its recipe may name.

    Raises:
        NoRun: If there is none.
    """

    def __init__(self, place: str, modules: tuple[str, ...] = ()) -> None:
        self.place, self.modules = place, modules
        self._campaign = Campaign.open(place, modules=modules)
        self._lock = threading.RLock()
        self._ratings: deque[tuple[Rating, Future[list[str]]]] = deque()  # that wait for the next append
        self.recipe = self._campaign.recipe

    def close(self) -> None:
        """Let go of the run."""
        with self._lock:
            self._campaign.close()

    @contextmanager
    def reading(self) -> Iterator[RunState]:
        """Hold the present still; use it quickly, nothing else is answered meanwhile."""
        with self._lock:
            yield self._campaign.state

    @contextmanager
    def campaign(self) -> Iterator[Campaign]:
        """Hold the campaign, likewise."""
        with self._lock:
            yield self._campaign

    @property
    def name(self) -> str:
        """What the run is called."""
        return self._campaign.ledger.name

    @property
    def writable(self) -> bool:
        """Whether anything can be changed."""
        try:
            self._campaign.ledger.require_writable()
        except LedgerReadOnly:
            return False
        return True

    @property
    def stopped_because(self) -> str | None:
        """Why the run is over, in words; None while it is not."""
        with self._lock:
            return self._campaign.stopped_because

    def query(self, id: str) -> Query:
        """Return a query.

        Raises:
            UnknownQuery: If it was never asked.
        """
        with self.reading() as state:
            if id not in state.queries:
                raise UnknownQuery(f"query {id!r} was never asked in this run")
            return state.queries[id]

    def bytes_of(self, query: Query) -> bytes:
        """Return the PNG of an image; it is checked against its name.

        Raises:
            LedgerError: If the file is missing or damaged.
            ValueError: If the design is no image.
        """
        return query.design.data or self._campaign.bytes_of(query.design)  # files need no lock

    def tell(self, labels: Mapping[str, Sequence[Label]], units: Units | None = None) -> tuple[int, int]:
        """Take labels, all or none; return how many were new and how many are still missing."""
        with self._lock:
            taken = self._campaign.tell(labels, units=units)
            return taken, len(self._campaign.state.pending())

    def retract(self, id: str, reason: str, replicate: int | None) -> int:
        """Take a label away that was wrong; return 1 if there was one."""
        with self._lock:
            return self._campaign.retract([id], reason, replicate=replicate)

    def abandon(self, ids: Sequence[str], reason: str) -> int:
        """Wait no longer for designs; return how many were waited for."""
        with self._lock:
            return self._campaign.abandon(ids, reason)

    def rate(self, rating: Rating, *, raters: int, step: float) -> list[str]:
        """Take a rating; return the queries that were labelled by it, or by those that came at the same time.

        An append waits for the disk. Ratings that come while another one waits are taken together by the next append,
        so that many raters wait hardly longer than one; if one of them is wrong, each is taken by itself.
        """
        own: Future[list[str]] = Future()
        self._ratings.append((rating, own))
        with self._lock:
            together = [self._ratings.popleft() for _ in range(len(self._ratings))]
            if not together:
                return own.result()  # somebody who held the lock before has taken it along
            try:
                labelled = self._campaign.rate([each for each, _ in together], raters=raters, step=step)
                for _, future in together:
                    future.set_result(labelled)
            except Exception:
                for each, future in together:
                    try:
                        future.set_result(self._campaign.rate([each], raters=raters, step=step))
                    except Exception as error:
                        future.set_exception(error)
        return own.result()

    def unrate(self, query: str, rater: str) -> Rating:
        """Take a rating back; return what it was."""
        with self._lock:
            return self._campaign.unrate(query, rater)

    def choose(self, winner: str, others: list[str], rater: str) -> int:
        """Take "this one is the best of those shown"; return how many comparisons were new."""
        with self._lock:
            return self._campaign.compare(best_of(winner, others, rater))

    def withdraw(self, comparisons: Iterable[Comparison]) -> int:
        """Take comparisons back; return how many."""
        with self._lock:
            return self._campaign.withdraw(comparisons)
