"""Problems on the toys whose optimum is known, and a solver that lowers the learning rate as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.diffusion import Noise
from seiko.models import EnumerableToy, GaussianToy, ModelPolicy
from seiko.updates import FixedStrength, Update, UpdateState, improve
from seiko.updates.base import Anchor, Problem

STEPS = 4  # of the Gaussian toy


@dataclass(frozen=True, kw_only=True)
class Case:
    """A toy, an objective of its final states, and the two anchors' coefficients."""

    toy: Any
    objective: Callable[[Tensor], Tensor]
    alpha: float
    beta: float

    def problem(self) -> Problem[Any]:
        pretrained, previous = (ModelPolicy(self.toy, version) for version in ("pretrained", "previous"))
        return Problem(self.objective, (Anchor(pretrained, self.alpha), Anchor(previous, self.beta)))

    def solve(self, update: Update[Any], steps: int, samples: int = 256) -> None:
        """Take most steps at the update's learning rate, and two short stages at a fifth and a twenty-fifth of it."""
        for stage, part in enumerate((0.5, 0.25, 0.25)):
            improve(
                ModelPolicy(self.toy),
                replace(update, learning_rate=update.learning_rate / 5**stage),
                self.objective,
                pretrained=ModelPolicy(self.toy, "pretrained"),
                previous=ModelPolicy(self.toy, "previous"),
                strength=FixedStrength(alpha=self.alpha, beta=self.beta),
                steps=round(part * steps),
                samples=samples,
                seed=stage,
            )


@dataclass(frozen=True, kw_only=True)
class GaussianCase(Case):
    """A(x) = weight * x on the Gaussian toy; where beta > 0 the previous version differs in its offsets."""

    weight: float

    @classmethod
    def build(cls, *, eta: float = 1.0, beta: float = 0.0) -> GaussianCase:
        toy = GaussianToy.exact(std=0.5, num_steps=STEPS, eta=eta)
        if beta:
            shifted = toy.versions.state_dict()
            shifted["offset"] = shifted["offset"] + torch.linspace(0.0, 0.15, STEPS)[:, None]
            toy.versions.load_state_dict(shifted)
            toy.versions.remember()
            toy.versions.reset()
        weight = 2.0
        return cls(toy=toy, objective=lambda x: weight * x[:, 0], alpha=0.5, beta=beta, weight=weight)

    def reached(self) -> tuple[float, float, float]:
        """Return mean, variance and value J of the current version, exactly."""
        with torch.no_grad():
            mean, variance = self.toy.law()
            kls = [float(self.toy.path_kl("current", anchor)) for anchor in ("pretrained", "previous")]
        value = self.weight * float(mean) - self.alpha * kls[0] - self.beta * kls[1]
        return float(mean), float(variance), value

    def optimum(self) -> tuple[float, float]:
        """Return the tilted law's mean and variance."""
        with torch.no_grad():
            anchors = [(*self.toy.law("pretrained"), self.alpha), (*self.toy.law("previous"), self.beta)]
            mean, variance = self.toy.tilted(torch.tensor([self.weight]), anchors)
        return float(mean), float(variance)

    def optimal_value(self) -> float:
        """Return J at the optimum: the offsets move by the gradient of the value, which is linear in the state."""
        with torch.no_grad():
            pretrained, previous = (list(self.toy.steps(version)) for version in ("pretrained", "previous"))
            temperature = self.alpha + self.beta
            gain, mean, kls = torch.ones(1), torch.zeros(1), torch.zeros(2)
            gains = [torch.ones(1)]
            for slope, _, _ in reversed(pretrained):
                gain = gain * slope
                gains.append(gain)
            for (slope, first, std), (_, second, _), later in zip(
                pretrained, previous, reversed(gains[:-1]), strict=True
            ):
                centre = (self.alpha * first + self.beta * second) / temperature
                offset = centre + std**2 * self.weight * later / temperature
                kls += torch.cat([(offset - first) ** 2, (offset - second) ** 2]) / (2 * std**2)
                mean = slope * mean + offset
        return self.weight * float(mean) - self.alpha * float(kls[0]) - self.beta * float(kls[1])


@dataclass(frozen=True, kw_only=True)
class EnumerableCase(Case):
    """A random objective on a random joint law; where beta > 0 the previous version is another joint law."""

    rewards: Tensor

    @classmethod
    def build(
        cls, *, length: int = 3, vocabulary: int = 3, num_steps: int | None = None, beta: float = 0.0
    ) -> EnumerableCase:
        generator = torch.Generator().manual_seed(0)
        first, second = torch.rand(2, *[vocabulary] * length, generator=generator, dtype=torch.float64) + 0.1
        toy = EnumerableToy.from_law(first, num_steps=num_steps)
        if beta:
            toy.versions.load_state_dict({"logits": toy.conditionals(second).float()})
            toy.versions.remember()
            toy.versions.reset()
        rewards = torch.randn(vocabulary**length, generator=generator)
        return cls(toy=toy, objective=lambda x: toy.lookup(rewards, x), alpha=0.4, beta=beta, rewards=rewards)

    def value(self) -> Tensor:
        """Return J of the current version, exactly and differentiably."""
        kls = [self.toy.path_kl("current", anchor) for anchor in ("pretrained", "previous")]
        value: Tensor = self.toy.law() @ self.rewards - self.alpha * kls[0] - self.beta * kls[1]
        return value

    def optimum(self) -> tuple[Tensor, float]:
        """Return the tilted law and its value."""
        with torch.no_grad():
            anchors = [(self.toy.law("pretrained"), self.alpha), (self.toy.law("previous"), self.beta)]
            law, value = self.toy.tilted(self.rewards, anchors)
        return law, float(value)

    def total_variation(self) -> float:
        """Return the distance of the current law from the tilted one, in [0, 1]."""
        with torch.no_grad():
            return 0.5 * float((self.toy.law() - self.optimum()[0]).abs().sum())

    def exact_gradient(self) -> Tensor:
        """Return the gradient of J in the table of logits, flat."""
        return torch.autograd.grad(self.value(), self.toy.versions.parameters())[0].flatten()

    def sampled_gradients(self, update: Update[Any], batches: int, samples: int) -> Tensor:
        """Return one flat gradient of J a batch, as the update estimates it; the weights stay where they are."""
        policy, gradients = ModelPolicy(self.toy), []
        state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
        for batch in range(batches):
            update.step(state, policy, self.problem(), None, Noise.seeded(batch, samples))
            gradients.append(-policy.parameters()[0].grad.flatten().clone())  # type: ignore[union-attr]
        return torch.stack(gradients)


@pytest.fixture
def gaussian_case() -> Callable[..., GaussianCase]:
    return GaussianCase.build


@pytest.fixture
def enumerable_case() -> Callable[..., EnumerableCase]:
    return EnumerableCase.build
