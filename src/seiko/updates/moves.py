"""Moves that leave the tilted law p(x) ∝ p_pre(x) exp(A(x) / C) as it is: they repair what resampling made alike.

    masked      mask a random set of positions, refill them from p_pre(. | the rest)
    Gaussian    turn the noise of every step, xi' = sqrt(1 - rate²) xi + rate * fresh, and run the chain again

Both proposals are reversible under the pretrained law (the first where the model's conditionals agree with one joint
law and one position is revealed a step; the second always), so that accepting with probability
min(1, exp((A(x') - A(x)) / C)) keeps the tilted law exactly.

References:
    Cotter, Roberts, Stuart, White, "MCMC Methods for Functions: Modifying Old Algorithms to Make Them Faster", 2013,
    https://arxiv.org/abs/1202.0709 (the preconditioned Crank-Nicolson proposal).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seiko.diffusion import Conditioning, GaussianTransition, Noise, PerSample, Policy, State, Transition

__all__ = ["refill", "turn"]

T = TypeVar("T", bound=Transition)

_RATE, _MASK, _FIRST, _ACCEPT, _STEP = 31, 32, 33, 34, 35  # sub-streams of a move


def refill(
    base: Policy[T],
    objective: Callable[[Tensor], PerSample],
    temperature: float,
    x_0: State,
    reward: PerSample,
    free: Bool[Tensor, "b l"],
    mask_token: int,
    conditioning: Conditioning,
    noise: Noise,
    rates: tuple[float, float],
) -> tuple[State, PerSample, float]:
    """Remask and refill once; masked models.

    Args:
        base: The pretrained policy.
        objective: A.
        temperature: C.
        x_0: Letters.
        reward: A of them.
        free: Which positions may change.
        mask_token: The mask.
        conditioning: Passed on to the policy.
        noise: One stream a sample; fold in the number of the move.
        rates: Lowest and highest probability with which a position is masked, drawn for each sample.

    Returns:
        States and their A after the move, and the share that was accepted.
    """
    length = x_0.shape[1]
    rate = _rate(noise, rates)
    masked = noise.fold_in(_MASK).uniform((length,)) < rate[:, None]
    first = noise.fold_in(_FIRST).uniform((length,)).masked_fill(~free, -1).argmax(-1)
    masked[torch.arange(len(masked), device=masked.device), first] = True
    x = x_0.masked_fill(masked & free, mask_token)
    for k in range(base.num_steps, 0, -1):
        if not bool((x == mask_token).any()):
            break  # the steps that are left would only copy
        x = base.transition(x, k, conditioning).sample(noise.fold_in(_STEP).fold_in(k))
    proposed = objective(x)
    taken = _accept(proposed, reward, temperature, noise)
    return torch.where(taken[:, None], x, x_0), torch.where(taken, proposed, reward), float(taken.double().mean())


def turn(
    base: Policy[GaussianTransition],
    objective: Callable[[Tensor], PerSample],
    temperature: float,
    path: list[State],
    reward: PerSample,
    conditioning: Conditioning,
    noise: Noise,
    rates: tuple[float, float],
) -> tuple[list[State], PerSample, float]:
    """Turn the noise of a Gaussian chain once; x_K stays.

    Args:
        base: The pretrained policy.
        objective: A.
        temperature: C.
        path: K + 1 states, x_K first.
        reward: A of the last.
        conditioning: Passed on to the policy.
        noise: One stream a sample; fold in the number of the move.
        rates: Lowest and highest rate, drawn for each sample; 1 is a fresh draw.

    Returns:
        Paths and their A after the move, and the share that was accepted.
    """
    x = path[0]
    shape = (-1, *[1] * (x.dim() - 1))
    rate = _rate(noise, rates).to(x.dtype).reshape(shape)
    proposal = [x]
    for i, k in enumerate(range(base.num_steps, 0, -1)):
        old, new = base.transition(path[i], k, conditioning), base.transition(x, k, conditioning)
        fresh = noise.fold_in(_STEP).fold_in(k).normal(tuple(x.shape[1:]), x.dtype)
        x = new.mean + (1 - rate**2).sqrt() * (path[i + 1] - old.mean) + rate * new.std * fresh
        proposal.append(x)
    proposed = objective(x)
    taken = _accept(proposed, reward, temperature, noise)
    moved = [torch.where(taken.reshape(shape), new, old) for new, old in zip(proposal, path, strict=True)]
    return moved, torch.where(taken, proposed, reward), float(taken.double().mean())


def _rate(noise: Noise, rates: tuple[float, float]) -> Float[Tensor, "b"]:
    low, high = rates
    return low + (high - low) * noise.fold_in(_RATE).uniform()


def _accept(proposed: PerSample, reward: PerSample, temperature: float, noise: Noise) -> Bool[Tensor, "b"]:
    return noise.fold_in(_ACCEPT).uniform().log() < (proposed - reward).double() / temperature
