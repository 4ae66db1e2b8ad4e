"""The closed loop: an oracle that answers at once."""

from __future__ import annotations

from collections.abc import Callable

from seiko.campaign.campaign import Campaign
from seiko.campaign.round import Progress
from seiko.campaign.state import RoundReport
from seiko.oracles import Oracle

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
    """
    oracle = oracle or campaign.recipe.oracle
    if oracle is None:
        raise ValueError("this recipe has no oracle: use ask, tell and advance, or give one")
    while not campaign.done:
        queries = campaign.ask(progress=progress)
        total = len(queries)
        for start in range(0, total, PART):
            part = queries[start : start + PART]
            labels = oracle([query.design for query in part])
            if len(labels) != len(part):
                raise ValueError(f"the oracle answered {len(part)} designs with {len(labels)} labels; none was taken")
            campaign.tell({query.id: label for query, label in zip(part, labels, strict=True)})
            progress("label", start + len(part), total, {})
        finished(campaign.advance(progress=progress))
    return campaign.state.reports
