"""The exact law of a masked diffusion model on a space small enough to enumerate, and what it is compared with.

With one position revealed a step, all orders equally likely, one forward pass over the partly masked states gives

    f(state) = mean over revealed j of  f(state without j) * p(x_j | state without j),        f(all masked) = 1

the probability of the letters of a state given which positions are revealed; complete states end it. A law is a vector
over all V^L designs in the order of `designs`, float64. Optimum, value and regret bound of a round are those of the
objective A with the two anchors:

    p(x) ∝ exp(A(x)/(alpha+beta)) p_pre(x)^(alpha/(alpha+beta)) p_prev(x)^(beta/(alpha+beta))
    J(p) = E_p[r] - alpha KL(p || p_pre)

References:
    Uehara et al., "Feedback Efficient Online Fine-Tuning of Diffusion Models", 2024,
    https://arxiv.org/abs/2402.16359 (Theorem 1 for the optimum of a round; the regret of the loop).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from scipy.optimize import brentq
from torch import Tensor

from seiko.diffusion import MaskedTransition, Noise, Policy, Transition

__all__ = [
    "alpha_for",
    "correlation",
    "coverage",
    "designs",
    "frequencies",
    "kl",
    "law",
    "path_kl",
    "regret_bound",
    "tilted",
    "total_variation",
    "value",
]

LARGEST = 4_000_000  # partly masked states
BLOCK = 256  # states a forward pass; small blocks stay in the processor cache


def designs(length: int, vocabulary: int) -> Int64[Tensor, "n l"]:
    """Return all V^L designs as tokens: design i is the number i in base V, its first letter leading."""
    return torch.cartesian_prod(*[torch.arange(vocabulary)] * length).reshape(-1, length)


def frequencies(x_0: Int64[Tensor, "m l"], vocabulary: int) -> Float[Tensor, "n"]:
    """Return the empirical law of samples, for samplers whose law is not a product over steps (SMC).

    Its total variation to any law is too large, by up to about sqrt(V^L / (2 pi m)) for m samples.
    """
    powers = vocabulary ** torch.arange(x_0.shape[1] - 1, -1, -1)
    counts = torch.bincount((x_0.cpu() * powers).sum(-1), minlength=vocabulary ** x_0.shape[1])
    return counts.double() / len(x_0)


def law(policy: Policy[Transition], *, block: int = BLOCK, largest: int = LARGEST) -> Float[Tensor, "n"]:
    """Return the exact probability of each design.

    Args:
        policy: A masked diffusion model that reveals one position a step.
        block: States a forward pass.
        largest: Refuse spaces of more partly masked states, (V + 1)^L; TF Bind 8 has 390,625.

    Returns:
        `[V^L]` probabilities on the CPU.

    Raises:
        TypeError: If the policy's states are not letters.
        ValueError: If several positions are revealed a step, or the space is too large.
    """
    return _sweep(policy, None, block, largest)[0]


def path_kl(
    policy: Policy[Transition],
    reference: Policy[Transition],
    *,
    block: int = BLOCK,
    largest: int = LARGEST,
) -> float:
    """Return KL(policy || reference) of the whole denoising path, exactly; nats.

    At least the KL of the two laws of x_0; equal where both models' conditionals are those of one joint law.

    Raises:
        TypeError: If the policy's states are not letters.
        ValueError: If several positions are revealed a step, or the space is too large.
    """
    return _sweep(policy, reference, block, largest)[1]


@torch.no_grad()
def _sweep(
    policy: Policy[Transition], reference: Policy[Transition] | None, block: int, largest: int
) -> tuple[Float[Tensor, "n"], float]:
    length, mask, device = _space(policy, largest)
    base, spare = mask + 1, policy.num_steps - length
    powers = base ** torch.arange(length - 1, -1, -1)
    numbers = torch.arange(base**length)
    masked = torch.zeros_like(numbers)
    for power in powers.tolist():
        masked += (numbers // power) % base == mask
    reached = torch.zeros(len(numbers), dtype=torch.float64)
    reached[-1] = 1.0  # all masked: the largest number
    total = 0.0
    for count in range(length, 0, -1):
        level = (masked == count).nonzero()[:, 0]
        for rows in torch.split(level, block):
            x = (rows[:, None] // powers) % base
            step = policy.transition(x.to(device), count + spare)
            if not isinstance(step, MaskedTransition):
                raise TypeError(f"the exact law needs a masked diffusion model, its steps are {type(step).__name__}")
            letters = step.logits.double().softmax(-1).cpu()
            row, position = (x == mask).nonzero(as_tuple=True)
            children = rows[row, None] + (torch.arange(mask) - mask) * powers[position, None]
            flow = reached[rows[row], None] * letters[row, position] / (length - count + 1)
            reached.index_add_(0, children.flatten(), flow.flatten())
            if reference is not None:
                other = reference.transition(x.to(device), count + spare)
                assert isinstance(other, MaskedTransition)
                total += float(reached[rows] @ step.kl(other).double().cpu()) / math.comb(length, count)
    return reached[masked == 0], total


def _space(policy: Policy[Transition], largest: int) -> tuple[int, int, torch.device]:
    """Return length, vocabulary and device, or refuse."""
    start = policy.prior(Noise.seeded(0, 1))
    if start.is_floating_point() or start.dim() != 2:
        raise TypeError("the exact law needs a masked diffusion model: this policy's states are not letters")
    length, vocabulary = start.shape[1], int(start[0, 0])
    if policy.num_steps < length:
        raise ValueError(
            f"the exact law needs one position a step: num_steps must be at least {length}, got {policy.num_steps}; "
            "load the model with num_steps=None"
        )
    if (vocabulary + 1) ** length > largest:
        raise ValueError(
            f"{vocabulary + 1}^{length} partly masked states are too many to visit: at most {largest:,}; estimate from "
            "samples instead"
        )
    device = next((parameter.device for parameter in policy.parameters()), start.device)
    return length, vocabulary, device


def tilted(
    pretrained: Float[Tensor, "n"],
    objective: Float[Tensor, "n"],
    alpha: float,
    previous: Float[Tensor, "n"] | None = None,
    beta: float = 0.0,
) -> Float[Tensor, "n"]:
    """Return the optimum of a round, p ∝ exp(A/(alpha+beta)) p_pre^(alpha/(alpha+beta)) p_prev^(beta/(alpha+beta)).

    Args:
        pretrained: Law of the pretrained model.
        objective: A of each design, larger is better.
        alpha: Coefficient of the pretrained anchor, units of A a nat.
        previous: Law of the previous model; not needed at beta = 0.
        beta: Coefficient of the previous anchor, likewise.

    Raises:
        ValueError: If both coefficients are 0 or one is negative, or beta has no previous law.
    """
    if not (alpha >= 0 and beta >= 0 and alpha + beta > 0):
        raise ValueError(f"alpha and beta must be at least 0 and not both 0, got {alpha} and {beta}")
    if beta > 0 and previous is None:
        raise ValueError(f"beta = {beta} needs the previous law: give previous")
    exponent = objective.double()
    for coefficient, anchor in ((alpha, pretrained), (beta, previous)):
        if coefficient > 0 and anchor is not None:  # 0 * log 0 would be NaN
            exponent = exponent + coefficient * anchor.double().log()
    return torch.softmax(exponent / (alpha + beta), 0)


def alpha_for(pretrained: Float[Tensor, "n"], objective: Float[Tensor, "n"], nats: float) -> float:
    """Return the alpha at which the optimum p ∝ exp(A/alpha) p_pre is a given number of nats from p_pre.

    Raises:
        ValueError: If no alpha reaches that far.
    """
    spread = float(objective.double().std())
    low, high = (math.log(spread) + end for end in (-12.0, 12.0))
    nearest, farthest = (kl(tilted(pretrained, objective, math.exp(end)), pretrained) for end in (high, low))
    if not nearest < nats < farthest:
        raise ValueError(f"nats must lie between {nearest:.3g} and {farthest:.4g} on this space, got {nats}")

    def excess(log_alpha: float) -> float:
        return kl(tilted(pretrained, objective, math.exp(log_alpha)), pretrained) - nats

    return math.exp(float(brentq(excess, low, high, xtol=1e-10)))


def value(p: Float[Tensor, "n"], reward: Float[Tensor, "n"], pretrained: Float[Tensor, "n"], alpha: float) -> float:
    """Return J(p) = E_p[r] - alpha KL(p || p_pre), reward units; larger is better."""
    return float(p @ reward) - alpha * kl(p, pretrained)


def kl(p: Float[Tensor, "n"], q: Float[Tensor, "n"]) -> float:
    """Return KL(p || q), nats; infinite where p has mass that q has not."""
    return max(0.0, float((torch.xlogy(p, p) - torch.xlogy(p, q)).sum()))


def total_variation(p: Float[Tensor, "n"], q: Float[Tensor, "n"]) -> float:
    """Return half of the absolute difference, 0 for equal laws and 1 for disjoint ones."""
    return 0.5 * float((p - q).abs().sum())


def coverage(
    mean: Float[Tensor, "n"],
    bound: Float[Tensor, "n"],
    reward: Float[Tensor, "n"],
    under: Float[Tensor, "n"] | None = None,
) -> float:
    """Return the share of designs with |r_hat - r| <= g_hat: of all of them, or under a law."""
    held = ((mean - reward).abs() <= bound).double()
    return float(held.mean() if under is None else held @ under)


def correlation(a: Float[Tensor, "n"], b: Float[Tensor, "n"]) -> float | None:
    """Return Pearson's correlation over the whole space; None without spread."""
    found = float(torch.corrcoef(torch.stack([a, b]))[0, 1])
    return found if math.isfinite(found) else None


def regret_bound(uncertainty: Sequence[float], beta: float, nats: float) -> float:
    """Return (2/K) sum_i E_{p^(i)}[g_hat_i] + (beta/K) KL(p* || p_pre), the bound on the mean regret of K rounds.

    It holds for exact updates and where g_hat is a valid bound, |r_hat - r| <= g_hat, on the support.

    Args:
        uncertainty: E_{p^(i)}[g_hat_i] of each round, reward units.
        beta: Coefficient of the previous anchor, reward units a nat.
        nats: KL(p* || p_pre).

    Raises:
        ValueError: If there is no round.
    """
    if not uncertainty:
        raise ValueError("uncertainty must have one number a round, got none")
    return (2 * sum(uncertainty) + beta * nats) / len(uncertainty)
