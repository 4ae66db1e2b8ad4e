"""Which designs are one and the same to the oracle, by key.

text     its key, the least of those of its mirror images where the recipe names a symmetry
image    its own key: the SHA-256 of its file, which need not be read
prompt   the same content for two prompts is two designs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seiko.campaign.observing import are_images
from seiko.designs import Design
from seiko.diffusion import State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Symmetry, orbit

__all__ = ["identities", "identity", "keys_of"]


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


def keys_of(model: DiffusionModel[Transition], x: State, designs: Sequence[Design], same: Symmetry | None) -> list[str]:
    """Return what `identities` gives designs whose states are at hand."""
    if same is None:
        return _for_prompts(_own_keys(designs), designs)
    return _for_prompts(identity(model, x, same) if designs else [], designs)
