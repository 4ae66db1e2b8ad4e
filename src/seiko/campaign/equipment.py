"""What updates that learn from designs are given of a run: pairs for `PreferenceDPO`, the best for `Replay`.

comparisons   winner and loser of each that was told; ties teach nothing
labels        where nobody compared any such: each labelled design with another one, drawn by the seed, the larger
              label preferred
best          designs of the largest labels

Both designs of a pair were drawn for the same prompt, the best are the best of each prompt, and all are learnt from for
theirs: how good a cat is beside a dog says nothing of how likely the model should draw either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from seiko.campaign.recipe import Recipe
from seiko.campaign.seeds import Purpose
from seiko.designs import Design
from seiko.diffusion import Conditioning
from seiko.updates import PreferenceDPO, PreferenceUpdate, Replay, ReplayUpdate

if TYPE_CHECKING:
    from seiko.campaign.history import History

__all__ = ["PER_LABEL", "equipped"]

PER_LABEL = 4  # pairs drawn a label
_Pairs: TypeAlias = list[tuple[Design, Design]]  # winner, loser


def equipped(history: History, round: int) -> Recipe:
    """Return the recipe with an update that has its designs; the same for other updates, and None as one without any.

    Args:
        history: Of the run; nothing of it is changed.
        round: The round whose update it is.
    """
    match history.recipe.update:
        case PreferenceDPO() as update:
            return replace(history.recipe, update=_with_pairs(update, history, round))
        case Replay() as update:
            return replace(history.recipe, update=_with_best(update, history))
    return history.recipe


def _with_pairs(update: PreferenceDPO, history: History, round: int) -> PreferenceUpdate | None:
    conditioned = history.recipe.prompts is not None
    pairs = _alike(_compared(history), conditioned) or _alike(_ranked(history, round), conditioned)
    if not pairs:
        return None
    states = _states(history, [design for pair in pairs for design in pair])
    given = _conditioning(history, [winner for winner, _ in pairs]) if conditioned else None
    return update.with_pairs(history.model.process, states[::2], states[1::2], given)


def _with_best(update: Replay, history: History) -> ReplayUpdate | None:
    conditioned = history.recipe.prompts is not None
    told = history.state.measured()
    of_prompt = _by_prompt(told.designs)
    if conditioned:
        of_prompt.pop(None, None)
    best: list[Design] = []
    for rows in of_prompt.values():
        most = min(update.most(len(rows)), max(1, update.best // len(of_prompt)))
        best += [told.designs[row] for row in sorted(rows, key=lambda row: -told.values[row])[:most]]
    if not best:
        return None
    given = _conditioning(history, best) if conditioned else None
    return update.with_designs(history.model.process, _states(history, best), given)


def _by_prompt(designs: Sequence[Design]) -> dict[str | None, list[int]]:
    """Return the rows of the designs of each prompt."""
    of_prompt: dict[str | None, list[int]] = {}
    for row, design in enumerate(designs):
        of_prompt.setdefault(design.prompt, []).append(row)
    return of_prompt


def _alike(pairs: _Pairs, conditioned: bool) -> _Pairs:
    """Return the pairs for one prompt; without those that were attached for none, where the model needs one."""
    return [(a, b) for a, b in pairs if a.prompt == b.prompt and not (conditioned and a.prompt is None)]


def _compared(history: History) -> _Pairs:
    queries = history.state.queries
    told = [comparison for comparison in history.state.comparisons if not comparison.tie]
    return [(queries[comparison.winner].design, queries[comparison.loser].design) for comparison in told]


def _ranked(history: History, round: int) -> _Pairs:
    told = history.state.measured()
    generator = torch.Generator().manual_seed(history.seed(round, Purpose.FIT))
    pairs: _Pairs = []
    for rows in _by_prompt(told.designs).values():
        for _ in range(PER_LABEL):
            for one, place in zip(rows, torch.randperm(len(rows), generator=generator).tolist(), strict=True):
                other = rows[place]
                if told.values[one] != told.values[other]:
                    better = one if told.values[one] > told.values[other] else other
                    pairs.append((told.designs[better], told.designs[one + other - better]))
    return pairs


def _states(history: History, designs: list[Design]) -> Tensor:
    """Return the state of each; one that is there several times is made once."""
    first = {design.key: design for design in designs}
    row = {key: i for i, key in enumerate(first)}
    states = history.model.ingest([history.with_file(design) for design in first.values()])
    return states[[row[design.key] for design in designs]]


def _conditioning(history: History, designs: list[Design]) -> Conditioning:
    prompts = [design.prompt for design in designs if design.prompt is not None]
    conditioner = history.conditioner(list(dict.fromkeys(prompts)))
    assert conditioner is not None  # prompts were given
    row = {prompt: i for i, prompt in enumerate(conditioner.prompts)}
    return conditioner.table[[row[prompt] for prompt in prompts]]
