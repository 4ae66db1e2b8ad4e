"""Draw the pool of a batch and choose from it.

What is no design at all, what a screen refuses (`Recipe.screens`), duplicates, designs that the ledger knows and those
that the oracle could not tell from them (`Recipe.same`) leave the pool here, before anything is spent; so only i.i.d.
mode ever sends a design twice, or one that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.candidates import CandidateSource, Labelled
from seiko.campaign.errors import PoolExhausted
from seiko.campaign.observing import are_images, observe_states
from seiko.campaign.prompts import prompted
from seiko.campaign.recipe import Recipe
from seiko.campaign.sampler import ModelSampler, Sampler, at_a_time, chunk
from seiko.campaign.screens import sendable
from seiko.campaign.selection import Pool
from seiko.designs import IMAGE, Design
from seiko.diffusion import Noise, State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Belief, Symmetry, orbit, predictive

__all__ = ["Proposal", "identities", "identity", "predict", "propose"]

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


def identities(model: DiffusionModel[Transition], designs: Sequence[Design], same: Symmetry | None) -> list[str]:
    """Return the keys that `identity` gives designs, each with its prompt; of images without reading their files."""
    if not designs:
        return []
    if same is None and are_images(designs):
        return _for_prompts(_own_keys(designs), designs)
    return _for_prompts(identity(model, model.ingest(designs), same), designs)


def _own_keys(designs: Sequence[Design]) -> list[str]:
    return [replace(design, prompt=None).key for design in designs]


def _for_prompts(keys: list[str], designs: Sequence[Design]) -> list[str]:
    """Return keys that tell the same content for two prompts apart."""
    return [
        key if design.prompt is None else f"{key}\0{design.prompt}" for key, design in zip(keys, designs, strict=True)
    ]


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
        x, designs = _as_they_come(recipe.candidates[0], model, sampler, labelled, seed, count)
        return Proposal(x, designs, [recipe.candidates[0].source] * count)
    seen = set(known)
    parts: list[State] = []
    designs = []
    sources: list[str] = []
    wanted = max(recipe.pool, count) if score is not None else count
    total = sum(source.share for source in recipe.candidates)
    for attempt in range(ATTEMPTS):
        for which, source in enumerate(recipe.candidates):
            size = max(1, round(wanted * source.share / total))
            for start in range(0, size, chunk(sampler)):
                n = min(chunk(sampler), size - start)
                noise = Noise.seeded(seed * 31 + which, range(attempt * size + start, attempt * size + start + n))
                drawn = source.propose(sampler, labelled, noise)
                if drawn is None:
                    continue
                found = prompted(model.export(drawn), sampler.prompts(noise))
                rows = [row for row in sendable(found, recipe.screens) if readable(model, found[row])]
                new = [rows[i] for i in _new_rows(_keys(model, drawn[rows], [found[i] for i in rows], recipe), seen)]
                parts.append(drawn[new])
                designs += [found[row] for row in new]
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
    pool = Pool(x, None if score is None else _scores(score, model, x, designs), model.distance)
    rows = recipe.selection(pool, count)
    return Proposal(x[rows], [designs[i] for i in rows], [sources[i] for i in rows])


def _as_they_come(
    source: CandidateSource,
    model: DiffusionModel[Transition],
    sampler: Sampler,
    labelled: Labelled,
    seed: int,
    count: int,
) -> tuple[State, list[Design]]:
    """Return i.i.d. draws; only one that the model could not know again, and so never learn from, is drawn anew."""
    parts: list[State] = []
    designs: list[Design] = []
    for attempt in range(ATTEMPTS):
        missing = count - len(designs)
        for start in range(0, missing, chunk(sampler)):
            first, n = attempt * count + start, min(chunk(sampler), missing - start)
            noise = Noise.seeded(seed, range(first, first + n))
            x = source.propose(sampler, labelled, noise)
            assert x is not None  # Fresh always draws
            found = prompted(model.export(x), sampler.prompts(noise))
            rows = [row for row, design in enumerate(found) if readable(model, design)]
            parts.append(x[rows])
            designs += [found[row] for row in rows]
        if len(designs) == count:
            return torch.cat(parts), designs
    raise PoolExhausted(f"the model could read only {len(designs)} of its own draws, {count} are asked for")


def readable(model: DiffusionModel[Transition], design: Design) -> bool:
    """Whether the model knows the design again: one molecule has many spellings, and its usual one may be too long."""
    if design.kind == IMAGE:
        return True
    try:
        model.ingest([design])
    except ValueError:
        return False
    return True


def _keys(model: DiffusionModel[Transition], x: State, designs: list[Design], recipe: Recipe) -> list[str]:
    """Return what `identities` gives designs whose states are at hand."""
    if recipe.same is None:
        return _for_prompts(_own_keys(designs), designs)
    return _for_prompts(identity(model, x, recipe.same) if designs else [], designs)


def _new_rows(keys: list[str], seen: set[str]) -> list[int]:
    """Return the rows whose key was not seen, and remember them."""
    rows = []
    for row, key in enumerate(keys):
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def predict(belief: Belief, model: DiffusionModel[Transition], batch: Proposal) -> list[tuple[float, float]]:
    """Return mean and standard deviation of the label that is predicted for each design of a batch."""
    parts = _seen(model, batch.x, batch.designs)
    with torch.no_grad():
        return [pair for x in parts for pair in zip(*map(Tensor.tolist, predictive(belief, x, None)), strict=True)]


def _scores(
    score: Callable[[State], Tensor], model: DiffusionModel[Transition], x: State, designs: list[Design]
) -> Float[Tensor, "n"]:
    with torch.no_grad():
        return torch.cat([score(part) for part in _seen(model, x, designs)])


def _seen(model: DiffusionModel[Transition], x: State, designs: list[Design]) -> Iterator[Tensor]:
    """Yield what the reward model sees of designs, part by part."""
    size = at_a_time(model) if are_images(designs) else 4096
    for start in range(0, len(designs), size):
        yield observe_states(model, x[start : start + size], designs[start : start + size])
