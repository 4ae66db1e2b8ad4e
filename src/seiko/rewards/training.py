"""Fit all members of an ensemble at once.

Member j minimises  sum_i c_ji w_i (f_j(x_i) - t_i)^2  over its bootstrap counts c_j, with inverse-variance weights w_i
where label noise is known, and keeps a *copy* of its parameters at its best held-out error (a reference would be the
last ones). Every image of a symmetric state is a training example of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.network import Network, Parameters, dense, dense_parameters

__all__ = ["Schedule", "label_weights", "predict", "train"]

_MISFIT = 0.1  # of the labels' variance


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How members are optimised: AdamW with a cosine schedule.

    Args:
        steps: Optimiser steps.
        learning_rate: Largest step size.
        weight_decay: Decoupled weight decay.
        batch_size: Labels a step; all members see the same ones, weighted by their own counts.
        check_every: Steps between looks at the held-out error.
    """

    steps: int = 300
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    batch_size: int = 256
    check_every: int = 10

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate", "batch_size", "check_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")


def label_weights(noise: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Return inverse-variance weights 1 / (misfit + noise^2), mean 1; 1 throughout where no noise is known.

    A tenth of the labels' variance is taken for misfit, so that a label of no noise cannot outweigh all others. An
    unknown noise counts as none: to trust a label too much costs less than to believe one that is known to be bad.

    Args:
        noise: Standard deviations of standardised labels, NaN where unknown.
    """
    weight = 1.0 / (_MISFIT + torch.nan_to_num(noise, nan=0.0).square())
    return weight / weight.mean()


def predict(network: Network, parameters: Parameters, prepared: Tensor) -> Float[Tensor, "members n images"]:
    """Return each member's reward for each image, standard units."""
    return dense(parameters, "head", network.body(parameters, prepared))[..., 0]


def train(
    network: Network,
    prepared: Tensor,
    t: Float[Tensor, "n"],
    weights: Float[Tensor, "members n"],
    held_out: Tensor,
    schedule: Schedule,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Return the fitted parameters of all members, detached.

    Args:
        network: Body of the members.
        prepared: `network.prepare` of the labelled orbits, first dimension n.
        t: Standardised labels, float32.
        weights: Bootstrap counts times label weights.
        held_out: `[members, n]` booleans; these labels stop a member and do not train it. A member without any keeps
            its last parameters.
        schedule: Optimiser settings.
        generator: Draws initial weights, batches and dropout.
    """
    members, n = weights.shape
    parameters = network.init(prepared, members, generator)
    width = network.body(parameters, prepared[:1]).shape[-1]
    parameters |= dense_parameters("head", width, 1, members, generator, gain=0.5)
    for value in parameters.values():
        value.requires_grad_()
    training = (weights * ~held_out).to(torch.float32)
    training = training / training.mean(dim=1, keepdim=True).clamp_min(1e-12)
    judge = held_out.to(torch.float32) * (weights.amax(0) > 0)
    optimiser = torch.optim.AdamW(parameters.values(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, schedule.steps)
    keeper = _Keeper(parameters, members)
    order = torch.empty(0, dtype=torch.long)
    for step in range(schedule.steps):
        if len(order) < min(schedule.batch_size, n):
            order = torch.randperm(n, generator=generator)
        batch, order = order[: schedule.batch_size], order[schedule.batch_size :]
        body = network.body(parameters, prepared[batch])
        if network.dropout > 0:
            keep = torch.rand(body.shape, generator=generator) >= network.dropout
            body = body * keep / (1.0 - network.dropout)
        error = (dense(parameters, "head", body)[..., 0] - t[batch, None]).square().mean(-1)
        loss = (training[:, batch] * error).mean(1).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        cosine.step()
        if (step + 1) % schedule.check_every == 0 or step + 1 == schedule.steps:
            with torch.no_grad():
                squared = (predict(network, parameters, prepared).mean(-1) - t).square()
                keeper.look(parameters, (judge * squared).sum(1) / judge.sum(1))
    return keeper.best


class _Keeper:
    """Remembers a copy of each member's parameters at its lowest held-out error."""

    def __init__(self, parameters: Parameters, members: int) -> None:
        self.best = {name: value.detach().clone() for name, value in parameters.items()}
        self.error = torch.full((members,), torch.inf)

    def look(self, parameters: Parameters, error: Float[Tensor, "members"]) -> None:
        better = (error < self.error) | torch.isnan(error)  # NaN: nothing held out, keep the last
        self.error = torch.where(better, error, self.error)
        for name, value in parameters.items():
            self.best[name][better] = value.detach()[better]
