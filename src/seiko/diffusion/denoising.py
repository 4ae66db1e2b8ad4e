"""Chains of Gaussian steps that go by way of a predicted x_0: DDIM's, and on another schedule a flow's.

    x_s = alpha_s x_0_hat + sqrt(sigma_s² - std²) eps_hat + std xi,      xi ~ N(0, I)
    std = eta sigma_s sqrt(1 - (alpha_t sigma_s / (alpha_s sigma_t))²)

At eta = 1 std² is the variance of q(x_s | x_t, x_0), whatever the schedule, so that the marginals are the model's own
and the chain forgets its starting noise (`memoryless`), which the KL-regularised updates rely on; at eta = 0 the step
is deterministic. What differs between models is the schedule and what the network predicts of (x_0, eps).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.diffusion.noise import Noise
from seiko.diffusion.process import Step
from seiko.diffusion.schedule import Schedule
from seiko.diffusion.transition import GaussianTransition, State

__all__ = ["DDIM", "DenoisingChain", "DenoisingTransition"]


@dataclass(frozen=True)
class DenoisingTransition(GaussianTransition):
    """A Gaussian step that keeps the prediction it was made from.

    Args:
        x_0: `[b, *event]` x_0_hat, the model's estimate of E[x_0 | x_t].
    """

    x_0: Float[Tensor, "b *event"]


@dataclass(frozen=True, kw_only=True)
class DenoisingChain:
    """Reverse process of Gaussian steps with tunable stochasticity; a kind of model says what it predicts.

    Args:
        schedule: Signal and noise scales.
        num_steps: Denoising steps K.
        eta: Stochasticity in [0, 1]; 0 is deterministic, 1 is memoryless.
        clip: If given, x_0_hat is clamped to [-clip, clip] in a step (eps_hat is not recomputed, as in diffusers).
    """

    schedule: Schedule
    num_steps: int
    eta: float = 1.0
    clip: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must lie in [0, 1], got {self.eta}")
        self.schedule.times(self.num_steps)  # raises on a number of steps that the schedule does not have

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

    def transition(self, prediction: Tensor, x_t: State, k: Step) -> DenoisingTransition:
        """Return N(mean, std²) at step k."""

        def scale(of: Tensor) -> Tensor:
            return of.to(x_t.dtype).reshape(-1, *[1] * (x_t.dim() - 1))

        step = torch.as_tensor(k, device=x_t.device)
        times = self.times.to(x_t.device)
        t, s = times[step], times[step - 1]
        alpha_t, sigma_t = self.schedule.alpha(t), self.schedule.sigma(t)
        alpha_s, sigma_s = self.schedule.alpha(s), self.schedule.sigma(s)
        std = self.eta * sigma_s * (1 - (alpha_t * sigma_s / (alpha_s * sigma_t)) ** 2).clamp(min=0).sqrt()
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
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class DDIM(DenoisingChain):
    """Reverse process of a variance-preserving diffusion.

        std = eta (sigma_s / sigma_t) sqrt(1 - alpha_t² / alpha_s²),

    which is that of every `DenoisingChain` where alpha² + sigma² = 1.

    Args:
        schedule: Signal and noise scales.
        num_steps: Denoising steps K.
        eta: Stochasticity in [0, 1]; 0 is deterministic, 1 is ancestral sampling.
        predicts: What the model predicts: ``"noise"`` (eps), ``"data"`` (x_0) or ``"velocity"``
            (v = alpha_t * eps - sigma_t * x_0).
        clip: If given, x_0_hat is clamped to [-clip, clip].

    References:
        Song, Meng, Ermon, "Denoising Diffusion Implicit Models", 2021, https://arxiv.org/abs/2010.02502
        (Eq. 12 for the step, Eq. 16 for std).
    """

    predicts: Literal["noise", "data", "velocity"] = "noise"

    def __post_init__(self) -> None:
        super().__post_init__()
        start = self.times[-1]
        if self.predicts == "noise" and float(self.schedule.alpha(start)) < 1e-6:
            raise ValueError(
                "a model that predicts noise says nothing of x_0 where alpha_t = 0: predicts must be 'data' or "
                "'velocity' for a schedule that starts from pure noise, got 'noise'"
            )

    def _split(self, prediction: Tensor, x_t: Tensor, alpha_t: Tensor, sigma_t: Tensor) -> tuple[Tensor, Tensor]:
        match self.predicts:
            case "noise":
                return (x_t - sigma_t * prediction) / alpha_t, prediction
            case "data":
                return prediction, (x_t - alpha_t * prediction) / sigma_t
            case "velocity":
                return alpha_t * x_t - sigma_t * prediction, alpha_t * prediction + sigma_t * x_t
