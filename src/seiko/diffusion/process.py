"""From a model's prediction to a transition: what a reverse process is, and the one of letters.

Steps are numbered k = K, ..., 1; step k goes from time `times[k]` to `times[k - 1]`. A step may be one number for the
batch or one a sample, so that an update can score many steps of many trajectories in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion.noise import Noise
from seiko.diffusion.transition import MaskedTransition, State, Transition, hard

__all__ = ["MaskedDiffusion", "Process", "Step"]

Step: TypeAlias = int | Int64[Tensor, "b"]
T_co = TypeVar("T_co", bound=Transition, covariant=True)


@runtime_checkable
class Process(Protocol[T_co]):
    """A reverse process: turns predictions into transitions."""

    @property
    def num_steps(self) -> int:
        """Denoising steps K."""
        ...

    @property
    def memoryless(self) -> bool:
        """Whether the start of the chain carries no information about its end; the closed forms rely on it."""
        ...

    @property
    def times(self) -> Float[Tensor, "k"]:
        """The K + 1 times visited, ascending."""
        ...

    def prior(self, event_shape: tuple[int, ...], noise: Noise) -> State:
        """Draw the start x_K of the chain, one for each stream of noise."""
        ...

    def transition(self, prediction: Tensor, x_t: State, k: Step) -> T_co:
        """Return p(x_s | x_t) at step k."""
        ...


@dataclass(frozen=True, kw_only=True)
class MaskedDiffusion:
    """Absorbing-state diffusion over letters: all positions start masked and are revealed in a random order.

    At step k, with n positions still masked, ceil(n / k) of them are revealed, every set being equally likely; each
    takes a letter from the model's own categorical law. With K = L that is one position a step. It starts from a single
    state, hence it is always memoryless. A partly masked start (remasking, kept fragments) needs no other rule.

    Args:
        vocabulary: Number of letters V; the mask is letter V.
        num_steps: Denoising steps K.

    References:
        Austin et al., "Structured Denoising Diffusion Models in Discrete State-Spaces", 2021,
        https://arxiv.org/abs/2107.03006 (absorbing state, section 3.1);
        Sahoo et al., "Simple and Effective Masked Diffusion Language Models", 2024, https://arxiv.org/abs/2406.07524
        (section 3: the letters' law needs no time, revealed positions are carried over).
    """

    vocabulary: int
    num_steps: int

    def __post_init__(self) -> None:
        if self.vocabulary < 2:
            raise ValueError(f"vocabulary must have at least 2 letters, got {self.vocabulary}")
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}")

    @property
    def mask_token(self) -> int:
        """V: one past the last letter."""
        return self.vocabulary

    @property
    def memoryless(self) -> bool:
        """Always true: the chain starts from one state."""
        return True

    @cached_property
    def times(self) -> Float[Tensor, "k"]:
        """Equally spaced times: the share of positions that is masked."""
        return torch.linspace(0, 1, self.num_steps + 1, dtype=torch.float64)

    def prior(self, event_shape: tuple[int, ...], noise: Noise) -> State:
        """Return the fully masked state, one for each stream of noise."""
        return torch.full((len(noise), *event_shape), self.mask_token, dtype=torch.int64, device=noise.keys.device)

    def transition(self, prediction: Tensor, x_t: State, k: Step) -> MaskedTransition:
        """Return the law of revealing ceil(n / k) positions."""
        masked = (hard(x_t) == self.mask_token).sum(-1)
        return MaskedTransition(prediction, x_t, (masked + k - 1) // k)
