"""The closed loop: an oracle that answers at once.

Labels are kept as they come, so that a loop that ends in the middle has bought nothing that it buys again. A
measurement that is to be repeated is repeated once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from seiko.campaign.campaign import Campaign
from seiko.campaign.round import Progress
from seiko.campaign.state import Query, RoundReport
from seiko.oracles import Label, Oracle, StreamingOracle

__all__ = ["run"]

PART = 50  # designs sent at a time; each part's labels are kept before the next is sent


def run(
    campaign: Campaign,
    oracle: Oracle | None = None,
    *,
    progress: Progress = lambda stage, done, total, numbers: None,
    finished: Callable[[RoundReport], None] = lambda report: None,
) -> list[RoundReport]:
    """Run a campaign to its end; a run that was interrupted goes on where its ledger stands.

    Args:
        campaign: The run.
        oracle: Who answers; None for the recipe's own.
        progress: Called all along.
        finished: Called after each round.

    Returns:
        The reports of all rounds.

    Raises:
        ValueError: If neither the recipe nor the caller has an oracle, or it answers with a wrong number of labels.
        OracleFailed: If an outside oracle answers nothing; run again to go on.
    """
    oracle = oracle or campaign.recipe.oracle
    if oracle is None:
        raise ValueError("this recipe has no oracle: use ask, tell and advance, or give one")
    repeated: set[str] = set()
    while not campaign.done:
        queries = campaign.ask(progress=progress)
        told = 0
        for labels in _answered(oracle, queries):
            campaign.tell({id: _once_more(id, label, repeated) for id, label in labels.items()})
            told += len(labels)
            progress("label", told, len(queries), {})
        if not campaign.state.pending(campaign.state.round):  # what is to be repeated is asked again
            finished(campaign.advance(progress=progress))
    return campaign.state.reports


def _answered(oracle: Oracle, queries: Sequence[Query]) -> Iterator[dict[str, Label]]:
    """Yield labels by query id as they come: one by one, or part by part."""
    if isinstance(oracle, StreamingOracle):
        missing = {query.id for query in queries}
        with closing(oracle.answers([query.design for query in queries])) as answers:  # type: ignore[type-var]
            for position, label in answers:
                missing.discard(queries[position].id)
                yield {queries[position].id: label}
        if missing:
            raise ValueError(
                f"the oracle left {len(missing)} of {len(queries)} designs unanswered; the others are kept"
            )
        return
    for start in range(0, len(queries), PART):
        part = queries[start : start + PART]
        labels = oracle([query.design for query in part])
        if len(labels) != len(part):
            raise ValueError(f"the oracle answered {len(part)} designs with {len(labels)} labels; none was taken")
        yield {query.id: label for query, label in zip(part, labels, strict=True)}


def _once_more(id: str, label: Label, repeated: set[str]) -> Label:
    """Return a label, the second failure of a measurement that is to be repeated as its last."""
    if not label.retry or id not in repeated:
        repeated |= {id} if label.retry else set()
        return label
    return replace(label, retry=False)
