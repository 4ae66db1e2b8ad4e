"""Draw trajectories x_K, ..., x_0 from a policy, keeping each step's law, and compare two policies along them.

    KL(P || Q) = sum over steps k of E_P[ KL(p_k(.|x_k) || q_k(.|x_k)) ]        nats, one number a sample

The gradient runs through the last steps only, as many as the `GradientWindow` says. Inside of the window the gradient
of the path KL flows through the reference's *input* too; outside of it nothing flows and no graph is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from seiko.diffusion.noise import Noise
from seiko.diffusion.process import Step
from seiko.diffusion.transition import MaskedTransition, PerSample, State, Transition

__all__ = [
    "Conditioning",
    "GradientWindow",
    "Policy",
    "Trajectory",
    "draw",
    "path_kl",
    "reference_laws",
    "rollout",
    "step_kls",
]

Conditioning = Tensor | None
T = TypeVar("T", bound=Transition)
T_co = TypeVar("T_co", bound=Transition, covariant=True)

START = 0  # sub-stream of the chain's start; step k draws from sub-stream k


@runtime_checkable
class Policy(Protocol[T_co]):
    """All that a rollout or an update sees of a model."""

    @property
    def num_steps(self) -> int:
        """Denoising steps K."""
        ...

    @property
    def memoryless(self) -> bool:
        """Whether the start carries no information about the end."""
        ...

    def prior(self, noise: Noise) -> State:
        """Draw the start x_K, on the policy's device wherever the noise is."""
        ...

    def transition(self, x_t: State, k: Step, conditioning: Conditioning = None) -> T_co:
        """Return p(x_s | x_t) at step k."""
        ...

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Return what an optimiser may change; empty for an anchor."""
        ...


@dataclass(frozen=True)
class GradientWindow:
    """The last steps of the chain, through which gradients run.

    Args:
        last: Steps k <= last carry a gradient. 0: none (sampling); K or more: the whole chain.
    """

    last: int = 0

    def __post_init__(self) -> None:
        if self.last < 0:
            raise ValueError(f"last must be a number of steps of at least 0, got {self.last}")

    def carries(self, k: int) -> bool:
        """Return whether step k keeps its graph."""
        return k <= self.last


@dataclass(frozen=True)
class Trajectory(Generic[T]):
    """A batch of denoising paths.

    Args:
        states: K + 1 states, x_K first and x_0 last.
        laws: K transitions; `laws[i]` is the one from which `states[i + 1]` was drawn, at step k = K - i.
        window: Where the gradient runs.
        conditioning: What the policy was conditioned on.
    """

    states: tuple[State, ...]
    laws: tuple[T, ...]
    window: GradientWindow
    conditioning: Conditioning = None

    @property
    def x_0(self) -> State:
        """The end of the paths."""
        return self.states[-1]

    def steps(self) -> Iterator[tuple[int, State, State, T]]:
        """Yield (k, x_t, x_s, law) from k = K down to 1."""
        for i, law in enumerate(self.laws):
            yield len(self.laws) - i, self.states[i], self.states[i + 1], law


def rollout(
    policy: Policy[T],
    conditioning: Conditioning,
    noise: Noise,
    *,
    start: State | None = None,
    gradient: GradientWindow = GradientWindow(),
) -> Trajectory[T]:
    """Draw one trajectory for each stream of noise.

    Args:
        policy: The model to draw from.
        conditioning: Passed on to the policy.
        noise: One stream a sample; the same stream gives the same path whatever the batch.
        start: States to start from, in place of the policy's own prior (remasked designs, kept fragments).
        gradient: How many of the last steps keep their graph.

    Returns:
        The trajectory, on the policy's device.
    """
    with torch.no_grad():
        x = policy.prior(noise.fold_in(START)) if start is None else start
    states, laws, noise = [x], [], noise.to(x.device)
    for k in range(policy.num_steps, 0, -1):
        carries = gradient.carries(k)
        with torch.set_grad_enabled(carries):
            law = policy.transition(x, k, conditioning)
            x = law.rsample(noise.fold_in(k)) if carries else law.sample(noise.fold_in(k))
        states.append(x)
        laws.append(law)
    return Trajectory(tuple(states), tuple(laws), gradient, conditioning)


@torch.no_grad()
def draw(policy: Policy[T], conditioning: Conditioning, noise: Noise, *, start: State | None = None) -> State:
    """Return the x_0 of `rollout` alone: nothing of the path is kept, and each ends where its last letter falls."""
    x = policy.prior(noise.fold_in(START)) if start is None else start
    noise = noise.to(x.device)
    x_0, going = x, torch.arange(len(x), device=x.device)
    for k in range(policy.num_steps, 0, -1):
        law = policy.transition(x, k, conditioning)
        x = law.sample(noise.fold_in(k))
        x_0 = x if len(going) == len(x_0) else x_0.index_copy(0, going, x)
        if isinstance(law, MaskedTransition) and bool((ended := law.complete).any()):
            x, noise, going = x[~ended], noise[~ended], going[~ended]
            conditioning = None if conditioning is None else conditioning[~ended]
        if not len(going):
            break
    return x_0


def reference_laws(trajectory: Trajectory[T], reference: Policy[T]) -> list[T]:
    """Return the laws of a reference at the states of a trajectory, k = K first."""
    laws = []
    for k, x_t, _, _ in trajectory.steps():
        with torch.set_grad_enabled(trajectory.window.carries(k)):
            laws.append(reference.transition(x_t, k, trajectory.conditioning))
    return laws


def step_kls(trajectory: Trajectory[T], reference: Policy[T]) -> list[PerSample]:
    """Return KL(p_k || q_k) at every step along the paths, k = K first; nats."""
    others = reference_laws(trajectory, reference)
    return [law.kl(other) for law, other in zip(trajectory.laws, others, strict=True)]


def path_kl(trajectory: Trajectory[T], reference: Policy[T]) -> PerSample:
    """Return the KL between the policy that drew the trajectory and a reference, along its paths.

    Args:
        trajectory: Drawn by `rollout`; its laws are the first argument of the KL.
        reference: The policy compared with, on the same process.

    Returns:
        `[b]` nats, summed over steps and dimensions. Its mean over samples estimates KL(P || Q), which bounds the KL of
        the law of x_0 from above. Differentiable inside of the trajectory's gradient window.
    """
    return torch.stack(step_kls(trajectory, reference)).sum(0)
