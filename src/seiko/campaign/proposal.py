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

from seiko.acquisition import Foreseeing, Foreseen
from seiko.campaign.candidates import CandidateSource, Labelled
from seiko.campaign.climb import breed
from seiko.campaign.errors import PoolExhausted
from seiko.campaign.gathering import Gathering, observed, readable
from seiko.campaign.known import Known
from seiko.campaign.observing import decoded
from seiko.campaign.prompts import choose_for_prompts, prompted
from seiko.campaign.recipe import Recipe
from seiko.campaign.sampler import ModelSampler, Sampler, chunk
from seiko.campaign.selection import Batchwise, Everything, OneByOne, Pool, TopAcquisition
from seiko.designs import Design
from seiko.diffusion import Noise, State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Belief, Feature, PromptFeature, predictive

__all__ = ["Proposal", "predict", "propose"]

ATTEMPTS = 20
BY_SCORE = (TopAcquisition, OneByOne)  # leave a batch to a score that knows better than its own order


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


def propose(
    recipe: Recipe,
    model: DiffusionModel[Transition],
    labelled: Labelled,
    known: Iterable[str] | Known,
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
        known: What must not be sent again: identities, or what finds them among a run's queries.
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
    choosy = score is not None and not isinstance(recipe.selection, Everything)
    wanted = max(recipe.pool, count) if choosy else count
    climb = recipe.climb if score is not None else None
    in_all = wanted + (0 if climb is None else climb.generations * climb.size(wanted))
    gathering = Gathering(sampler, known, recipe.screens, recipe.same, recipe.view)
    total = sum(source.share for source in recipe.candidates)
    for attempt in range(ATTEMPTS):
        for which, source in enumerate(recipe.candidates):
            size = max(1, round(wanted * source.share / total))
            gathering.draw(source, labelled, seed * 31 + which, attempt * size, size)
            progress(min(len(gathering), wanted), in_all)
        if len(gathering) >= count:
            break
    if len(gathering) < count:
        raise PoolExhausted(
            f"only {len(gathering)} new designs in {ATTEMPTS} pools of {wanted}, {count} are asked for: the model has "
            "collapsed or the space is used up; ask for fewer, raise the KL coefficients (or lower the KL budget)"
            f"{', or loosen the screens' if recipe.screens else ''}"
        )
    values = None if score is None else gathering.values(score)
    if score is not None and values is not None and climb is not None:
        known_values = torch.zeros(0)
        if len(labelled.x):
            with torch.no_grad():
                known_values = score(decoded(model, labelled.x))
        values = breed(
            climb,
            recipe.candidates,
            gathering,
            Labelled(labelled.x, known_values),
            values,
            score,
            streams=(seed * 31, ATTEMPTS * wanted, wanted),
            progress=lambda born: progress(wanted + born, in_all),
        )
    x = gathering.x
    gains = None
    if isinstance(score, Batchwise) and values is not None and isinstance(recipe.selection, BY_SCORE):
        gains = gathering.values(score.gains)

    def choose(of: list[int], count: int) -> list[int]:
        some = None if values is None else values[of]
        if gains is not None and some is not None and isinstance(score, Batchwise):
            return [of[row] for row in score.choose(gains[of], some, count)]

        @torch.no_grad()
        def foresee() -> Foreseen | None:
            if not isinstance(score, Foreseeing):
                return None
            parts = observed(model, x[of], [gathering.designs[row] for row in of], recipe.view)
            return score.foresee(torch.cat(list(parts)))

        return [of[row] for row in recipe.selection(Pool(x[of], some, model.distance, foresee), count)]

    rows = choose_for_prompts(choose, count, [design.prompt for design in gathering.designs])
    return Proposal(x[rows], [gathering.designs[i] for i in rows], [gathering.sources[i] for i in rows])


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


def predict(
    belief: Belief,
    model: DiffusionModel[Transition],
    batch: Proposal,
    view: Feature | PromptFeature | None = None,
) -> list[tuple[float, float]]:
    """Return mean and standard deviation of the label that is predicted for each design of a batch."""
    parts = observed(model, batch.x, batch.designs, view)
    with torch.no_grad():
        return [pair for x in parts for pair in zip(*map(Tensor.tolist, predictive(belief, x, None)), strict=True)]
