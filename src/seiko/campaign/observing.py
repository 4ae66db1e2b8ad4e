"""What the reward model sees of a design: the model's decoded state, or the design's own file.

    text     decode(ingest(design))
    image    observe(design), where the model offers it: the pixels of the PNG that was labelled, rounding and all

Pool, fit and look see an image in the same way, so that a belief is never asked about pixels that differ from those it
was fitted to by a rounding or by a way through an encoder. Where the recipe has a view, what is seen of an image is the
view's vector of these pixels and of the prompt (`shown`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seiko.campaign.sampler import at_a_time
from seiko.designs import IMAGE, Design
from seiko.diffusion import State, Transition
from seiko.models import DiffusionModel, Observing
from seiko.rewards import Feature, PromptFeature
from seiko.rewards.prompted import through

__all__ = ["are_images", "decoded", "observe_designs", "observe_states", "shown", "with_file"]


def are_images(designs: Sequence[Design]) -> bool:
    """Whether designs are image files; a model of images draws only those, and what is invalid."""
    return any(design.kind == IMAGE for design in designs)


def observe_states(model: DiffusionModel[Transition], x: State, designs: Sequence[Design]) -> Tensor:
    """Return what the reward model sees of states that were exported as these designs."""
    if isinstance(model, Observing) and are_images(designs) and all(design.valid for design in designs):
        return model.observe(designs).cpu()
    return decoded(model, x)


def decoded(model: DiffusionModel[Transition], x: State) -> Tensor:
    """Return what the reward model sees of states; differentiable.

    Reward models are small, and compute on the CPU wherever the diffusion model is; what is dear in them, the embedding
    of images, has a device of its own.
    """
    return model.decode(x).cpu()


def shown(view: Feature | PromptFeature | None, seen: Tensor, designs: Sequence[Design]) -> Tensor:
    """Return what is seen of designs through a view; as it is without one.

    An image that nobody said a prompt of (one that was attached) counts as drawn for the empty text, unless none of
    them has a prompt.
    """
    if view is None:
        return seen
    prompts = [design.prompt for design in designs]
    return through(view, seen, None if not any(prompts) else [prompt or "" for prompt in prompts])


@torch.no_grad()
def observe_designs(
    model: DiffusionModel[Transition], designs: Sequence[Design], read: Callable[[str], bytes]
) -> Tensor:
    """Return what the reward model sees of designs that are known by name.

    Args:
        model: The model that drew them.
        designs: At least one; images may come without their files.
        read: Returns an image's file by its SHA-256.
    """
    if not are_images(designs):
        return decoded(model, model.ingest(designs))
    size, parts = at_a_time(model), []
    for start in range(0, len(designs), size):
        part = [with_file(design, read) for design in designs[start : start + size]]
        parts.append(model.observe(part).cpu() if isinstance(model, Observing) else decoded(model, model.ingest(part)))
    return torch.cat(parts)


def with_file(design: Design, read: Callable[[str], bytes]) -> Design:
    """Return an image with its file; other designs as they are."""
    if design.kind != IMAGE or design.data is not None:
        return design
    return replace(design, data=read(design.content))
