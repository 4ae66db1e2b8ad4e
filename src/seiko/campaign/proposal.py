"""Draw the pool of a batch and choose from it.

What is no design at all, what a screen refuses (`Recipe.screens`), duplicates, designs that the ledger knows and those
that the oracle could not tell from them (`Recipe.same`) leave the pool here, before anything is spent; so only i.i.d.
mode ever sends a design twice, or one that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.candidates import CandidateSource, Labelled
from seiko.campaign.climb import Climb
from seiko.campaign.errors import PoolExhausted
from seiko.campaign.observing import are_images, observe_states
from seiko.campaign.prompts import choose_for_prompts, prompted
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
    wanted = max(recipe.pool, count) if score is not None else count
    climb = recipe.climb if score is not None else None
    in_all = wanted + (0 if climb is None else climb.generations * climb.size(wanted))
    gathering = _Gathering(recipe, model, sampler, set(known))
    total = sum(source.share for source in recipe.candidates)
    for attempt in range(ATTEMPTS):
        for which, source in enumerate(recipe.candidates):
            size = max(1, round(wanted * source.share / total))
            gathering.draw(source, labelled, seed * 31 + which, attempt * size, size)
            progress(min(len(gathering.sources), wanted), in_all)
        if len(gathering.sources) >= count:
            break
    if len(gathering.sources) < count:
        raise PoolExhausted(
            f"only {len(gathering.sources)} new designs in {ATTEMPTS} pools of {wanted}, {count} are asked for: the "
            "model has collapsed or the space is used up; ask for fewer, raise the KL coefficients (or lower the KL "
            f"budget){', or loosen the screens' if recipe.screens else ''}"
        )
    values = None
    if score is not None:
        value = partial(_values, score, model)
        values = value(gathering.x, gathering.designs)
        if climb is not None:
            values = _bred(climb, recipe.candidates, gathering, labelled, values, value, seed, wanted, progress)
    x = gathering.x
    pool = Pool(x, values, model.distance)
    rows = choose_for_prompts(recipe.selection, pool, count, [design.prompt for design in gathering.designs])
    return Proposal(x[rows], [gathering.designs[i] for i in rows], [gathering.sources[i] for i in rows])


class _Gathering:
    """New designs that may be sent, each with the name of its source."""

    def __init__(self, recipe: Recipe, model: DiffusionModel[Transition], sampler: Sampler, seen: set[str]) -> None:
        self.designs: list[Design] = []
        self.sources: list[str] = []
        self._recipe, self._model, self._sampler, self._seen = recipe, model, sampler, seen
        self._parts: list[State] = []

    @property
    def x(self) -> State:
        """The designs as states."""
        return torch.cat(self._parts)

    def draw(self, source: CandidateSource, labelled: Labelled, seed: int, first: int, size: int) -> None:
        """Draw from a source by the streams that begin at `first`, and keep what is new."""
        most = chunk(self._sampler)
        for start in range(0, size, most):
            drawn = _draw(source, self._sampler, labelled, seed, first + start, min(most, size - start))
            if drawn is None:
                return
            x, designs = drawn
            rows = [row for row in sendable(designs, self._recipe.screens) if readable(self._model, designs[row])]
            x, designs = x[rows], [designs[row] for row in rows]
            new = _new_rows(_keys(self._model, x, designs, self._recipe.same), self._seen)
            self._parts.append(x[new])
            self.designs += [designs[row] for row in new]
            self.sources += [source.source] * len(new)


def _bred(
    climb: Climb,
    sources: Sequence[CandidateSource],
    gathering: _Gathering,
    labelled: Labelled,
    values: Float[Tensor, "n"],
    value: Callable[[State, list[Design]], Float[Tensor, "n"]],
    seed: int,
    wanted: int,
    progress: Callable[[int, int], None],
) -> Float[Tensor, "m"]:
    """Breed the pool, and return the acquisition of all that is in it then."""
    editors = [(which, source) for which, source in enumerate(sources) if source.edits]
    total = sum(source.share for _, source in editors)
    known, offspring = value(labelled.x, []), climb.size(wanted)
    for generation in range(climb.generations):
        parents = Labelled(torch.cat([labelled.x, gathering.x]), torch.cat([known, values]))
        for which, source in editors:
            size = max(1, round(offspring * source.share / total))
            # streams that no attempt at the pool has used
            gathering.draw(source, parents, seed * 31 + which, (ATTEMPTS + generation) * wanted, size)
        values = torch.cat([values, value(gathering.x[len(values) :], gathering.designs[len(values) :])])
        progress(wanted + (generation + 1) * offspring, wanted + climb.generations * offspring)
    return values


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
        missing, most = count - len(designs), chunk(sampler)
        for start in range(0, missing, most):
            drawn = _draw(source, sampler, labelled, seed, attempt * count + start, min(most, missing - start))
            assert drawn is not None  # Fresh always draws
            rows = [row for row, design in enumerate(drawn[1]) if readable(model, design)]
            parts.append(drawn[0][rows])
            designs += [drawn[1][row] for row in rows]
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


def _draw(
    source: CandidateSource, sampler: Sampler, labelled: Labelled, seed: int, first: int, count: int
) -> tuple[State, list[Design]] | None:
    noise = Noise.seeded(seed, range(first, first + count))
    x = source.propose(sampler, labelled, noise)
    return None if x is None else (x, prompted(sampler.model.export(x), sampler.prompts(noise)))


def _keys(model: DiffusionModel[Transition], x: State, designs: Sequence[Design], same: Symmetry | None) -> list[str]:
    """Return what `identities` gives designs whose states are at hand."""
    if same is None:
        return _for_prompts(_own_keys(designs), designs)
    return _for_prompts(identity(model, x, same) if designs else [], designs)


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


def _values(
    score: Callable[[State], Tensor], model: DiffusionModel[Transition], x: State, designs: Sequence[Design]
) -> Float[Tensor, "n"]:
    with torch.no_grad():
        return torch.cat([score(part) for part in _seen(model, x, designs)]) if len(x) else torch.zeros(0)


def _seen(model: DiffusionModel[Transition], x: State, designs: Sequence[Design]) -> Iterator[Tensor]:
    """Yield what the reward model sees of states, part by part."""
    size = at_a_time(model) if are_images(designs) else 4096
    for start in range(0, len(x), size):
        yield observe_states(model, x[start : start + size], designs[start : start + size])
