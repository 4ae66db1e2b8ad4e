"""Which ratings are new, which labels they complete, which can be taken back: decided before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from seiko.campaign.errors import LabelConflict, UnknownQuery
from seiko.campaign.ratings import Rating, complete
from seiko.campaign.state import RunState
from seiko.oracles import Label

__all__ = ["new_ratings", "to_take_back"]


def new_ratings(
    state: RunState, given: Sequence[Rating], raters: int, step: float
) -> tuple[list[Rating], dict[str, Label]]:
    """Return the ratings that say something new, and the labels that they complete, by query.

    Raises:
        UnknownQuery: If an id was never asked.
        LabelConflict: If a rater says something else of a design whose label has come of their first word.
    """
    new = [rating for rating in given if state.ratings.of(rating.query).get(rating.rater) != rating]
    labelled = {rating.query for rating in new if state.standing(rating.query)}
    for rating in new:
        if rating.query not in state.queries:
            raise UnknownQuery(f"query {rating.query!r} was never asked in this run; nothing was taken")
        if rating.query in labelled and rating.rater in state.ratings.of(rating.query):
            raise LabelConflict(
                f"query {rating.query!r} is labelled, and {rating.rater!r} has said something else of it: take that "
                "back first; nothing was taken"
            )
    return new, complete(state.ratings, [rating for rating in new if rating.query not in labelled], raters, step)


def to_take_back(state: RunState, query: str, rater: str) -> Rating:
    """Return the rating that is to be taken back.

    Raises:
        UnknownQuery: If this rater has said nothing of that query.
        LabelConflict: If a finished round was fitted to its label, or other labels stand beside it.
    """
    rating = state.ratings.of(query).get(rater)
    if rating is None:
        raise UnknownQuery(f"{rater!r} has not rated query {query!r}; nothing was taken back")
    standing = state.standing(query) if rater in state.ratings.sources(query) else []
    if len(standing) > 1:
        raise LabelConflict(f"query {query!r} has other labels beside that of its raters: retract it instead")
    if standing and state.labelled_at[query] <= state.fitted_to:
        raise LabelConflict(f"round {len(state.reports)} was fitted to the label of {query!r}: retract it instead")
    return rating
