"""Guidance: tilt each step of the pretrained chain by what the objective says of the x_0 that it leads to.

The optimum's step is p*(x_s | x_t) ∝ p(x_s | x_t) exp(V(x_s) / C), with V the soft value of x_s. Here V is replaced by
a look-ahead and nothing is trained:

    Gaussian    mean + std² / C * grad_x A(x_0_hat(x)) at x = mean, the expected x_s
    masked      p_j(v) ∝ sum over completions z_m of x_t with letter v at j of exp(A(z_m) / C), or to first order
                p_j(v) exp(g / C),   g = dA / d(one-hot letter v at j) at the expected one-hot x_0

The same completions serve all letters and positions: at equal numbers of values of A that is far better than trying
every letter in turn. A guided policy is a policy: rollouts, path KLs and partly masked starts work as they are. The law
drawn from is an approximation of the tilted one, and its KL to the pretrained law is known step by step.

References:
    Dhariwal, Nichol, "Diffusion Models Beat GANs on Image Synthesis", 2021, https://arxiv.org/abs/2105.05233 (the shift
    of the mean by std² times a gradient);
    Bansal et al., "Universal Guidance for Diffusion Models", 2023, https://arxiv.org/abs/2302.07121 (at the predicted
    x_0);
    Nisonoff, Xiong, Allenspach, Listgarten, "Unlocking Guidance for Discrete State-Space Diffusion and Flow Models",
    2024, https://arxiv.org/abs/2406.01572 (exact and first-order guidance of letters).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.diffusion import (
    Conditioning,
    DenoisingTransition,
    MaskedTransition,
    Noise,
    PerSample,
    Policy,
    State,
    Step,
    Transition,
    path_kl,
    rollout,
)
from seiko.diffusion.transition import hard
from seiko.updates.base import NotMemorylessWarning, Problem
from seiko.updates.lookahead import complete, objective_gradient, predicted_x_0
from seiko.updates.steering import Steered, base_policy

__all__ = ["Guidance", "GuidedPolicy"]

T = TypeVar("T", bound=Transition)


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Steer by a look-ahead at every step; training-free.

    Args:
        letters: How a masked step looks ahead: ``"completions"`` needs values of the objective only;
            ``"gradient"`` needs one gradient of an objective that takes one-hot states, and is of first order.
        completions: How many completions of each partly masked state are weighted, at every step.
    """

    letters: Literal["completions", "gradient"] = "completions"
    completions: int = 64

    def __post_init__(self) -> None:
        if self.completions < 1:
            raise ValueError(f"completions must be at least 1, got {self.completions}")

    @property
    def population(self) -> int:
        """1: every stream is drawn on its own."""
        return 1

    def guide(self, policy: Policy[T], problem: Problem[T]) -> GuidedPolicy[T]:
        """Return the policy, tilted step by step towards the problem's optimum."""
        return GuidedPolicy(policy, problem.objective, problem.temperature, self)

    def draw(
        self,
        policy: Policy[T],
        problem: Problem[T],
        conditioning: Conditioning,
        noise: Noise,
        start: State | None = None,
    ) -> Steered:
        """Return one guided draw for each stream of noise, and the path KL of the guided policy.

        Args:
            policy: What is guided; usually the problem's anchor.
            problem: Objective and anchor.
            conditioning: Passed on to the policies.
            noise: One stream a sample; the same stream gives the same design whatever the batch.
            start: States to start from, in place of the policy's own prior.

        Raises:
            ValueError: If a second anchor has a positive coefficient.
        """
        base = base_policy(problem)
        if not base.memoryless:
            warnings.warn(
                "the process is not memoryless (DDIM with eta < 1): its start says something about x_0 and is not "
                "guided, so that the guided law falls short of the tilted one. Use eta = 1",
                NotMemorylessWarning,
                stacklevel=2,
            )
        with torch.no_grad():
            trajectory = rollout(self.guide(policy, problem), conditioning, noise, start=start)
            objective = problem.objective(trajectory.x_0)
            kl = path_kl(trajectory, base)
        return Steered(
            x_0=trajectory.x_0,
            objective=objective,
            kl=float(kl.mean()),
            effective_samples=float(len(noise)),
            log_z=None,
        )


