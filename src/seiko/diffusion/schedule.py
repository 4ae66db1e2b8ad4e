"""How much signal and how much noise there is at a time.

    x_t = alpha_t * x_0 + sigma_t * eps,      eps ~ N(0, I),      t = 1 noise, t = 0 data

A schedule gives the two scales and the grid of times that a sampler visits. It knows no model and no sampler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["BetaSchedule", "CosineSchedule", "Schedule"]


@runtime_checkable
class Schedule(Protocol):
    """Signal and noise scales of a Gaussian diffusion."""

    def times(self, num_steps: int) -> Float[Tensor, "k"]:
        """Return the num_steps + 1 times that a sampler visits, ascending; the first is where it ends."""
        ...

    def alpha(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the signal scale at times t."""
        ...

    def sigma(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the noise scale at times t."""
        ...


def _check_steps(num_steps: int, most: int | None = None) -> None:
    if num_steps < 1 or (most is not None and num_steps > most):
        bound = "" if most is None else f" and at most {most}, the steps the model was trained with"
        raise ValueError(f"num_steps must be at least 1{bound}, got {num_steps}")


@dataclass(frozen=True, kw_only=True)
class CosineSchedule:
    """Variance-preserving schedule alpha_t = cos(pi t / 2), sigma_t = sin(pi t / 2).

    Args:
        end: The time at which sampling stops. Above 0, every step keeps noise, so that each has a density.

    References:
        Nichol, Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, https://arxiv.org/abs/2102.09672
        (Eq. 17, without the offset).
    """

    end: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.end < 1:
            raise ValueError(f"end must be a time in [0, 1), got {self.end}")

    def times(self, num_steps: int) -> Float[Tensor, "k"]:
        """Return equally spaced times from `end` to 1."""
        _check_steps(num_steps)
        return torch.linspace(self.end, 1, num_steps + 1, dtype=torch.float64)

    def alpha(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return cos(pi t / 2)."""
        return torch.cos(math.pi / 2 * t)

    def sigma(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return sin(pi t / 2)."""
        return torch.sin(math.pi / 2 * t)


@dataclass(frozen=True, kw_only=True)
class BetaSchedule:
    """The discrete schedule that DDPM, Stable Diffusion and diffusers use.

    alpha_t² = prod_{i <= t} (1 - beta_i). Time t = (i + 1) / num_train_steps stands for training step i; t = 0 for what
    lies before the first one: scale 1 if `end_at_data`, else the scale of the first step, as Stable Diffusion has it.

    Args:
        kind: ``"linear"`` in beta, ``"scaled_linear"`` in sqrt(beta), ``"squared_cosine"`` (diffusers'
            `squaredcos_cap_v2`): alpha_t² = cos²(pi/2 (t + .008) / 1.008) with betas of at most .999.
        num_train_steps: Steps that the model was trained with.
        beta_start: First beta; not used by ``"squared_cosine"``.
        beta_end: Last beta; likewise.
        offset: Added to every visited training step (diffusers' `steps_offset`; 1 for Stable Diffusion).
        end_at_data: diffusers' `set_alpha_to_one`. If true the last step has no noise, hence no density and no KL.
        spacing: diffusers' `timestep_spacing`: ``"leading"`` counts up from the least noisy training step,
            ``"trailing"`` down from the noisiest, which a model of few steps should start from.
        stop: Training step at which sampling stops, in place of the data; the steps are then spread evenly from the
            noisiest down to it, whatever `spacing`. Its noise keeps the last steps' densities wide; a model that stops
            so removes the rest itself.

    References:
        Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic Models", 2020, https://arxiv.org/abs/2006.11239;
        Nichol, Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, https://arxiv.org/abs/2102.09672
        (Eq. 17: the squared cosine);
        Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2024,
        https://arxiv.org/abs/2305.08891 (table 2: the spacings).
    """

    kind: Literal["linear", "scaled_linear", "squared_cosine"] = "linear"
    num_train_steps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    offset: int = 0
    end_at_data: bool = True
    spacing: Literal["leading", "trailing"] = "leading"
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.stop is not None and not 0 <= self.stop < self.num_train_steps - 1:
            raise ValueError(f"stop must be a training step from 0 to {self.num_train_steps - 2}, got {self.stop}")

    @classmethod
    def stable_diffusion(cls) -> BetaSchedule:
        """Return the schedule of Stable Diffusion 1.x."""
        return cls(kind="scaled_linear", beta_start=0.00085, beta_end=0.012, offset=1, end_at_data=False)

    @cached_property
    def alpha_squared(self) -> Float[Tensor, "n"]:
        """Cumulative products by training step, with the scale of t = 0 put in front."""
        # in single precision, as diffusers and the models' training had it
        product = torch.cumprod(1 - self._beta(), dim=0)
        first = torch.ones(1) if self.end_at_data else product[:1]
        return torch.cat([first, product]).double()

    def _beta(self) -> Float[Tensor, "n"]:
        if self.kind == "squared_cosine":
            t = torch.arange(self.num_train_steps + 1, dtype=torch.float64) / self.num_train_steps
            signal = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
            return (1 - signal[1:] / signal[:-1]).clamp(max=0.999).float()
        power = 0.5 if self.kind == "scaled_linear" else 1.0
        ends = (self.beta_start**power, self.beta_end**power)
        return torch.linspace(*ends, self.num_train_steps, dtype=torch.float32) ** (1 / power)

    def times(self, num_steps: int) -> Float[Tensor, "k"]:
        """Return diffusers' spacing as times with 0 in front, or the even spacing down to `stop`."""
        if self.stop is not None:
            _check_steps(num_steps, self.num_train_steps - 1 - self.stop)
            grid = torch.linspace(self.stop, self.num_train_steps - 1, num_steps + 1, dtype=torch.float64)
            return (grid.round() + 1) / self.num_train_steps
        _check_steps(num_steps, self.num_train_steps)
        if self.spacing == "trailing":
            down = torch.arange(num_steps, dtype=torch.float64) * (self.num_train_steps / num_steps)
            down = (self.num_train_steps - down).round().flip(0)
            return torch.cat([torch.zeros(1, dtype=torch.float64), down]) / self.num_train_steps
        stride = self.num_train_steps // num_steps
        if (num_steps - 1) * stride + self.offset + 1 > self.num_train_steps:
            raise ValueError(
                f"num_steps {num_steps} with offset {self.offset} starts beyond the last of {self.num_train_steps} "
                "training steps: take fewer steps or a smaller offset"
            )
        visited = torch.arange(num_steps, dtype=torch.float64) * stride + self.offset + 1
        return torch.cat([torch.zeros(1, dtype=torch.float64), visited]) / self.num_train_steps

    def training_step(self, t: Float[Tensor, "*b"]) -> Tensor:
        """Return the training step (int64, 0 the least noisy) that a time t > 0 stands for."""
        return (t * self.num_train_steps).round().long() - 1

    def alpha(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return sqrt of the cumulative product at times t."""
        return self._at(t).sqrt()

    def sigma(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return sqrt(1 - cumulative product) at times t."""
        return (1 - self._at(t)).sqrt()

    def _at(self, t: Tensor) -> Tensor:
        return self.alpha_squared.to(t.device)[self.training_step(t) + 1]
