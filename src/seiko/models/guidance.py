"""Classifier-free guidance: a model that wraps a model.

    prediction = null + scale * (given - null),      null = f(x_t, no prompt),  given = f(x_t, prompt)

Both halves go through the network in one batched pass. The wrapped model says what "no prompt" is: an empty text, or
the class that a class-conditional model was trained with for none. Everything else (versions, decoding, designs) is the
wrapped model's own; the guided model has its process too, so that updates, anchors and path KLs mean the guided chain.

References:
    Ho, Salimans, "Classifier-Free Diffusion Guidance", 2022, https://arxiv.org/abs/2207.12598 (Eq. 6, w = scale - 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import Design
from seiko.diffusion import Conditioning, Process, State, Step, Transition
from seiko.models.base import DiffusionModel, ModelSource, Observing
from seiko.models.versions import Versions

__all__ = ["ClassifierFree", "ClassifierFreeSource", "Conditional"]

T = TypeVar("T", bound=Transition)
T_co = TypeVar("T_co", bound=Transition, covariant=True)


@runtime_checkable
class Conditional(DiffusionModel[T_co], Protocol[T_co]):
    """A diffusion model that takes prompts, and that knows none."""

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Return one row of conditioning for each prompt; a class label is a prompt such as ``"3"``."""
        ...

    def unconditional(self, n: int) -> Tensor:
        """Return n rows of conditioning that say nothing."""
        ...


@dataclass(frozen=True)
class ClassifierFree(Generic[T]):
    """A conditional model under classifier-free guidance.

    Args:
        model: The model; it must have been trained with its conditioning dropped now and then.
        scale: 1 is the conditional model as it is, 0 the unconditional one; both take one half alone.
    """

    model: Conditional[T]
    scale: float

    def __post_init__(self) -> None:
        if not self.scale >= 0:
            raise ValueError(f"the guidance scale must be at least 0 (1 is no guidance), got {self.scale}")

    def __getattr__(self, name: str) -> Any:
        """Return what only the wrapped model knows (its folder, its autoencoder)."""
        if name == "model" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one state."""
        return self.model.event_shape

    @property
    def process(self) -> Process[T]:
        """The wrapped model's."""
        return self.model.process

    @property
    def versions(self) -> Versions | None:
        """The wrapped model's."""
        return self.model.versions

    @property
    def batch(self) -> int:
        """States at a time, the wrapped model's; half as many where both halves go in one pass."""
        whole = int(getattr(self.model, "batch", 1000))
        return whole if self.scale in (0, 1) else max(1, whole // 2)

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Return one row of conditioning for each prompt."""
        return self.model.encode(prompts)

    def unconditional(self, n: int) -> Tensor:
        """Return n rows of conditioning that say nothing."""
        return self.model.unconditional(n)

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Tensor:
        """Return the guided prediction; without conditioning there is nothing to guide by."""
        if conditioning is None or self.scale == 1:
            return self.model.predict(x_t, k, conditioning)
        null = self.model.unconditional(len(x_t)).to(conditioning.device)
        if self.scale == 0:
            return self.model.predict(x_t, k, null)
        twice = k if isinstance(k, int) else torch.cat([k, k])
        both = self.model.predict(torch.cat([x_t, x_t]), twice, torch.cat([null, conditioning]))
        without, given = both.chunk(2)
        return without + self.scale * (given - without)

    def decode(self, x_0: State) -> Tensor:
        """Return the final state as the reward model sees it."""
        return self.model.decode(x_0)

    def distance(self, x: State, z: State) -> Float[Tensor, "n m"]:
        """Return the wrapped model's distance."""
        return self.model.distance(x, z)

    def export(self, x_0: State) -> list[Design]:
        """Return final states as designs."""
        return self.model.export(x_0)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the wrapped model's current version, in its own format; a scale is no part of it.

        Raises:
            TypeError: If the wrapped model cannot be written.
        """
        save = getattr(self.model, "save_pretrained", None)
        if save is None:
            raise TypeError(f"a {type(self.model).__name__} cannot be saved")
        return Path(save(folder))

    def observe(self, designs: Sequence[Design]) -> Tensor:
        """Return what the reward model sees of designs."""
        if isinstance(self.model, Observing):
            return self.model.observe(designs)
        return self.model.decode(self.model.ingest(designs))

    def ingest(self, designs: Sequence[Design]) -> State:
        """Return designs as final states."""
        return self.model.ingest(designs)


@dataclass(frozen=True, kw_only=True)
class ClassifierFreeSource:
    """Load a model and put it under guidance; a recipe holds this in place of the model's own source.

    `LatentImageSource` has a guidance scale of its own.

    Args:
        source: Which model.
        scale: Of the guidance; 1 is none.
    """

    source: ModelSource
    scale: float

    def __post_init__(self) -> None:
        if not self.scale >= 0:
            raise ValueError(f"the guidance scale must be at least 0 (1 is no guidance), got {self.scale}")

    def load(self) -> ClassifierFree[Transition]:
        """Return the model under guidance.

        Raises:
            TypeError: If the model takes no conditioning.
            ValueError: If it was not trained without conditioning now and then.
        """
        model = self.source.load()
        if not isinstance(model, Conditional):
            raise TypeError(f"a {type(model).__name__} takes no prompts or classes, and cannot be guided by them")
        model.unconditional(1)  # found now, before anything is drawn
        return ClassifierFree(model, self.scale)
