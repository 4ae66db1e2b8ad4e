"""How the model moves: the problem that every update solves, and the contract of an update.

    maximise over P    E_P[A(x_0)] - sum_j coefficient_j * KL(P || p_j)

P is the law of the whole denoising path, A the objective (reward units), p_j the anchors: the pretrained and the
previous policy. Written with anchors as a sum, because a blended anchor would be another objective. At the optimum, on
a process that is memoryless, the law of x_0 is

    p(x) ∝ exp(A(x) / sum_j c_j) * prod_j p_j(x)^(c_j / sum_j c_j)

References:
    Uehara et al., "Feedback Efficient Online Fine-Tuning of Diffusion Models", 2024,
    https://arxiv.org/abs/2402.16359 (Eq. 4 for the problem, Theorem 1 for its solution).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, Noise, PerSample, Policy, Trajectory, Transition, step_kls
from seiko.updates.schedule import CONSTANT, RateSchedule

__all__ = [
    "Anchor",
    "Annealed",
    "Comparing",
    "Given",
    "NotMemorylessWarning",
    "Problem",
    "StepReport",
    "Update",
    "UpdateState",
    "given",
]

T = TypeVar("T", bound=Transition)

SUBSET = -2  # sub-streams SUBSET, SUBSET - 1, ... choose which steps are learnt from in each epoch


@runtime_checkable
class Given(Protocol):
    """An objective A(x_0, c) that depends on what a sample was drawn for, too."""

    def __call__(self, x_0: Tensor) -> PerSample:
        """Return A of states that were drawn for nothing, where that has a meaning."""
        ...

    def given(self, conditioning: Conditioning) -> Callable[[Tensor], PerSample]:
        """Return A(., c) of states alone: as many as conditioning has rows, in the same order."""
        ...


def given(objective: Callable[[Tensor], PerSample], conditioning: Conditioning) -> Callable[[Tensor], PerSample]:
    """Return an objective of states alone; one that does not depend on the conditioning as it is."""
    return objective.given(conditioning) if isinstance(objective, Given) else objective


class NotMemorylessWarning(UserWarning):
    """The process is not memoryless: the optimum of the update is not the tilted law that the theory speaks of."""


@dataclass(frozen=True)
class Anchor(Generic[T]):
    """A policy that P must stay near.

    Args:
        policy: The policy; its weights do not move.
        coefficient: Reward units a nat; at least 0.
    """

    policy: Policy[T]
    coefficient: float

    def __post_init__(self) -> None:
        if not self.coefficient >= 0:
            raise ValueError(f"an anchor's coefficient must be at least 0, got {self.coefficient}")


@dataclass(frozen=True)
class Problem(Generic[T]):
    """What an update maximises.

    Args:
        objective: A: final states to `[b]`, larger is better; differentiable for `DirectBackprop`. One that is `Given`
            is bound to a batch's conditioning before an update sees it.
        anchors: The first is the pretrained policy, by convention.
    """

    objective: Callable[[Tensor], PerSample]
    anchors: tuple[Anchor[T], ...]

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError("the anchors' coefficients must not all be 0: the optimum would be a single design")

    @property
    def temperature(self) -> float:
        """Sum of the coefficients: the tilt is exp(A / temperature)."""
        return sum(anchor.coefficient for anchor in self.anchors)

    def given(self, conditioning: Conditioning) -> Problem[T]:
        """Return the problem of samples that are drawn for this conditioning."""
        return replace(self, objective=given(self.objective, conditioning))

    def anchor_kls(self, trajectory: Trajectory[T]) -> list[Tensor]:
        """Return `[K, b]` nats for each anchor, k = K first: KL(P || p_j) step by step.

        Coefficients of 0 are evaluated too: every KL is reported.
        """
        return [torch.stack(step_kls(trajectory, anchor.policy)) for anchor in self.anchors]

    def weighted(self, kls: list[Tensor]) -> Tensor:
        """Return sum_j coefficient_j * kls_j."""
        return torch.stack([anchor.coefficient * kl for anchor, kl in zip(self.anchors, kls, strict=True)]).sum(0)


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one step of an update saw; all numbers are of the policy before the step.

    Args:
        objective: Mean of A over the samples drawn, reward units.
        kls: Mean path KL to each anchor, nats.
        value: objective - sum_j coefficient_j * kls_j: what is maximised.
        extra: What only this kind of update knows (clipped share, effective sample size).
    """

    objective: float
    kls: tuple[float, ...]
    value: float
    extra: dict[str, float]


