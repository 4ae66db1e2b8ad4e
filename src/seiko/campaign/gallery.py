"""Look at fresh samples: what they are, what is believed of them, and for images what they were before tuning.

The pretrained model draws from the same noise for the same prompts, so that images come in pairs and the distance of
their features is 0 for a model that has not moved, whatever the number of samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seiko.campaign.observing import are_images, observe_states, shown
from seiko.campaign.prompts import prompted
from seiko.campaign.sampler import Look, ModelSampler, Sampler, at_a_time, chunk
from seiko.campaign.seen import ImagePair, NaturalnessReport, PromptReport
from seiko.designs import Design
from seiko.diffusion import Noise, State, Transition
from seiko.metrics.images import PixelStatistics, PromptFit, feature_shift, prompt_fit
from seiko.models import DiffusionModel
from seiko.rewards import Belief, Feature, PromptFeature
from seiko.rewards.features import Aligned

__all__ = ["SHOWN", "Seen", "compare_images", "see", "spread", "tell_prompts"]

SHOWN = 24  # pairs of images kept with a round's report


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Fresh samples.

    Args:
        designs: All of them; the first `SHOWN` images have their files.
        prompts: What they were drawn for; None if the model takes no prompts.
        believed: `[n]` reward model's mean, oracle's units; None without a fit.
        features: `[n, d]`; None for what is no image.
    """

    designs: list[Design]
    prompts: list[str] | None
    believed: Tensor | None
    features: Tensor | None


@torch.no_grad()
def see(
    model: DiffusionModel[Transition],
    x_0: State,
    prompts: list[str] | None,
    belief: Belief | None,
    feature: Feature | None = None,
    view: Feature | PromptFeature | None = None,
) -> Seen:
    """Look at final states part by part, keeping of each what the report needs.

    Args:
        model: What drew them.
        x_0: `[n, *event]`.
        prompts: What they were drawn for.
        belief: The fit.
        feature: Of images; None for `PixelStatistics`.
        view: What the belief sees of an image; None for its pixels.
    """
    designs: list[Design] = []
    believed, features = [], []
    for part in torch.split(x_0, at_a_time(model)):
        first = len(designs)
        found = prompted(model.export(part), None if prompts is None else prompts[first : first + len(part)])
        if belief is not None or are_images(found):
            observed = observe_states(model, part, found)
            if belief is not None:
                believed.append(belief.posterior(shown(view, observed, found)).mean)
            if are_images(found):
                features.append((feature or PixelStatistics())(observed).cpu())
        with_file = max(0, SHOWN - len(designs))
        designs += [*found[:with_file], *(replace(design, data=None) for design in found[with_file:])]
    return Seen(
        designs=designs,
        prompts=prompts,
        believed=torch.cat(believed) if believed else None,
        features=torch.cat(features) if features else None,
    )


def tell_prompts(seen: Seen, look: Look) -> tuple[PromptReport, ...]:
    """Return what was found for each prompt, in the order in which the prompts first came."""
    rows: dict[str, list[int]] = {}
    for row, prompt in enumerate(seen.prompts or ()):
        rows.setdefault(prompt, []).append(row)
    return tuple(
        PromptReport(
            prompt=prompt,
            samples=len(of),
            believed_mean=None if seen.believed is None else float(seen.believed[of].mean()),
            kl=None if look.kls is None else float(look.kls[of].mean()),
        )
        for prompt, of in sorted(rows.items())
    )


def compare_images(
    sampler: Sampler,
    noise: Noise,
    seen: Seen,
    belief: Belief | None,
    feature: Feature | None,
    keep: Callable[[bytes], object],
    view: Feature | PromptFeature | None = None,
) -> dict[str, Any]:
    """Draw the same for the pretrained model, and return the fields of `RoundReport` that are about images.

    Args:
        sampler: What drew the samples.
        noise: From which streams.
        seen: The samples.
        belief: The fit.
        feature: As for `see`.
        keep: Keeps the file of an image under its SHA-256.
        view: As for `see`.
    """
    model, given = sampler.model, sampler.conditioner
    pretrained = ModelSampler(model, given and given.together(sampler.population), "pretrained")
    size = chunk(sampler)
    x_0 = torch.cat([pretrained.draw(noise[i : i + size]) for i in range(0, len(noise), size)])
    before = see(model, x_0, seen.prompts, belief, feature, view)
    assert seen.features is not None  # they are images
    assert before.features is not None
    for design in (*before.designs, *seen.designs):
        if design.data is not None:
            keep(design.data)
    shift = feature_shift(seen.features, before.features)
    pairs = (
        ImagePair(
            before=a.content,
            after=b.content,
            prompt=b.prompt,
            believed_before=None if before.believed is None else float(before.believed[row]),
            believed_after=None if seen.believed is None else float(seen.believed[row]),
        )
        for row, (a, b) in enumerate(zip(before.designs, seen.designs, strict=True))
        if a.data is not None and b.data is not None
    )
    fit = _fit(feature, seen)
    fit_before = _fit(feature, before)
    return {
        "images": tuple(pairs),
        "naturalness": NaturalnessReport(
            features=type(feature or PixelStatistics()).__name__,
            dimensions=seen.features.shape[1],
            samples=len(seen.designs),
            frechet=shift.frechet,
            shift=shift.shift,
            diversity_before=spread(model, x_0),
            alignment=None if fit is None else fit.own,
            alignment_before=None if fit_before is None else fit_before.own,
            alignment_chance=None if fit_before is None else fit_before.others,
        ),
    }


def _fit(feature: Feature | None, seen: Seen) -> PromptFit | None:
    """Return how well images fit their prompts; None without prompts, or where the features read no text."""
    if not isinstance(feature, Aligned) or seen.prompts is None or seen.features is None:
        return None
    distinct = sorted(set(seen.prompts))
    cosines = feature.cosines(seen.features, distinct)
    return None if cosines is None else prompt_fit(cosines, torch.tensor([distinct.index(p) for p in seen.prompts]))


def spread(model: DiffusionModel[Transition], x: State) -> float:
    """Return the mean pairwise distance of states, in the domain's unit."""
    return float(model.distance(x, x).sum() / (len(x) * (len(x) - 1)))
