"""Flow-matching models as a reverse process of Gaussian steps, with the marginals of their flow.

    x_t = (1 - t) x_0 + t eps,          the model predicts the velocity v = eps - x_0
    x_0_hat = x_t - t v,                eps_hat = x_t + (1 - t) v
    std = eta * s * sqrt(1 - ((1 - t) s / ((1 - s) t))²)

The step is that of every `DenoisingChain`, with alpha_t = 1 - t and sigma_t = t. t = 1 is noise and t = 0 data, as
everywhere here; many papers on flows run the other way. At eta = 0 the step is Euler's for dx/dt = v, the sampler that
these models come with. At eta = 1 the marginals are the flow's own up to the size of the steps; for small ones
std² -> 2 t / (1 - t) dt, the memoryless noise.

References:
    Lipman et al., "Flow Matching for Generative Modeling", 2022, https://arxiv.org/abs/2210.02747;
    Domingo-Enrich, Drozdzal, Karrer, Chen, "Adjoint Matching", 2024, https://arxiv.org/abs/2409.08861 (the memoryless
    noise schedule sqrt(2 eta_t));
    Liu et al., "Flow-GRPO: Training Flow Matching Models via Online RL", 2025, https://arxiv.org/abs/2505.05470 (noise
    a sqrt(t / (1 - t)); a = sqrt(2) is the memoryless one).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.diffusion.denoising import DenoisingChain
from seiko.diffusion.schedule import _check_steps

__all__ = ["Flow", "FlowSchedule"]


@dataclass(frozen=True, kw_only=True)
class FlowSchedule:
    """alpha_t = 1 - t, sigma_t = t, on a grid that is shifted towards the noise.

        t(u) = shift * u / (1 + (shift - 1) u),      u equally spaced

    Args:
        shift: 1 for equal steps; models of large images use more (Stable Diffusion 3 has 3).
        end: The time at which sampling stops. Above 0, every step keeps noise, so that each has a density.

    References:
        Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis", 2024,
        https://arxiv.org/abs/2403.03206 (the shift of the times).
    """

    shift: float = 1.0
    end: float = 0.02

    def __post_init__(self) -> None:
        if not self.shift > 0:
            raise ValueError(f"shift must be positive, got {self.shift}")
        if not 0 <= self.end < 1:
            raise ValueError(f"end must be a time in [0, 1), got {self.end}")

    def times(self, num_steps: int) -> Float[Tensor, "k"]:
        """Return the num_steps + 1 times from `end` to 1."""
        _check_steps(num_steps)
        first = self.end / (self.shift - (self.shift - 1) * self.end)
        u = torch.linspace(first, 1, num_steps + 1, dtype=torch.float64)
        return self.shift * u / (1 + (self.shift - 1) * u)

    def alpha(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return 1 - t."""
        return 1 - t

    def sigma(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return t."""
        return t


@dataclass(frozen=True, kw_only=True)
class Flow(DenoisingChain):
    """Reverse process of a flow-matching model with tunable stochasticity; see the head of this file.

    Args:
        schedule: Grid of times.
        num_steps: Denoising steps K.
        eta: Stochasticity in [0, 1]; 0 is Euler's step, 1 is memoryless.
        clip: If given, x_0_hat is clamped to [-clip, clip].
    """

    schedule: FlowSchedule = FlowSchedule()

    def _split(self, prediction: Tensor, x_t: Tensor, alpha_t: Tensor, sigma_t: Tensor) -> tuple[Tensor, Tensor]:
        return x_t - sigma_t * prediction, x_t + alpha_t * prediction
