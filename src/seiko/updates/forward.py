"""The forward process: states on the way from designs to noise, from which a denoiser learns to come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion import DDIM, DenoisingTransition, GaussianTransition, MaskedDiffusion, Noise, Process, State, Step

__all__ = ["eps_score", "forward_path", "masked_at", "noised"]

_STEP = -1000  # sub-streams: of a step


def forward_path(process: Process[Any], x_0: State, noise: Noise) -> list[State]:
    """Return a path x_0, x_1, ..., x_K of the forward process, as the reverse one would have to walk it.

    Masked: positions are hidden in one random order, as many a step as the chain reveals. Gaussian: x_K is drawn at
    once, and each x_(k-1) from its law given x_k and x_0.

    Args:
        process: DDIM at eta = 1, or masked diffusion.
        x_0: Designs as states.
        noise: One stream a design.
    """
    if isinstance(process, MaskedDiffusion):
        return [x_0, *(noised(process, x_0, k, noise) for k in range(1, process.num_steps + 1))]
    states = [noised(process, x_0, process.num_steps, noise)]
    for k in range(process.num_steps, 1, -1):
        states.append(_known(process, x_0, states[-1], k).sample(noise.fold_in(_STEP - k)))
    return [x_0, *reversed(states)]


def noised(process: Process[Any], x_0: State, k: Step, noise: Noise) -> State:
    """Return x_t at step k of the forward process that ends in designs.

        Gaussian   x_t ~ N(alpha_t x_0, sigma_t^2)
        masked     as many random positions masked as the chain has left at step k

    Args:
        process: DDIM at eta = 1, or masked diffusion.
        x_0: Designs as states.
        k: Step, from 1 (the last) to K; one, or one for each design.
        noise: One stream a design.

    Raises:
        TypeError: If the process is of neither kind.
    """
    if isinstance(process, MaskedDiffusion):
        left = masked_at(process.num_steps, x_0.shape[1], x_0.device)[k]
        order = noise.uniform((x_0.shape[1],)).argsort(-1).argsort(-1)
        return torch.where(order < left[..., None], process.mask_token, x_0)
    if isinstance(process, DDIM):
        alpha, sigma = _scales(process, x_0, k)
        return alpha * x_0 + sigma * noise.normal(tuple(x_0.shape[1:]), x_0.dtype)
    raise TypeError(f"designs can be noised by DDIM or MaskedDiffusion, got {type(process).__name__}")


def eps_score(process: Process[Any], law: DenoisingTransition, x_0: State, k: Step) -> Float[Tensor, "b"]:
    """Return -|eps - eps_hat|^2 / 2, summed over the event; x_t drops out of the difference of the noises."""
    assert isinstance(process, DDIM)
    alpha, sigma = _scales(process, x_0, k)
    return -0.5 * (alpha / sigma * (x_0 - law.x_0)).square().flatten(1).sum(1)


def masked_at(num_steps: int, length: int, device: torch.device) -> Int64[Tensor, "k"]:
    """Return how many positions are masked before each step k = 0..K, starting from all."""
    masked, left = [0] * (num_steps + 1), length
    for k in range(num_steps, 0, -1):
        masked[k] = left
        left -= -(-left // k)
    return torch.tensor(masked, device=device)


def _scales(process: DDIM, x_0: State, k: Step) -> tuple[Tensor, Tensor]:
    t = process.times.to(x_0.device)[k]
    t = t.reshape(t.shape + (1,) * (x_0.dim() - 1)) if t.dim() else t
    return process.schedule.alpha(t).to(x_0), process.schedule.sigma(t).to(x_0)


def _known(process: Process[Any], x_0: State, x_t: State, k: int) -> GaussianTransition:
    """Return the law of x_s given x_t and x_0."""
    assert isinstance(process, DDIM)
    return replace(process, predicts="data", clip=None).transition(x_0, x_t, k)
