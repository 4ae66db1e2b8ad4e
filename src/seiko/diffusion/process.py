"""From a model's prediction to a transition: the two kinds of reverse process.

Steps are numbered k = K, ..., 1; step k goes from time `times[k]` to `times[k - 1]`. A step may be one number for the
batch or one a sample, so that an update can score many steps of many trajectories in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion.noise import Noise
from seiko.diffusion.schedule import Schedule
from seiko.diffusion.transition import GaussianTransition, MaskedTransition, State, Transition, hard

__all__ = ["DDIM", "DenoisingTransition", "MaskedDiffusion", "Process", "Step"]

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


@dataclass(frozen=True)
class DenoisingTransition(GaussianTransition):
    """A Gaussian step that keeps the prediction it was made from.

    Args:
        x_0: `[b, *event]` x_0_hat, the model's estimate of E[x_0 | x_t].
    """

    x_0: Float[Tensor, "b *event"]


@dataclass(frozen=True, kw_only=True)
class DDIM:
    """Reverse process of a variance-preserving diffusion with tunable stochasticity.

        x_s = alpha_s * x_0_hat + sqrt(sigma_s² - std²) * eps_hat + std * xi,      xi ~ N(0, I)
        std = eta * (sigma_s / sigma_t) * sqrt(1 - alpha_t² / alpha_s²)

    with eps_hat = (x_t - alpha_t * x_0_hat) / sigma_t. At eta = 1 the chain forgets its starting noise
    (`memoryless`), which the KL-regularised updates rely on.

    Args:
        schedule: Signal and noise scales.
        num_steps: Denoising steps K.
        eta: Stochasticity in [0, 1]; 0 is deterministic, 1 is ancestral sampling.
        predicts: What the model predicts: ``"noise"`` (eps), ``"data"`` (x_0) or ``"velocity"``
            (v = alpha_t * eps - sigma_t * x_0).
        clip: If given, x_0_hat is clamped to [-clip, clip] (eps_hat is not recomputed, as in diffusers).

    References:
        Song, Meng, Ermon, "Denoising Diffusion Implicit Models", 2021, https://arxiv.org/abs/2010.02502
        (Eq. 12 for the step, Eq. 16 for std).
    """

    schedule: Schedule
    num_steps: int
    eta: float = 1.0
    predicts: Literal["noise", "data", "velocity"] = "noise"
    clip: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must lie in [0, 1], got {self.eta}")
        start = self.schedule.times(self.num_steps)[-1]  # raises on a number of steps that the schedule does not have
        if self.predicts == "noise" and float(self.schedule.alpha(start)) < 1e-6:
            raise ValueError(
                "a model that predicts noise says nothing of x_0 where alpha_t = 0: predicts must be 'data' or "
                "'velocity' for a schedule that starts from pure noise, got 'noise'"
            )

    @property
    def memoryless(self) -> bool:
        """True at eta = 1."""
        return self.eta == 1.0

    @cached_property
    def times(self) -> Float[Tensor, "k"]:
        """The K + 1 times visited, ascending."""
        return self.schedule.times(self.num_steps)

    def prior(self, event_shape: tuple[int, ...], noise: Noise) -> State:
        """Draw x_K ~ N(0, I)."""
        return noise.normal(event_shape)

    def transition(self, prediction: Tensor, x_t: State, k: Step) -> GaussianTransition:
        """Return N(mean, std²) at step k."""

        def scale(of: Tensor) -> Tensor:
            return of.to(x_t.dtype).reshape(-1, *[1] * (x_t.dim() - 1))

        step = torch.as_tensor(k, device=x_t.device)
        times = self.times.to(x_t.device)
        t, s = times[step], times[step - 1]
        alpha_t, sigma_t = self.schedule.alpha(t), self.schedule.sigma(t)
        alpha_s, sigma_s = self.schedule.alpha(s), self.schedule.sigma(s)
        std = self.eta * (sigma_s / sigma_t) * (1 - (alpha_t / alpha_s) ** 2).clamp(min=0).sqrt()
        direction = (sigma_s**2 - std**2).clamp(min=0).sqrt()
        x_0, eps = self._split(prediction, x_t, scale(alpha_t), scale(sigma_t))
        if self.clip is not None:
            x_0 = x_0.clamp(-self.clip, self.clip)
        return DenoisingTransition(scale(alpha_s) * x_0 + scale(direction) * eps, scale(std), x_0)

    def denoised(self, prediction: Tensor, x_t: State, t: Float[Tensor, ""]) -> State:
        """Return x_0_hat from a prediction at time t, unclamped."""
        alpha_t, sigma_t = (scale.to(x_t.dtype) for scale in (self.schedule.alpha(t), self.schedule.sigma(t)))
        return self._split(prediction, x_t, alpha_t, sigma_t)[0]

    def _split(self, prediction: Tensor, x_t: Tensor, alpha_t: Tensor, sigma_t: Tensor) -> tuple[Tensor, Tensor]:
        """Return (x_0_hat, eps_hat) from whatever the model predicts."""
        match self.predicts:
            case "noise":
                return (x_t - sigma_t * prediction) / alpha_t, prediction
            case "data":
                return prediction, (x_t - alpha_t * prediction) / sigma_t
            case "velocity":
                return alpha_t * x_t - sigma_t * prediction, alpha_t * prediction + sigma_t * x_t


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
