"""Draw the pool of a batch and choose from it.

What is no design at all, what a screen refuses (`Recipe.screens`), duplicates, designs that the ledger knows and those
that the oracle could not tell from them (`Recipe.same`) leave the pool here, before anything is spent; so only i.i.d.
mode ever sends a design twice, or one that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.candidates import CandidateSource, Labelled
from seiko.campaign.errors import PoolExhausted
from seiko.campaign.recipe import Recipe
from seiko.campaign.sampler import ModelSampler, Sampler, chunk
from seiko.campaign.screens import sendable
from seiko.campaign.selection import Pool
from seiko.designs import Design
from seiko.diffusion import Noise, State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Symmetry, orbit

__all__ = ["Proposal", "identity", "propose"]

ATTEMPTS = 20


@dataclass(frozen=True)
class Proposal:
    """A batch that was chosen.

    Args:
        x: `[n, *event]` states.
        designs: The same as designs.
        sources: Name of the source of each.
    """

    x: State
    designs: list[Design]
    sources: list[str]


def identity(model: DiffusionModel[Transition], x: State, same: Symmetry | None) -> list[str]:
    """Return a key for each state, equal for states that are one design to the oracle."""
    images = orbit(same, x)
    keys = [design.key for design in model.export(images.flatten(0, 1))]
    size = images.shape[1]
    return [min(keys[i : i + size]) for i in range(0, len(keys), size)]


def propose(
    recipe: Recipe,
    model: DiffusionModel[Transition],
    labelled: Labelled,
    known: Iterable[str],
    score: Callable[[State], Float[Tensor, "n"]] | None,
    count: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    sampler: Sampler | None = None,
) -> Proposal:
    """Draw candidates and choose a batch.

    Args:
        recipe: Sources, pool size, selection and symmetry.
        model: The model: the language of its designs, and their distance.
        labelled: What sources may start from.
        known: Identities that must not be sent again.
        score: Acquisition at decoded states; None before the first fit.
        count: Size of the batch.
        seed: Seeds all draws.
        progress: Called with candidates drawn and wanted.
        sampler: What sources draw by; None for the model's current version.

    Raises:
        PoolExhausted: If fewer than `count` new designs turn up in many times the pool.
    """
    sampler = ModelSampler(model) if sampler is None else sampler
    if recipe.selection.iid:
        x = _as_they_come(recipe.candidates[0], model, sampler, labelled, seed, count)
        return Proposal(x, model.export(x), [recipe.candidates[0].source] * count)
    seen = set(known)
    parts: list[State] = []
    sources: list[str] = []
    wanted = max(recipe.pool, count) if score is not None else count
    total = sum(source.share for source in recipe.candidates)
    for attempt in range(ATTEMPTS):
        for which, source in enumerate(recipe.candidates):
            size = max(1, round(wanted * source.share / total))
            for start in range(0, size, chunk(sampler)):
                n = min(chunk(sampler), size - start)
                drawn = _draw(source, sampler, labelled, seed * 31 + which, attempt * size + start, n)
                if drawn is None:
                    continue
                designs = model.export(drawn)
                x = drawn[[row for row in sendable(designs, recipe.screens) if readable(model, designs[row])]]
                new = _new_rows(identity(model, x, recipe.same), seen)
                parts.append(x[new])
                sources += [source.source] * len(new)
                progress(min(len(sources), wanted), wanted)
        if len(sources) >= count:
            break
    if len(sources) < count:
        raise PoolExhausted(
            f"only {len(sources)} new designs in {ATTEMPTS} pools of {wanted}, {count} are asked for: the model has "
            "collapsed or the space is used up; ask for fewer, raise the KL coefficients (or lower the KL budget)"
            f"{', or loosen the screens' if recipe.screens else ''}"
        )
    x = torch.cat(parts)
    pool = Pool(x, None if score is None else _in_chunks(lambda part: score(model.decode(part)), x), model.distance)
    rows = recipe.selection(pool, count)
    return Proposal(x[rows], model.export(x[rows]), [sources[i] for i in rows])


def _as_they_come(
    source: CandidateSource,
    model: DiffusionModel[Transition],
    sampler: Sampler,
    labelled: Labelled,
    seed: int,
    count: int,
) -> State:
    """Return i.i.d. draws; only one that the model could not know again, and so never learn from, is drawn anew."""
    parts: list[State] = []
    for attempt in range(ATTEMPTS):
        missing = count - sum(map(len, parts))
        x = _draw(source, sampler, labelled, seed, attempt * count, missing)
        assert x is not None  # Fresh always draws
        parts.append(x[[row for row, design in enumerate(model.export(x)) if readable(model, design)]])
        if len(parts[-1]) == missing:
            return torch.cat(parts)
    raise PoolExhausted(f"the model could read only {sum(map(len, parts))} of its own draws, {count} are asked for")


def readable(model: DiffusionModel[Transition], design: Design) -> bool:
    """Whether the model knows the design again: one molecule has many spellings, and its usual one may be too long."""
    try:
        model.ingest([design])
    except ValueError:
        return False
    return True


def _draw(
    source: CandidateSource, sampler: Sampler, labelled: Labelled, seed: int, first: int, count: int
) -> State | None:
    return source.propose(sampler, labelled, Noise.seeded(seed, range(first, first + count)))


def _new_rows(keys: list[str], seen: set[str]) -> list[int]:
    """Return the rows whose key was not seen, and remember them."""
    rows = []
    for row, key in enumerate(keys):
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def _in_chunks(score: Callable[[State], Tensor], x: State) -> Float[Tensor, "n"]:
    with torch.no_grad():
        return torch.cat([score(part) for part in torch.split(x, 4096)])
