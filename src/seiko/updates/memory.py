"""Distil the tilted law from a memory of designs, with exact conditionals; masked models only.

Every design drawn is kept, with its objective and its likelihood under each anchor. Over the memory the optimum of the
problem is known up to its normaliser, and so is what a denoiser should say of any partly masked state x_t:

    w(x)          ∝  exp( [A(x) + sum_j c_j log p_j(x)] / sum_j c_j )
    p(x_i = a | x_t)  =  sum of w(x) over the x that agree with x_t and have x_i = a  /  sum over those that agree

The denoiser is trained on these conditionals at states x_t made by masking draws from w. Where `Distill` learns one
letter a position from a weighted draw, this learns a whole law, and forgets nothing that was drawn before; nothing else
has to be drawn again for each step. The price: it can only recall what the memory holds. It is made for spaces in which
the designs that matter number some thousands; in larger ones the memory is thin and is learnt by heart.

Early, when few designs carry all the weight, w is flattened until it has a stated effective sample size.

    log p_j(x)  =  log of the mean over random orders of p_j(x | order),  each order one pass along the chain

References:
    Rubinstein, Kroese, "The Cross-Entropy Method", 2004 (weighted likelihood);
    Casella, Robert, "Rao-Blackwellisation of sampling schemes", 1996 (a conditional law in place of its draw);
    Hoogeboom et al., "Autoregressive Diffusion Models", 2022, https://arxiv.org/abs/2110.02037 (any order).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion import Conditioning, MaskedTransition, Noise, Policy, rollout
from seiko.updates.base import Problem, StepReport, UpdateState, adam, descend, report
from seiko.updates.distill import choose_damping
from seiko.updates.forward import masked_at
from seiko.updates.schedule import Cosine

__all__ = ["MemoryDistill", "MemoryState"]

DRAW, EXPLORE, ORDERS = -2, -1000, -2000  # sub-streams: of an epoch, of an exploration, of a likelihood's order
_BLOCK = 8192  # designs whose likelihood is evaluated at a time


@dataclass
class MemoryState(UpdateState):
    """The optimiser, and every design drawn so far.

    Args:
        x: `[n, L]` distinct designs.
        objective: `[n]` A.
        likelihoods: `[j, n]` log p_j, nats.
    """

    x: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    objective: Tensor = field(default_factory=lambda: torch.zeros(0))
    likelihoods: Tensor = field(default_factory=lambda: torch.zeros(0, 0))


@dataclass(frozen=True, kw_only=True)
class MemoryDistill:
    """Distil the tilted law of a growing memory.

    Args:
        learning_rate: Adam's at the start; it falls to 0 over the steps of a round.
        epochs: Optimiser steps after each draw.
        batch: Masked states an optimiser step.
        effective: Effective sample size, in designs, that the weights keep at least.
        most: Designs that are learnt from, those of largest weight; all are remembered.
        explore: Designs a trajectory that are made by masking remembered ones at random rates and refilling them with
            the pretrained model, for the memory alone: what the denoiser has learnt does not hide its neighbours.
        orders: Random orders that a likelihood is averaged over.
        max_grad_norm: Gradients are clipped to this norm.

    Raises:
        ValueError: If a number is out of range; it is named.
    """

    learning_rate: float = 5e-3
    epochs: int = 40
    batch: int = 256
    effective: float = 128.0
    most: int = 8192
    explore: int = 4
    orders: int = 4
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "most", "orders"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.explore < 0:
            raise ValueError(f"explore must be at least 0 designs a trajectory, got {self.explore}")
        if not self.effective >= 1:
            raise ValueError(f"effective must be at least 1 design, got {self.effective}")

    def init(self, policy: Policy[MaskedTransition]) -> MemoryState:
        """Return the optimiser's state and an empty memory."""
        return MemoryState(adam(policy, self.learning_rate).optimiser, Cosine())

    def step(
        self,
        state: MemoryState,
        policy: Policy[MaskedTransition],
        problem: Problem[MaskedTransition],
        conditioning: Conditioning,
        noise: Noise,
    ) -> StepReport:
        """Draw designs, remember the new ones, and take `epochs` steps towards the tilted law of the memory.

        Raises:
            TypeError: If the policy's steps are not masked transitions.
            ValueError: If there is conditioning: one memory serves one law.
        """
        if conditioning is not None:
            raise ValueError("MemoryDistill keeps one memory for all draws and takes no conditioning: choose PPO")
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            if not isinstance(trajectory.laws[0], MaskedTransition):
                raise TypeError(
                    "MemoryDistill is for masked models, this one takes Gaussian steps: choose Distill, PPO or "
                    "AdjointMatching"
                )
            objective, kls = problem.objective(trajectory.x_0), problem.anchor_kls(trajectory)
            self._remember(state, problem, trajectory.x_0, objective, conditioning, noise)
            x, weight, damping = self._target(state, problem)
            for i in range(self.explore):
                near = self._neighbours(problem, x, weight, conditioning, noise.fold_in(EXPLORE - i))
                self._remember(state, problem, near, problem.objective(near), conditioning, noise.fold_in(EXPLORE - i))
            if self.explore:
                x, weight, damping = self._target(state, problem)
        norms = []
        for epoch in range(self.epochs):
            stream = Noise.seeded(0, self.batch, x.device).fold_in(noise.keys[:1].expand(self.batch))
            norms.append(
                descend(
                    state, self._loss(policy, x, weight, conditioning, stream.fold_in(DRAW - epoch)), self.max_grad_norm
                )
            )
        return report(
            objective,
            kls,
            problem,
            grad_norm=sum(norms) / len(norms),
            damping=damping,
            effective_samples=float(1 / weight.square().sum()),
            remembered=float(len(state.x)),
        )

    @staticmethod
    def _neighbours(
        problem: Problem[MaskedTransition],
        x: Int64[Tensor, "m l"],
        weight: Float[Tensor, "m"],
        conditioning: Conditioning,
        noise: Noise,
    ) -> Int64[Tensor, "b l"]:
        """Return weighted draws of x, masked at random rates and refilled by the pretrained model."""
        u = noise.uniform((2,))
        hidden = noise.fold_in(1).uniform((x.shape[1],)) < u[:, 1:]
        pretrained = problem.anchors[0].policy
        start = torch.where(hidden, pretrained.prior(noise), _weighted(x, weight, u[:, 0]))
        return rollout(pretrained, conditioning, noise.fold_in(2), start=start).x_0

    def _remember(
        self,
        state: MemoryState,
        problem: Problem[MaskedTransition],
        x_0: Int64[Tensor, "b l"],
        objective: Float[Tensor, "b"],
        conditioning: Conditioning,
        noise: Noise,
    ) -> None:
        """Add the designs that are new, with their likelihoods."""
        if len(state.x) == 0:
            state.x, state.objective = x_0[:0], objective[:0]
            state.likelihoods = objective.new_zeros(len(problem.anchors), 0)
        new = _new_rows(state.x, x_0)
        if len(new) == 0:
            return
        likelihoods = []
        for anchor in problem.anchors:
            rows = [
                log_likelihood(anchor.policy, part, conditioning, noise[keys], self.orders)
                for part, keys in zip(torch.split(x_0[new], _BLOCK), torch.split(new, _BLOCK), strict=True)
            ]
            likelihoods.append(torch.cat(rows))
        state.x = torch.cat([state.x, x_0[new]])
        state.objective = torch.cat([state.objective, objective[new]])
        state.likelihoods = torch.cat([state.likelihoods, torch.stack(likelihoods)], 1)

    def _target(
        self, state: MemoryState, problem: Problem[MaskedTransition]
    ) -> tuple[Int64[Tensor, "m l"], Float[Tensor, "m"], float]:
        """Return the designs that are learnt from, their weights, and the damping of these."""
        coefficients = torch.tensor([a.coefficient for a in problem.anchors], device=state.x.device)
        log_weight = (state.objective + coefficients @ state.likelihoods.to(coefficients)) / problem.temperature
        chosen = log_weight.topk(min(self.most, len(log_weight))).indices
        damping = choose_damping(log_weight[chosen], min(1.0, self.effective / len(chosen)))
        return state.x[chosen], torch.softmax(damping * log_weight[chosen], 0), damping

    def _loss(
        self,
        policy: Policy[MaskedTransition],
        x: Int64[Tensor, "m l"],
        weight: Float[Tensor, "m"],
        conditioning: Conditioning,
        noise: Noise,
    ) -> Tensor:
        """Return the path's cross-entropy, nats, from the memory's conditionals to the denoiser's, at random steps."""
        u = noise.uniform((2,))
        drawn = _weighted(x, weight, u[:, 0])
        k, importance = _late_steps(policy.num_steps, u[:, 1])
        masked = masked_at(policy.num_steps, x.shape[1], x.device)[k]
        rank = noise.fold_in(1).uniform((x.shape[1],)).argsort(-1).argsort(-1)
        hidden = rank < masked[:, None]
        shape = policy.prior(noise[:1])
        law = policy.transition(torch.where(hidden, shape, drawn), k, conditioning)
        targets = conditionals(x, weight, drawn, hidden, law.logits.shape[-1])
        return (importance * law.cross_entropy(targets)).mean()