@dataclass(frozen=True)
class GuidedPolicy(Generic[T]):
    """A policy whose every step is tilted by a look-ahead; it has no parameters.

    Args:
        policy: The policy that is guided.
        objective: A.
        temperature: C, reward units a nat; the tilt is exp(A / C).
        guidance: How it looks ahead.
    """

    policy: Policy[T]
    objective: Callable[[Tensor], PerSample]
    temperature: float
    guidance: Guidance

    @property
    def num_steps(self) -> int:
        """Denoising steps K."""
        return self.policy.num_steps

    @property
    def memoryless(self) -> bool:
        """Whether the start carries no information about the end."""
        return self.policy.memoryless

    def prior(self, noise: Noise) -> State:
        """Draw the start x_K, which is not guided."""
        return self.policy.prior(noise)

    def parameters(self) -> list[nn.Parameter]:
        """Return nothing: guidance is not trained."""
        return []

    def transition(self, x_t: State, k: Step, conditioning: Conditioning = None) -> T:
        """Return the tilted p(x_s | x_t) at step k, without a gradient.

        Raises:
            TypeError: If k is a tensor, or the law is of a kind that cannot be guided.
        """
        if not isinstance(k, int):
            raise TypeError("a guided policy takes one step for the whole batch, got one for each sample")
        with torch.no_grad():
            law: Any = self.policy.transition(x_t, k, conditioning)
            if isinstance(law, MaskedTransition):
                by_gradient = self.guidance.letters == "gradient"
                return cast(T, replace(law, logits=self._gradient(law) if by_gradient else self._completions(law)))
            if isinstance(law, DenoisingTransition):
                shift = law.std**2 / self.temperature * self._ahead(law.mean, k, conditioning)
                return cast(T, replace(law, mean=law.mean + shift))
        raise TypeError(f"Guidance knows masked steps and DDIM's, not {type(law).__name__}: use an update")

    def _ahead(self, x_s: State, k: int, conditioning: Conditioning) -> Tensor:
        """Return the gradient of A(x_0_hat(x_s)) in x_s, the state after step k."""
        with torch.enable_grad():
            x_s = x_s.detach().requires_grad_()
            x_0 = x_s if k == 1 else predicted_x_0(self.policy.transition(x_s, k - 1, conditioning))
        return objective_gradient(self.objective, x_0, x_s)[1]

    def _gradient(self, law: MaskedTransition) -> Float[Tensor, "b l v"]:
        """Return the logits, moved by the first-order value of each letter at each position."""
        known = nn.functional.one_hot(hard(law.x_t), law.mask_token + 1).to(law.logits)
        expected = nn.functional.pad(torch.softmax(law.logits, -1), (0, 1))
        soft = torch.where(law.masked[..., None], expected, known)
        value = objective_gradient(self.objective, soft)[1][..., : law.mask_token]
        return law.logits + value / self.temperature

    def _completions(self, law: MaskedTransition) -> Float[Tensor, "b l v"]:
        """Return the log of the weighted letter frequencies among completions.

        The law itself is added with the weight of one effective completion: where a few completions carry all weight,
        their letters are mostly chance, and following them would cost KL for nothing.
        """
        drawn, reward = complete(law, self.objective, self.guidance.completions)
        weight = torch.softmax(reward.to(law.logits) / self.temperature, 1)
        share = torch.zeros_like(law.logits)
        for position in range(drawn.shape[2]):
            share[:, position].scatter_add_(1, drawn[..., position], weight)
        prior = (weight**2).sum(1)[:, None, None]  # 1 / effective number of completions
        return torch.log(share + prior * torch.softmax(law.logits, -1))
