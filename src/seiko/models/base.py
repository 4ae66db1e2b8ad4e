"""A pretrained diffusion model behind one face, and the policy that an update sees of it.

What only some models have is a protocol of its own, looked for where it is used:

    Prompted     encode: prompts as conditioning
    Observing    observe: what the reward model sees, straight from designs and not by way of a state
    Bounded      batch: how many states fit into memory at a time
    Savable      save_pretrained: the current version as a folder
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.designs import Design
from seiko.diffusion import Conditioning, Noise, Process, State, Step, Transition
from seiko.models.versions import Version, Versions

__all__ = ["Bounded", "DiffusionModel", "ModelPolicy", "ModelSource", "Observing", "Prompted", "Savable"]

T = TypeVar("T", bound=Transition)
T_co = TypeVar("T_co", bound=Transition, covariant=True)


@runtime_checkable
class DiffusionModel(Protocol[T_co]):
    """A diffusion model with its reverse process and three versions of its weights."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one state."""
        ...

    @property
    def process(self) -> Process[T_co]:
        """The reverse process that its predictions drive."""
        ...

    @property
    def versions(self) -> Versions | None:
        """The weights; None for a model that cannot move."""
        ...

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Tensor:
        """Return what `process.transition` needs, under the version in use."""
        ...

    def decode(self, x_0: State) -> Tensor:
        """Return the final state as the reward model sees it; differentiable."""
        ...

    def distance(self, x: State, z: State) -> Float[Tensor, "n m"]:
        """Return the domain's distance between every x and every z."""
        ...

    def export(self, x_0: State) -> list[Design]:
        """Return final states as designs."""
        ...

    def ingest(self, designs: Sequence[Design]) -> State:
        """Return designs as final states; the inverse of `export`.

        Raises:
            ValueError: If a design is not one of this model's, naming it.
        """
        ...


@runtime_checkable
class Prompted(Protocol):
    """A model that is told what to draw."""

    def encode(self, prompts: Sequence[str]) -> Conditioning:
        """Return a tensor with one row for each prompt; `predict` takes one row for each sample.

        A row is whatever the model needs: an embedding, a class, or the prompt's place in a table of its own.

        Raises:
            ValueError: If a prompt is none that the model knows (a class that it never learnt), naming it.
        """
        ...


@runtime_checkable
class Observing(Protocol):
    """A model that shows the reward model a design without making a state of it.

    A latent model's `ingest` and `decode` are a lossy and costly way through its encoder and back; its reward model
    sees pixels, and those are in the design's file already.
    """

    def observe(self, designs: Sequence[Design]) -> Tensor:
        """Return what `decode` returns for the states that the designs were exported from, but for their rounding.

        Raises:
            ValueError: If a design is not one of this model's, or comes without its file.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """A model whose states are so large that they must not be drawn by the thousand."""

    @property
    def batch(self) -> int:
        """States drawn, decoded or observed at a time; it bounds memory and decides nothing else."""
        ...


@runtime_checkable
class Savable(Protocol):
    """A model that can be taken out of a run."""

    def save_pretrained(self, folder: Path) -> object:
        """Write the current version into a folder, in the format that its kind of model is kept in."""
        ...


@runtime_checkable
class ModelSource(Protocol):
    """Frozen configuration that says which pretrained model to load; a recipe holds one."""

    def load(self) -> DiffusionModel[Transition]:
        """Return the model, ready to be drawn from."""
        ...


@dataclass(frozen=True)
class ModelPolicy(Generic[T]):
    """One version of a diffusion model as a policy.

    Args:
        model: The model.
        version: Which of its weights; only ``"current"`` has parameters to optimise.
        checkpoint: Recompute activations in the backward pass instead of keeping them; None for what the model asks
            for (its attribute `checkpoint`), which is not to where it says nothing.
    """

    model: DiffusionModel[T]
    version: Version = "current"
    checkpoint: bool | None = None

    @property
    def num_steps(self) -> int:
        """Denoising steps K."""
        return self.model.process.num_steps

    @property
    def memoryless(self) -> bool:
        """Whether the start carries no information about the end."""
        return self.model.process.memoryless

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU for a model without any."""
        versions = self.model.versions
        return torch.device("cpu") if versions is None else versions.device

    def prior(self, noise: Noise) -> State:
        """Draw the start x_K, on the model's device."""
        return self.model.process.prior(self.model.event_shape, noise.to(self.device))

    def transition(self, x_t: State, k: Step, conditioning: Conditioning = None) -> T:
        """Return p(x_s | x_t) at step k."""
        checkpoint = getattr(self.model, "checkpoint", False) if self.checkpoint is None else self.checkpoint
        if checkpoint and torch.is_grad_enabled():
            prediction = torch.utils.checkpoint.checkpoint(self._predict, x_t, k, conditioning, use_reentrant=False)
        else:
            prediction = self._predict(x_t, k, conditioning)
        return self.model.process.transition(prediction, x_t, k)

    def _predict(self, x_t: State, k: Step, conditioning: Conditioning) -> Tensor:
        # the version is chosen here, inside of what is checkpointed: the recomputation happens during backward
        with self._version():
            return self.model.predict(x_t, k, conditioning)

    def _version(self) -> AbstractContextManager[None]:
        if self.model.versions is None:
            return nullcontext()
        return self.model.versions.use(self.version)  # type: ignore[no-any-return]

    def parameters(self) -> list[nn.Parameter]:
        """Return the weights of `current`; no other version moves."""
        if self.version != "current" or self.model.versions is None:
            return []
        return self.model.versions.parameters()
