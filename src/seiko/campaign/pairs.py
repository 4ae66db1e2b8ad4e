"""The pairs that `PreferenceDPO` learns from: what raters compared, or what labels rank.

comparisons   winner and loser of each that was told; ties teach it nothing
labels        where nobody compared anything: each labelled design with another one, drawn by the seed, the larger
              label preferred
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seiko.campaign.recipe import Recipe
from seiko.campaign.seeds import Purpose
from seiko.updates import PreferenceDPO

if TYPE_CHECKING:
    from seiko.campaign.history import History

__all__ = ["PER_LABEL", "equipped"]

PER_LABEL = 4  # pairs drawn a label


def equipped(history: History, round: int) -> Recipe:
    """Return the recipe with an update that has its pairs; the same for other updates, and None as the update without.

    Args:
        history: Of the run; nothing of it is changed.
        round: The round whose update it is.
    """
    recipe = history.recipe
    if not isinstance(recipe.update, PreferenceDPO):
        return recipe
    winners, losers = _pairs(history, round)
    if len(winners) == 0:
        return replace(recipe, update=None)
    model = history.model
    return replace(recipe, update=recipe.update.with_pairs(model.process, winners, losers))


def _pairs(history: History, round: int) -> tuple[Tensor, Tensor]:
    state = history.state
    told = [comparison for comparison in state.comparisons if not comparison.tie]
    if told:
        winners = [state.queries[comparison.winner].design for comparison in told]
        losers = [state.queries[comparison.loser].design for comparison in told]
        ingest = history.model.ingest
        return ingest([history.with_file(d) for d in winners]), ingest([history.with_file(d) for d in losers])
    labelled = history.labelled()
    generator = torch.Generator().manual_seed(history.seed(round, Purpose.FIT))
    n = len(labelled.y)
    one = torch.arange(n).repeat(PER_LABEL)
    other = torch.cat([torch.randperm(n, generator=generator) for _ in range(PER_LABEL)])
    better = labelled.y[one] > labelled.y[other]
    worse = labelled.y[one] < labelled.y[other]
    first = torch.cat([one[better], other[worse]])
    second = torch.cat([other[better], one[worse]])
    return labelled.x[first], labelled.x[second]
