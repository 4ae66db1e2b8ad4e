"""Soft best of n: draw n designs from the pretrained model and keep one, chosen by what the objective says of them.

    x^1, ..., x^n ~ p_pre independently,      P(keep x^i) = pi_i = softmax(A(x^1) / C, ..., A(x^n) / C)_i
    p(x) / p_pre(x) = n E[w(x) / (w(x) + w(x^2) + ... + w(x^n))] = r(x),      w = exp(A / C)
    KL(p || p_pre) = E_p[log r]  <=  log n

The law tends to p_pre(x) exp(A(x) / C) at the rate 1/n, and to the best of n as C falls. Whole designs are judged, so
that no look-ahead is needed, and each design is drawn on its own. It costs n draws and n values of A, and cannot go
further than log n nats: what n draws of the pretrained model do not hold is for an update to reach.

r is averaged over what is known: the draws of all streams that were asked for the same. Of one stream alone it is
n pi_i, and the KL is told from above.

References:
    Verdun, Oesterling, Lakkaraju, Calmon, "Soft Best-of-n Sampling for Model Alignment", 2025,
    https://arxiv.org/abs/2505.03156 (the law, and its rate).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion import Conditioning, Noise, PerSample, Policy, State, Transition, draw
from seiko.updates.base import Problem
from seiko.updates.steering import Steered, base_policy

__all__ = ["SoftBestOf"]

T = TypeVar("T", bound=Transition)

OTHERS = 512  # streams, at most, whose draws tell the law of all
_DRAW, _KEEP = -41, -42  # sub-streams: the n draws of a stream, and which of them is kept


@dataclass(frozen=True)
class Draws:
    """What is chosen among; it depends on no temperature.

    Args:
        x_0: n final states for each stream, one batch a draw.
        values: `[b, n]` A of each, reward units.
        asked: `[b]` numbers, alike for streams that were drawn for the same.
    """

    x_0: tuple[State, ...]
    values: Float[Tensor, "b n"]
    asked: Int64[Tensor, "b"]


@dataclass(frozen=True, kw_only=True)
class SoftBestOf:
    """Steer by choosing among whole draws; training-free.

    Args:
        draws: n, for each design.
    """

    draws: int = 16

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise ValueError(f"draws must be at least 2, to have a choice, got {self.draws}")

    @property
    def population(self) -> int:
        """1: every stream is drawn on its own."""
        return 1

    def draw(
        self,
        policy: Policy[T],
        problem: Problem[T],
        conditioning: Conditioning,
        noise: Noise,
        start: State | None = None,
    ) -> Steered:
        """Return one design for each stream of noise, and an estimate of their law's KL.

        Args:
            policy: Not asked: the draws are those of the problem's anchor.
            problem: Objective and anchor.
            conditioning: Passed on to the anchor; all draws of a stream have the same.
            noise: One stream a sample; the same stream gives the same design whatever the batch.
            start: States to start from, in place of the anchor's own prior.

        Raises:
            ValueError: If a second anchor has a positive coefficient.
            FloatingPointError: If the objective is not finite somewhere.
        """
        base = base_policy(problem)
        return self.choose(self.propose(base, problem.objective, conditioning, noise, start), problem, noise)

    @torch.no_grad()
    def propose(
        self,
        policy: Policy[T],
        objective: Callable[[State], PerSample],
        conditioning: Conditioning,
        noise: Noise,
        start: State | None = None,
    ) -> Draws:
        """Return n draws for each stream, with their values; `draw` for what is passed."""
        streams = [noise.fold_in(_DRAW).fold_in(i) for i in range(self.draws)]
        x_0 = tuple(draw(policy, conditioning, stream, start=start) for stream in streams)
        values = torch.stack([objective(x) for x in x_0], 1).double()
        if not bool(values.isfinite().all()):
            some = float(values[~values.isfinite()][0])
            raise FloatingPointError(
                f"the objective is {some} at some draws, and must be finite: look at the reward model"
            )
        asked = torch.zeros(len(noise), dtype=torch.int64, device=values.device)
        if conditioning is not None:
            asked = torch.unique(conditioning.flatten(1), dim=0, return_inverse=True)[1].to(values.device)
        return Draws(x_0, values, asked)

    @torch.no_grad()
    def choose(self, draws: Draws, problem: Problem[T], noise: Noise) -> Steered:
        """Return what is kept of draws at a problem's temperature."""
        weight = draws.values / problem.temperature
        log_pi = torch.log_softmax(weight, 1)
        kept = (log_pi + noise.fold_in(_KEEP).gumbel((self.draws,), torch.float64).to(log_pi.device)).argmax(1)
        rows = torch.arange(len(noise), device=kept.device)
        return Steered(
            x_0=torch.stack(draws.x_0)[kept, rows],
            objective=draws.values[rows, kept].float(),
            kl=float((log_pi.exp() * _log_ratio(weight, log_pi.exp(), draws.asked)).sum(1).mean()),
            effective_samples=float(len(noise)),
            log_z=float(torch.logsumexp(weight.flatten(), 0)) - math.log(weight.numel()),
        )


def _log_ratio(
    weight: Float[Tensor, "b n"], pi: Float[Tensor, "b n"], asked: Int64[Tensor, "b"]
) -> Float[Tensor, "b n"]:
    """Return log r at every draw: beside its own n - 1 others, and beside n - 1 of other streams asked for alike.

    Args:
        weight: log w of the draws.
        pi: Their probability to be kept.
        asked: What each stream was drawn for.
    """
    streams = torch.arange(len(weight), device=weight.device)
    seen = streams[:: -(-len(streams) // OTHERS)]
    others = torch.logsumexp(weight[seen, 1:], 1)
    alike = ((asked[:, None] == asked[seen]) & (streams[:, None] != seen)).double()
    columns = [
        torch.log(((alike * torch.sigmoid(one[:, None] - others)).sum(1) + own).clamp(min=1e-300))  # never kept: any
        for one, own in zip(weight.T, pi.T, strict=True)
    ]
    return torch.stack(columns, 1) + math.log(weight.shape[1]) - torch.log(alike.sum(1) + 1)[:, None]