def conditionals(
    x: Int64[Tensor, "m l"],
    weight: Float[Tensor, "m"],
    drawn: Int64[Tensor, "b l"],
    hidden: Tensor,
    letters: int,
) -> Float[Tensor, "b l v"]:
    """Return p(x_i = a | the positions of `drawn` that are not hidden) under weighted designs x."""
    one_hot = torch.nn.functional.one_hot(x, letters).flatten(1).to(weight.dtype)
    seen = torch.nn.functional.one_hot(drawn, letters).to(weight.dtype) * ~hidden[..., None]
    agree = (seen.flatten(1) @ one_hot.T) == (~hidden).sum(-1)[:, None]
    sums = agree.to(weight.dtype) @ (weight[:, None] * one_hot)
    sums = torch.unflatten(sums, 1, (x.shape[1], letters))
    return sums / sums.sum(-1, keepdim=True)


def log_likelihood(
    policy: Policy[MaskedTransition], x_0: Int64[Tensor, "b l"], conditioning: Conditioning, noise: Noise, orders: int
) -> Float[Tensor, "b"]:
    """Return log p(x_0) of a masked model, nats: the mean probability over random orders of revealing.

    Unbiased for p(x_0); its log lies below log p(x_0) by half of the relative variance, which falls with `orders`.
    """
    found = []
    for i in range(orders):
        stream = noise.fold_in(ORDERS - i)
        rank = stream.uniform((x_0.shape[1],)).argsort(-1).argsort(-1)
        x_t, total = policy.prior(stream), torch.zeros(len(x_0), device=x_0.device)
        for k in range(policy.num_steps, 0, -1):
            law = policy.transition(x_t, k, conditioning)
            still = (law.masked.sum(-1) - law.count)[:, None]
            x_s = torch.where(rank < still, x_t, x_0)
            revealed = law.masked & (rank >= still)
            letters = torch.log_softmax(law.logits, -1).gather(-1, x_0[..., None])[..., 0]
            total = total + torch.where(revealed, letters, 0.0).sum(-1)
            x_t = x_s
        found.append(total)
    return torch.logsumexp(torch.stack(found), 0) - math.log(orders)


