"""Sequential Monte Carlo: particles of the pretrained chain, weighted by a look-ahead and resampled on the way.

A population of N particles follows the chain. With the look-ahead U_k(x_k) = ladder_k * A_ahead(x_k) / C at step k and
U_0 = A(x_0) / C at the end, each step multiplies a particle's weight by

    exp(U_(k-1)(x_s) - U_k(x_t)) * p_pre(x_s | x_t) / q(x_s | x_t)

q being what proposes. Whatever the look-ahead, the weighted particles tend to p_pre(x) exp(A(x) / C) as N grows, and
the product of the mean weights is an unbiased estimate of Z = E_pre[exp(A / C)]; a good look-ahead needs fewer
particles. A population whose effective sample size falls below a share of N is resampled (systematically). What
resampling made alike is repaired at the end by moves that leave the target as it is.

    KL(p || p_pre) = E_p[A] / C - log Z       nats, estimated in each population and averaged

A population cannot tell that it is too small: far beyond log N nats a resampling all particles are one, and the
estimate stays behind the truth. Take N well above exp(KL), or propose by guidance.

References:
    Doucet, de Freitas, Gordon, "Sequential Monte Carlo Methods in Practice", 2001;
    Wu, Trippe, Naesseth, Blei, Cunningham, "Practical and Asymptotically Exact Conditional Sampling in Diffusion
    Models", 2023, https://arxiv.org/abs/2306.17775 (the look-ahead at the predicted x_0 as twisting function);
    Singhal et al., "A General Framework for Inference-time Scaling and Steering of Diffusion Models", 2025,
    https://arxiv.org/abs/2501.06848 (Feynman-Kac steering: choices of the potentials).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, MaskedTransition, Noise, Policy, State, Transition
from seiko.diffusion.rollout import START
from seiko.updates.base import Problem
from seiko.updates.guidance import Guidance
from seiko.updates.lookahead import predicted_value
from seiko.updates.moves import refill, turn
from seiko.updates.steering import Steered, base_policy
from seiko.updates.swarm import Swarm, take

__all__ = ["SMC"]

T = TypeVar("T", bound=Transition)

_MOVE = -12  # sub-stream of the moves


@dataclass(frozen=True, kw_only=True)
class SMC:
    """Steer by sequential Monte Carlo; training-free, asymptotically exact.

    Populations are blocks of consecutive streams of noise, so that a design depends on its own block alone.

    Args:
        particles: N, size of a population.
        threshold: Resample where the effective sample size is below this share of N.
        ladder: The look-ahead of step k counts with ((K - k) / K)^ladder; 0 trusts it from the start.
        completions: Completions of a partly masked state that the look-ahead averages.
        guidance: Proposes by guided steps; None by the policy as it is.
        moves: Moves at the end, each as dear as drawing once more.
        rates: How far a move goes, lowest and highest, in (0, 1].
    """

    particles: int = 64
    threshold: float = 0.5
    ladder: float = 1.0
    completions: int = 8
    guidance: Guidance | None = None
    moves: int = 0
    rates: tuple[float, float] = (0.1, 0.6)

    def __post_init__(self) -> None:
        if self.particles < 2:
            raise ValueError(f"particles must be at least 2, got {self.particles}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must lie in [0, 1], got {self.threshold}")
        if not self.ladder >= 0:
            raise ValueError(f"ladder must be at least 0, got {self.ladder}")
        if self.completions < 1:
            raise ValueError(f"completions must be at least 1, got {self.completions}")
        if self.moves < 0:
            raise ValueError(f"moves must be at least 0, got {self.moves}")
        if not 0 < self.rates[0] <= self.rates[1] <= 1:
            raise ValueError(f"rates must be (low, high) in (0, 1], got {self.rates}")

    @property
    def population(self) -> int:
        """N."""
        return self.particles

    def draw(
        self,
        policy: Policy[T],
        problem: Problem[T],
        conditioning: Conditioning,
        noise: Noise,
        start: State | None = None,
    ) -> Steered:
        """Return N equally weighted particles for each population.

        Args:
            policy: Proposes; the problem's anchor, or a policy near the optimum (its weights are corrected for).
            problem: Objective and anchor.
            conditioning: Passed on to the policies; the same within a population.
            noise: One stream a particle; a multiple of N.
            start: States to start from; within a population the target is the tilt of their mixture.

        Raises:
            ValueError: If the streams do not fill whole populations, a population's conditioning differs, or a second
                anchor has a positive coefficient.
        """
        base = base_policy(problem)
        self._check(noise, conditioning)
        with torch.no_grad():
            x = policy.prior(noise.fold_in(START)) if start is None else start
            swarm = Swarm.at(x, noise, self.particles, keeps_path=self.moves > 0 and x.is_floating_point())
            for k in range(base.num_steps, 0, -1):
                law = base.transition(swarm.x, k, conditioning)
                if k < base.num_steps:
                    share = (1 - k / base.num_steps) ** self.ladder
                    ahead = predicted_value(law, problem.objective, problem.temperature, self.completions)
                    rows = swarm.weigh(share * ahead / problem.temperature, k, self.threshold)
                    law = law if rows is None else take(law, rows)
                swarm.advance(law, self._proposal(policy, base, problem, swarm.x, k, law, conditioning), k)
            reward = problem.objective(swarm.x)
            rows = swarm.weigh(reward / problem.temperature, 0, threshold=math.inf)
            assert rows is not None  # always resampled at the end
            reward = reward[rows]
            for move in range(self.moves):
                reward = self._move(base, problem, swarm, reward, x, law, conditioning, move)
        # of each population by its own constant: what one that went astray draws must not be judged by the others'
        own_kl = reward.double().mean() / problem.temperature - swarm.log_z.mean()
        log_z = torch.logsumexp(swarm.log_z, 0) - math.log(len(swarm.log_z))
        return Steered(
            x_0=swarm.x,
            objective=reward,
            kl=float(own_kl),
            effective_samples=swarm.effective(),
            log_z=float(log_z),
        )

    def _check(self, noise: Noise, conditioning: Conditioning) -> None:
        if len(noise) == 0 or len(noise) % self.particles:
            raise ValueError(
                f"SMC draws whole populations of {self.particles} particles: the number of streams must be a multiple "
                f"of it, got {len(noise)}; draw more and keep some, or change particles"
            )
        if conditioning is not None:
            blocks = conditioning.reshape(-1, self.particles, *conditioning.shape[1:])
            if not torch.equal(blocks, blocks[:, :1].expand_as(blocks)):
                raise ValueError("conditioning must be the same for all particles of a population: repeat each prompt")

    def _proposal(
        self,
        policy: Policy[T],
        base: Policy[T],
        problem: Problem[T],
        x_t: State,
        k: int,
        law: T,
        conditioning: Conditioning,
    ) -> T:
        """Return the law that proposes x_s; `law` itself where that is the pretrained one."""
        if self.guidance is not None:
            return self.guidance.guide(policy, problem).transition(x_t, k, conditioning)
        return law if policy is base or policy == base else policy.transition(x_t, k, conditioning)

    def _move(
        self,
        base: Policy[Any],
        problem: Problem[T],
        swarm: Swarm,
        reward: Tensor,
        start: State,
        law: Transition,
        conditioning: Conditioning,
        move: int,
    ) -> Tensor:
        """Move every particle once; return its A."""
        noise = swarm.noise.fold_in(_MOVE).fold_in(move)
        if isinstance(law, MaskedTransition):
            free = start[swarm.family] == law.mask_token
            swarm.x, reward, _ = refill(
                base, problem.objective, problem.temperature, swarm.x, reward, free, law.mask_token, conditioning,
                noise, self.rates,
            )  # fmt: skip
            return reward
        swarm.path, reward, _ = turn(
            base, problem.objective, problem.temperature, swarm.path, reward, conditioning, noise, self.rates
        )
        swarm.x = swarm.path[-1]
        return reward
