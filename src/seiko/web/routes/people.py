"""The raters beside each other: how much they have done, and whether they mean the same."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from seiko.campaign.agreement import krippendorff_alpha, rater_summaries
from seiko.campaign.state import Query
from seiko.web.context import Owner, page, web_of

__all__ = ["router"]

router = APIRouter()
MOST = 12


@dataclass(frozen=True, slots=True)
class Disputed:
    """A design that raters see differently."""

    query: Query
    words: list[tuple[str, float]]
    spread: float


@router.get("/people")
def people(request: Request, session: Owner) -> Response:
    """Show agreement and the designs that are disputed."""
    web = web_of(request)
    with web.desk.reading() as state:
        book = state.ratings
        scores = [book.scores(id) for id in book.by_query]
        disputed = []
        for id, words in book.by_query.items():
            given = [(name, rating.score) for name, rating in sorted(words.items()) if rating.score is not None]
            if len(given) > 1 and (spread := statistics.stdev(score for _, score in given)) > 0:
                disputed.append(Disputed(state.queries[id], given, spread))
        rows = rater_summaries(book)
        skipped = [
            state.queries[id] for id, words in book.by_query.items() if all(rating.skipped for rating in words.values())
        ]
    disputed.sort(key=lambda found: -found.spread)
    return page(
        request,
        "people.html",
        session,
        alpha=krippendorff_alpha(scores),
        shared=sum(1 for given in scores if len(given) > 1),
        rated=sum(1 for given in scores if given),
        rows=rows,
        people=web.access.people,
        disputed=disputed[:MOST],
        skipped=skipped[:MOST],
    )
