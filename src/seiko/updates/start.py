"""A start that is learnt with the chain, for processes that are not memoryless (DDIM with eta < 1).

Where x_K says something about x_0, a chain from a fixed N(0, I) cannot reach the tilted law: the part of x_0 that x_K
decides is not tilted. Let the start move too, as one more step in front of the chain,

    step K + 1:   x_K ~ N(m, diag(s²))  from a single state,        KL = sum (m² + s² - 1) / 2 - log s   nats

The longer chain starts from a single state, so that it is memoryless whatever eta, and rollouts, path KLs and every
update work on it as they are. Its optimum is the tilted law where the best start, N(0, I) * exp(V(x_K) / C), is
Gaussian with independent coordinates, and the nearest of that kind elsewhere: one start serves all designs.

References:
    Uehara et al., "Fine-Tuning of Continuous-Time Diffusion Models as Entropy-Regularized Control", 2024,
    https://arxiv.org/abs/2402.15194 (why the start must move; there by a second diffusion).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.diffusion import Conditioning, GaussianTransition, Noise, PerSample, Policy, State, Step

__all__ = ["LearnedStart", "StartTransition"]


@dataclass(frozen=True)
class StartTransition(GaussianTransition):
    """The law of a start; unlike two steps of a process, two starts may differ in their std."""

    def kl(self, other: GaussianTransition) -> PerSample:
        """Return KL(self || other), nats, summed over the event."""
        ratio = self.std / other.std
        per_element = 0.5 * (ratio**2 + ((self.mean - other.mean) / other.std) ** 2 - 1) - torch.log(ratio)
        return per_element.expand_as(self.mean).flatten(1).sum(1)


@dataclass(frozen=True)
class LearnedStart:
    """A Gaussian policy with its start in front, as step K + 1.

    All policies of a problem must be wrapped: the one that moves by `learn`, the pretrained anchor by `standard`, the
    previous one by `frozen`. A `start` given to a rollout is drawn over, by the law of x_K.

    Args:
        policy: The chain.
        mean: `[*event]` m.
        log_std: `[*event]` log s.
    """

    policy: Policy[GaussianTransition]
    mean: Float[Tensor, "*event"]
    log_std: Float[Tensor, "*event"]

    @classmethod
    def standard(cls, policy: Policy[GaussianTransition]) -> Self:
        """Return the policy with its own start, N(0, I).

        Raises:
            TypeError: If the policy does not start from noise.
        """
        device = next(iter(policy.parameters()), torch.zeros(())).device
        drawn = policy.prior(Noise.seeded(0, 1, device))
        if not drawn.is_floating_point():
            raise TypeError("this policy starts from a single state (a masked model): it has no start to learn")
        return cls(policy, torch.zeros_like(drawn[0]), torch.zeros_like(drawn[0]))

    @classmethod
    def learn(cls, policy: Policy[GaussianTransition]) -> Self:
        """Return the policy with a start that moves, from N(0, I) on."""
        fixed = cls.standard(policy)
        return cls(policy, nn.Parameter(fixed.mean), nn.Parameter(fixed.log_std))

    def frozen(self, policy: Policy[GaussianTransition]) -> Self:
        """Return another policy (an anchor) with a copy of this start, which does not move."""
        return type(self)(policy, self.mean.detach().clone(), self.log_std.detach().clone())

    @property
    def num_steps(self) -> int:
        """Denoising steps and the start: K + 1."""
        return self.policy.num_steps + 1

    @property
    def memoryless(self) -> bool:
        """Always true: the longer chain starts from one state."""
        return True

    def prior(self, noise: Noise) -> State:
        """Return the single state in front of the start: zeros."""
        return torch.zeros(len(noise), *self.mean.shape, dtype=self.mean.dtype, device=self.mean.device)

    def transition(self, x_t: State, k: Step, conditioning: Conditioning = None) -> GaussianTransition:
        """Return the law of x_K at step K + 1, and the chain's own law after it.

        Raises:
            TypeError: If k is a tensor.
        """
        if not isinstance(k, int):
            raise TypeError("a learned start takes one step for the whole batch, got one for each sample")
        if k <= self.policy.num_steps:
            return self.policy.transition(x_t, k, conditioning)
        return StartTransition(self.mean.expand_as(x_t), self.log_std.exp())

    def parameters(self) -> list[nn.Parameter]:
        """Return the chain's parameters, and the start's if it moves."""
        own = [p for p in (self.mean, self.log_std) if isinstance(p, nn.Parameter)]
        return [*self.policy.parameters(), *own]
