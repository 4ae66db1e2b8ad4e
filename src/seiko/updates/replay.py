"""Distil the tilted law from all draws of a round, one masked state a draw; masked models only.

`Distill` learns from a batch of paths and forgets it, and looks at every step of each. Where a step of the model is
dear (long sequences, hundreds of letters) most of that is waste. Here every draw of the round is kept with the weight
that carries it from the law it was drawn from to the optimum,

    log w = [ A(x_0) - sum_j c_j (log q(path) - log p_j(path)) ] / sum_j c_j,      q the policy when it drew the path

and the denoiser is trained on weighted draws by the any-order bound, at one random set of masked positions a draw:

    loss = E_{x ~ w^damping} E_{n ~ U{1..L}} E_{n masked} [ L/n * sum over the masked j of -log p(x_j | the others) ]

The damping keeps a stated effective sample size. Draws of weight 0 cost nothing more than themselves; a draw is used as
often as it is worth.

References:
    Rubinstein, Kroese, "The Cross-Entropy Method", 2004; Hoogeboom et al., "Autoregressive Diffusion Models", 2022,
    https://arxiv.org/abs/2110.02037 (the bound).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion import Conditioning, MaskedTransition, Noise, Policy, Trajectory, reference_laws, rollout
from seiko.updates.base import Problem, StepReport, UpdateState, adam, descend, report
from seiko.updates.distill import choose_damping

__all__ = ["ReplayDistill", "ReplayState"]

DRAW = -2  # sub-streams: of an optimiser step


@dataclass
class ReplayState(UpdateState):
    """The optimiser, and every draw of the round.

    Args:
        x: `[n, L]` designs.
        objective: `[n]` A.
        log_ratios: `[j, n]` log q(path) - log p_j(path), nats.
    """

    x: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    objective: Tensor = field(default_factory=lambda: torch.zeros(0))
    log_ratios: Tensor = field(default_factory=lambda: torch.zeros(0, 0))


@dataclass(frozen=True, kw_only=True)
class ReplayDistill:
    """Distil the tilted law of the round's draws.

    Args:
        learning_rate: Adam's.
        epochs: Optimiser steps after each draw.
        batch: Masked states an optimiser step.
        effective: Effective sample size, in draws, that the weights keep at least.
        max_grad_norm: Gradients are clipped to this norm.

    Raises:
        ValueError: If a number is out of range; it is named.
    """

    learning_rate: float = 3e-4
    epochs: int = 16
    batch: int = 256
    effective: float = 128.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.effective >= 1:
            raise ValueError(f"effective must be at least 1 draw, got {self.effective}")

    def init(self, policy: Policy[MaskedTransition]) -> ReplayState:
        """Return the optimiser's state and an empty memory."""
        return ReplayState(adam(policy, self.learning_rate).optimiser)

    def step(
        self,
        state: ReplayState,
        policy: Policy[MaskedTransition],
        problem: Problem[MaskedTransition],
        conditioning: Conditioning,
        noise: Noise,
    ) -> StepReport:
        """Draw designs, remember them, and take `epochs` steps towards the tilted law.

        Raises:
            TypeError: If the policy's steps are not masked transitions.
            ValueError: If there is conditioning: one memory serves one law.
        """
        if conditioning is not None:
            raise ValueError("ReplayDistill keeps one memory for all draws and takes no conditioning: choose PPO")
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            if not isinstance(trajectory.laws[0], MaskedTransition):
                raise TypeError(
                    "ReplayDistill is for masked models, this one takes Gaussian steps: choose Distill, PPO or "
                    "AdjointMatching"
                )
            objective = problem.objective(trajectory.x_0)
            kls = self._remember(state, problem, trajectory, objective)
            weight, damping = self._weight(state, problem)
        norms = []
        for epoch in range(self.epochs):
            stream = Noise.seeded(0, self.batch, weight.device).fold_in(noise.keys[:1].expand(self.batch))
            loss = self._loss(policy, state.x, weight, conditioning, stream.fold_in(DRAW - epoch))
            norms.append(descend(state, loss, self.max_grad_norm))
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
    def _remember(
        state: ReplayState,
        problem: Problem[MaskedTransition],
        trajectory: Trajectory[MaskedTransition],
        objective: Float[Tensor, "b"],
    ) -> list[Float[Tensor, "k b"]]:
        """Add the draws with their log-ratios; return the path KL to each anchor, step by step."""
        kls, ratios = [], []
        for anchor in problem.anchors:
            others = reference_laws(trajectory, anchor.policy)
            kls.append(torch.stack([law.kl(other) for law, other in zip(trajectory.laws, others, strict=True)]))
            parts = [
                law.log_prob(x_s) - other.log_prob(x_s)
                for (_, _, x_s, law), other in zip(trajectory.steps(), others, strict=True)
            ]
            ratios.append(torch.stack(parts).sum(0))
        first = len(state.x) == 0
        state.x = trajectory.x_0 if first else torch.cat([state.x, trajectory.x_0])
        state.objective = objective if first else torch.cat([state.objective, objective])
        found = torch.stack(ratios)
        state.log_ratios = found if first else torch.cat([state.log_ratios, found], 1)
        return kls

    def _weight(self, state: ReplayState, problem: Problem[MaskedTransition]) -> tuple[Float[Tensor, "n"], float]:
        """Return the weights of all draws, which sum to 1, and their damping."""
        coefficients = torch.tensor([anchor.coefficient for anchor in problem.anchors]).to(state.log_ratios)
        log_weight = (state.objective - coefficients @ state.log_ratios) / problem.temperature
        damping = choose_damping(log_weight, min(1.0, self.effective / len(log_weight)))
        return torch.softmax(damping * log_weight, 0), damping

    @staticmethod
    def _loss(
        policy: Policy[MaskedTransition],
        x: Int64[Tensor, "n l"],
        weight: Float[Tensor, "n"],
        conditioning: Conditioning,
        noise: Noise,
    ) -> Tensor:
        """Return the any-order bound on -log p of weighted draws, nats."""
        u, length = noise.uniform((2,)), x.shape[1]
        rows = torch.searchsorted(weight.double().cumsum(0), u[:, 0].contiguous()).clamp(max=len(x) - 1)
        drawn = x[rows]
        count = (u[:, 1:] * length).long().clamp(max=length - 1) + 1
        hidden = noise.fold_in(1).uniform((length,)).argsort(-1).argsort(-1) < count
        law = policy.transition(torch.where(hidden, policy.prior(noise), drawn), policy.num_steps, conditioning)
        nll = torch.nn.functional.cross_entropy(law.logits.transpose(1, 2), drawn, reduction="none")
        return (length * torch.where(hidden, nll, 0.0).sum(-1) / count[:, 0]).mean()
