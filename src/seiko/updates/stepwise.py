"""The gradient through the last steps of a chain, one step at a time: what `DirectBackprop` does with little memory.

    L = sum_k sum_j c_j KL_k(p || p_j) - A(x_0),        a(x_s) = -dL / dx_s,  starting from a(x_0) = grad A(x_0)
    a(x_t) = d/dx_t [ a(x_s) . x_s(x_t) - sum_j c_j KL_k ]        and the same function's gradient in the weights

The chain is drawn first. Then each step is computed again with its graph, from the last one upwards, and its graph is
gone before the next. An anchor's pass comes for the first time then: its graph is cut off from the policy's at the
means, whose values are known from the draw, so that one network's activations are held at a time and no pass of an
anchor is made twice. Against checkpointing the whole chain that saves a pass of each anchor a step; the gradient is the
same. The graphs of the very last steps may be kept from the draw, which saves their second pass.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, GaussianTransition, GradientWindow, Noise, Policy, Trajectory
from seiko.diffusion.rollout import START
from seiko.updates.base import Problem
from seiko.updates.lookahead import need_gaussian, objective_gradient

__all__ = ["ascend_stepwise", "draw_keeping"]

L = TypeVar("L", bound=GaussianTransition)


def draw_keeping(policy: Policy[L], conditioning: Conditioning, noise: Noise, kept: int) -> Trajectory[L]:
    """Draw like `rollout`, keeping the graphs of the last steps, each cut off from the one before.

    Args:
        policy: The model to draw from.
        conditioning: Passed on to the policy.
        noise: One stream a sample.
        kept: Steps whose law keeps its graph, down to a state that is a leaf.
    """
    with torch.no_grad():
        x = policy.prior(noise.fold_in(START))
    states, laws = [x], []
    for k in range(policy.num_steps, 0, -1):
        with torch.set_grad_enabled(k <= kept):
            x_t = x.requires_grad_() if k <= kept else x
            law = policy.transition(x_t, k, conditioning)
        need_gaussian("a gradient step by step", law)
        x = law.sample(noise.fold_in(k))
        states.append(x)
        laws.append(law)
    return Trajectory(tuple(states), tuple(laws), GradientWindow(kept), conditioning)


def ascend_stepwise(
    policy: Policy[L], problem: Problem[L], trajectory: Trajectory[L], noise: Noise, window: int
) -> tuple[Tensor, list[dict[int, Tensor]]]:
    """Add the gradient of the mean of L to that of the policy's parameters.

    Args:
        policy: What moves; `trajectory` was drawn from it by `draw_keeping`.
        problem: Objective and anchors.
        trajectory: The draw.
        noise: The streams that it was drawn with.
        window: Steps through which the gradient runs.

    Returns:
        A `[b]`, and for each anchor the KL `[b]` of each step of the window, nats, by k.
    """
    objective, adjoint = objective_gradient(problem.objective, trajectory.x_0)
    kls: list[dict[int, Tensor]] = [{} for _ in problem.anchors]
    for k in range(1, min(window, len(trajectory.laws)) + 1):
        adjoint = _one(policy, problem, trajectory, noise.fold_in(k), k, adjoint, kls, further=k < window)
    return objective, kls


def _one(
    policy: Policy[L],
    problem: Problem[L],
    trajectory: Trajectory[L],
    noise: Noise,
    k: int,
    adjoint: Tensor,
    kls: list[dict[int, Tensor]],
    *,
    further: bool,
) -> Tensor:
    """Go up one step; return a(x_t), or a(x_s) as it is where nothing is further up."""
    i = len(trajectory.laws) - k
    x_t, drawn, kept = trajectory.states[i], trajectory.laws[i], trajectory.window.carries(k)
    through, references = torch.zeros_like(adjoint), []
    for kl_of, anchor in zip(kls, problem.anchors, strict=True):
        carries = further and anchor.coefficient > 0
        with torch.set_grad_enabled(carries):
            at = x_t.detach().requires_grad_(carries)
            law = anchor.policy.transition(at, k, trajectory.conditioning)
            kl = _values(drawn).kl(law)
            if carries:
                through = through + torch.autograd.grad(anchor.coefficient * kl.sum(), at)[0]
        kl_of[k] = kl.detach()
        references.append(_values(law))
        del law, kl
    with torch.enable_grad():
        at = x_t if kept else x_t.detach().requires_grad_(further)
        law = drawn if kept else policy.transition(at, k, trajectory.conditioning)
        loss = -(adjoint * law.rsample(noise)).flatten(1).sum(1)
        for anchor, reference in zip(problem.anchors, references, strict=True):
            if anchor.coefficient > 0:
                loss = loss + anchor.coefficient * law.kl(reference)
        loss.mean().backward()  # type: ignore[no-untyped-call]
    if not further:
        return adjoint
    assert at.grad is not None
    return -len(adjoint) * at.grad - through


def _values(law: L) -> L:
    """Return a law without its graph."""
    values = {field.name: getattr(law, field.name) for field in fields(law)}
    return replace(law, **{name: v.detach() if isinstance(v, Tensor) else v for name, v in values.items()})