def _weighted(x: Int64[Tensor, "m l"], weight: Float[Tensor, "m"], u: Float[Tensor, "b"]) -> Int64[Tensor, "b l"]:
    """Return rows of x drawn by their weights, from uniform numbers."""
    return x[torch.searchsorted(weight.double().cumsum(0), u.double().contiguous()).clamp(max=len(x) - 1)]


def _new_rows(known: Int64[Tensor, "n l"], x: Int64[Tensor, "b l"]) -> Int64[Tensor, "u"]:
    """Return the indices of the rows of x that are not known yet, the first of equal ones, ascending."""
    rows = torch.cat([known, x])
    letters = int(rows.max()) + 1
    if letters ** rows.shape[1] < 2**63:  # a row is a number, which is much quicker to compare
        powers = torch.tensor([letters**j for j in range(rows.shape[1])], device=x.device)
        _, index = torch.unique((rows * powers).sum(-1), return_inverse=True)
    else:
        _, index = torch.unique(rows, dim=0, return_inverse=True)
    first = torch.full((int(index.max()) + 1,), len(rows), device=x.device)
    first = first.scatter_reduce(0, index, torch.arange(len(rows), device=x.device), "amin").sort().values
    return first[first >= len(known)] - len(known)


def _late_steps(num_steps: int, u: Float[Tensor, "b"]) -> tuple[Int64[Tensor, "b"], Float[Tensor, "b"]]:
    """Return steps k drawn with probability proportional to 1/k, and one over it.

    The last steps, with little left to reveal, have by far the most states and are learnt last.
    """
    probability = 1 / torch.arange(1, num_steps + 1, device=u.device)
    probability = probability / probability.sum()
    k = torch.searchsorted(probability.cumsum(0), u.contiguous()).clamp(max=num_steps - 1)
    return k + 1, 1 / probability[k]
