"""What draws designs in a round: the model's current version, or the pretrained one steered.

    moved      x_0 ~ p_current, whose weights an update has moved
    steered    x_0 ~ p_pre(x) exp(B(x)), whose weights are the pretrained ones

Candidates, the look at a round and `seiko sample` draw through this noun and do not ask which of the two it is, nor
for which prompts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from seiko.campaign.prompts import Conditioner, prompted
from seiko.designs import Design
from seiko.diffusion import Conditioning, Noise, PerSample, State, Transition, draw, path_kl, rollout
from seiko.models import Bounded, DiffusionModel, ModelPolicy, Version
from seiko.updates import Problem, Steered, Steering

__all__ = ["Look", "ModelSampler", "Sampler", "SteeredSampler", "at_a_time", "chunk", "draw_designs", "draw_many"]

CHUNK = 1000  # draws a time: bounds memory, and decides nothing else
_FILL = -21  # sub-stream: particles drawn beside those asked for


@dataclass(frozen=True, kw_only=True)
class Look:
    """Draws, and how far their law is from others.

    Args:
        x_0: One state for each stream.
        kl_pretrained: Estimate of the path KL from the pretrained model, nats.
        kl_previous: Likewise from the version that the model remembers as previous; None where it is not known.
        kls: `[n]` path KL from the pretrained model along each sample's own path, nats; None where only the mean is
            known (steered).
    """

    x_0: State
    kl_pretrained: float
    kl_previous: float | None
    kls: PerSample | None = None


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

    @property
    def conditioner(self) -> Conditioner | None:
        """Prompts that are drawn for; None for a model that takes none."""
        ...

    def prompts(self, noise: Noise) -> list[str] | None:
        """Return what each stream's x_0 is drawn for; None if the model takes no prompts."""
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
        conditioner: Prompts to draw for; None for a model that takes none.
        version: Which of its versions draws.
        previous: Which of them is the previous round's; in the first round the pretrained one, which is asked once.
    """

    model: DiffusionModel[Transition]
    conditioner: Conditioner | None = None
    version: Version = "current"
    previous: Version = "previous"

    @property
    def population(self) -> int:
        """1: every stream is drawn on its own."""
        return 1

    def prompts(self, noise: Noise) -> list[str] | None:
        """Return the prompt of each stream."""
        return None if self.conditioner is None else self.conditioner.of(noise)

    def draw(self, noise: Noise, start: State | None = None) -> State:
        """Return one draw for each stream."""
        policy: ModelPolicy[Transition] = ModelPolicy(self.model, self.version)
        start = None if start is None else start.to(policy.device)
        return draw(policy, _given(self.conditioner, noise), noise, start=start)

    @torch.no_grad()
    def look(self, noise: Noise) -> Look:
        """Return draws with their path KLs."""
        parts = [self._look(noise[i : i + chunk(self)]) for i in range(0, len(noise), chunk(self))]
        x_0, pretrained, previous = (torch.cat(part) for part in zip(*parts, strict=True))
        return Look(x_0=x_0, kl_pretrained=float(pretrained.mean()), kl_previous=float(previous.mean()), kls=pretrained)

    def _look(self, noise: Noise) -> tuple[State, PerSample, PerSample]:
        policy: ModelPolicy[Transition] = ModelPolicy(self.model, self.version)
        trajectory = rollout(policy, _given(self.conditioner, noise), noise)

        def kl_from(version: Version) -> PerSample:
            if version == self.version:
                return torch.zeros(len(noise), device=trajectory.x_0.device)
            return path_kl(trajectory, ModelPolicy(self.model, version))

        pretrained = kl_from("pretrained")
        return trajectory.x_0, pretrained, pretrained if self.previous == "pretrained" else kl_from(self.previous)


@dataclass(frozen=True)
class SteeredSampler:
    """The pretrained version of a model, steered towards the optimum of a problem.

    Args:
        model: The model.
        steering: How it is steered.
        problem: Towards what; its only anchor is the pretrained policy.
        conditioner: Prompts to draw for, one a population; None for a model that takes none.
    """

    model: DiffusionModel[Transition]
    steering: Steering
    problem: Problem[Transition]
    conditioner: Conditioner | None = None

    @property
    def population(self) -> int:
        """That of the steering."""
        return self.steering.population

    def prompts(self, noise: Noise) -> list[str] | None:
        """Return the prompt of each stream, which is that of its population."""
        return None if self.conditioner is None else self.conditioner.together(self.population).of(noise)

    def draw(self, noise: Noise, start: State | None = None) -> State:
        """Return one draw for each stream."""
        return self._draw(noise, start).x_0[: len(noise)]

    def look(self, noise: Noise) -> Look:
        """Return draws with the KL that the steering estimates; that from the previous round's law is not known."""
        drawn = self._draw(noise, None)
        return Look(x_0=drawn.x_0[: len(noise)], kl_pretrained=drawn.kl, kl_previous=None)

    def _draw(self, noise: Noise, start: State | None) -> Steered:
        """Draw whole populations; the last one is filled up with streams of its own."""
        device = ModelPolicy(self.model).device
        missing = torch.arange(-len(noise) % self.population)
        rows = missing % len(noise)
        filled = Noise(torch.cat([noise.keys, noise[rows].fold_in(_FILL).fold_in(missing).keys])).to(device)
        if start is not None:
            start = torch.cat([start, start[rows]]).to(device)
        together = None if self.conditioner is None else self.conditioner.together(self.population)
        given, policy = _given(together, filled), self.problem.anchors[0].policy
        return self.steering.draw(policy, self.problem.given(given), given, filled, start)


def _given(conditioner: Conditioner | None, noise: Noise) -> Conditioning:
    return None if conditioner is None else conditioner(noise)


def chunk(sampler: Sampler) -> int:
    """Return how many streams to draw a time, in whole populations."""
    return max(1, at_a_time(sampler.model) // sampler.population) * sampler.population


def at_a_time(model: DiffusionModel[Transition]) -> int:
    """Return how many states a model is given at a time."""
    return max(1, model.batch) if isinstance(model, Bounded) else CHUNK


def draw_many(sampler: Sampler, seed: int, n: int) -> State:
    """Return n draws; those of a larger n begin with the same."""
    return torch.cat([sampler.draw(noise) for noise in _streams(sampler, seed, n)])[:n]


def draw_designs(sampler: Sampler, seed: int, n: int) -> list[Design]:
    """Return the draws of `draw_many` as designs, with what they were drawn for."""
    designs: list[Design] = []
    for noise in _streams(sampler, seed, n):
        designs += prompted(sampler.model.export(sampler.draw(noise)), sampler.prompts(noise))
    return designs[:n]


def _streams(sampler: Sampler, seed: int, n: int) -> Iterator[Noise]:
    """Yield the streams of n draws, in whole populations."""
    whole, size = -(-n // sampler.population) * sampler.population, chunk(sampler)
    noise = Noise.seeded(seed, whole)
    yield from (noise[i : i + size] for i in range(0, whole, size))
