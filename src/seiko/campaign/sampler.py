"""What draws designs in a round: the model's current version, or the pretrained one steered.

    moved      x_0 ~ p_current, whose weights an update has moved
    steered    x_0 ~ p_pre(x) exp(B(x)), whose weights are the pretrained ones

Candidates, the look at a round and `seiko sample` draw through this noun and do not ask which of the two it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from seiko.diffusion import Noise, State, Transition, draw, path_kl, rollout
from seiko.models import DiffusionModel, ModelPolicy
from seiko.updates import Problem, Steered, Steering

__all__ = ["Look", "ModelSampler", "Sampler", "SteeredSampler", "chunk", "draw_many"]

CHUNK = 1000  # draws a time: bounds memory, and decides nothing else
_FILL = -21  # sub-stream: particles drawn beside those asked for


@dataclass(frozen=True, kw_only=True)
class Look:
    """Draws, and how far their law is from others.

    Args:
        x_0: One state for each stream.
        kl_pretrained: Estimate of the path KL from the pretrained model, nats.
        kl_previous: Likewise from the version that the model remembers as previous; None where it is not known.
    """

    x_0: State
    kl_pretrained: float
    kl_previous: float | None


class Sampler(Protocol):
    """Draws designs; the same streams give the same designs."""

    @property
    def model(self) -> DiffusionModel[Transition]:
        """The model underneath: its process, and the language of its designs."""
        ...

    @property
    def population(self) -> int:
        """Streams that are drawn together; a design depends on its own population alone."""
        ...

    def draw(self, noise: Noise, start: State | None = None) -> State:
        """Return one x_0 for each stream.

        Args:
            noise: Any number of streams.
            start: States to start from, in place of the model's own prior (remasked designs).
        """
        ...

    def look(self, noise: Noise) -> Look:
        """Return draws with their path KLs."""
        ...


@dataclass(frozen=True)
class ModelSampler:
    """The current version of a model.

    Args:
        model: The model; it draws by the weights that it has when it is asked.
    """

    model: DiffusionModel[Transition]

    @property
    def population(self) -> int:
        """1: every stream is drawn on its own."""
        return 1

    def draw(self, noise: Noise, start: State | None = None) -> State:
        """Return one draw for each stream."""
        return draw(ModelPolicy(self.model), None, noise, start=start)

    @torch.no_grad()
    def look(self, noise: Noise) -> Look:
        """Return draws with their path KLs."""
        trajectory = rollout(ModelPolicy(self.model), None, noise)
        return Look(
            x_0=trajectory.x_0,
            kl_pretrained=float(path_kl(trajectory, ModelPolicy(self.model, "pretrained")).mean()),
            kl_previous=float(path_kl(trajectory, ModelPolicy(self.model, "previous")).mean()),
        )


@dataclass(frozen=True)
class SteeredSampler:
    """The pretrained version of a model, steered towards the optimum of a problem.

    Args:
        model: The model.
        steering: How it is steered.
        problem: Towards what; its only anchor is the pretrained policy.
    """

    model: DiffusionModel[Transition]
    steering: Steering
    problem: Problem[Transition]

    @property
    def population(self) -> int:
        """That of the steering."""
        return self.steering.population

    def draw(self, noise: Noise, start: State | None = None) -> State:
        """Return one draw for each stream."""
        return self._draw(noise, start).x_0[: len(noise)]

    def look(self, noise: Noise) -> Look:
        """Return draws with the KL that the steering estimates; that from the previous round's law is not known."""
        drawn = self._draw(noise, None)
        return Look(x_0=drawn.x_0[: len(noise)], kl_pretrained=drawn.kl, kl_previous=None)

    def _draw(self, noise: Noise, start: State | None) -> Steered:
        """Draw whole populations; the last one is filled up with streams of its own."""
        missing = torch.arange(-len(noise) % self.population)
        rows = missing % len(noise)
        filled = Noise(torch.cat([noise.keys, noise[rows].fold_in(_FILL).fold_in(missing).keys]))
        if start is not None:
            start = torch.cat([start, start[rows]])
        return self.steering.draw(self.problem.anchors[0].policy, self.problem, None, filled, start)


def chunk(sampler: Sampler) -> int:
    """Return how many streams to draw a time, in whole populations."""
    return max(1, CHUNK // sampler.population) * sampler.population


def draw_many(sampler: Sampler, seed: int, n: int) -> State:
    """Return n draws; those of a larger n begin with the same."""
    whole, size = -(-n // sampler.population) * sampler.population, chunk(sampler)
    noise = Noise.seeded(seed, whole)
    return torch.cat([sampler.draw(noise[i : i + size]) for i in range(0, whole, size)])[:n]