@dataclass
class UpdateState:
    """What an update carries from step to step.

    Args:
        optimiser: With the rates that it starts from.
        schedule: How these run over a round.
    """

    optimiser: torch.optim.Optimizer
    schedule: RateSchedule = CONSTANT

    def anneal(self, step: int, steps: int) -> None:
        """Set the rate of a step, counted from 0, of so many."""
        for group in self.optimiser.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * self.schedule.factor(step, steps)


@runtime_checkable
class Annealed(Protocol):
    """The state of an update whose learning rate runs over a round."""

    def anneal(self, step: int, steps: int) -> None:
        """Set the rate of a step, counted from 0, of so many."""
        ...


class Update(Protocol[T]):
    """Frozen configuration of an inner optimiser; the surrogate is free to query, so it costs compute, not labels."""

    def init(self, policy: Policy[T]) -> Any:
        """Return the state for a policy; warns if its process is not memoryless."""
        ...

    def step(
        self, state: Any, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Move the policy once; the number of streams in noise is the number of samples drawn."""
        ...


@runtime_checkable
class Comparing(Protocol):
    """An update that compares samples with their neighbours, which are to be drawn for the same condition."""

    @property
    def population(self) -> int:
        """How many are drawn for the same."""
        ...


def adam(
    policy: Policy[T], learning_rate: float, schedule: RateSchedule = CONSTANT, weight_decay: float = 0.0
) -> UpdateState:
    """Return a state with Adam over the policy's parameters, warning of what makes the update meaningless.

    With a weight decay it is AdamW, whose weights shrink by learning_rate * weight_decay a step.

    Raises:
        ValueError: If the policy has no parameters that may move.
    """
    parameters = [p for p in policy.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("this policy has no parameters that may move: only version 'current' can be updated")
    if not policy.memoryless:
        warnings.warn(
            "the process is not memoryless (DDIM with eta < 1): its start says something about x_0, so that the "
            "optimum of the update is not the tilted law. Use eta = 1",
            NotMemorylessWarning,
            stacklevel=3,
        )
    if weight_decay:
        return UpdateState(torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay), schedule)
    return UpdateState(torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.99)), schedule)


def choose_steps(steps: int, share: float, noise: Noise) -> list[int]:
    """Return a random share of the steps of a chain, at least one, as indices into a trajectory's laws."""
    learnt = max(1, round(share * steps))
    order: list[int] = noise[:1].uniform((steps,))[0].argsort()[:learnt].tolist()
    return order


def descend(state: UpdateState, loss: Tensor, max_grad_norm: float) -> float:
    """Take one optimiser step down the loss; return the gradient's norm before clipping.

    A gradient that is not finite is never applied.

    Raises:
        FloatingPointError: If the gradient is not finite.
    """
    state.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return follow_gradient(state, max_grad_norm)


def follow_gradient(state: UpdateState, max_grad_norm: float) -> float:
    """Take one optimiser step by the gradients that are there; see `descend`."""
    parameters = [p for group in state.optimiser.param_groups for p in group["params"]]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm))
    if not norm < float("inf"):
        raise FloatingPointError(f"the gradient is not finite (norm {norm}): lower learning_rate or check the reward")
    state.optimiser.step()
    return norm


def report(objective: Tensor, kls: list[Tensor], problem: Problem[T], **extra: float) -> StepReport:
    """Return the report of a batch: A `[b]` and `[K, b]` KLs for each anchor."""
    means = tuple(float(kl.detach().sum(0).mean()) for kl in kls)
    mean = float(objective.detach().mean())
    penalty = sum(anchor.coefficient * kl for anchor, kl in zip(problem.anchors, means, strict=True))
    return StepReport(objective=mean, kls=means, value=mean - penalty, extra=extra)
