"""Online PPO: a policy gradient on true labels, without a reward model; what learning from few labels is held against.

    A(x_0) = (label - mean) / std,    mean and std of the labels of the first step

Each path of the current model costs a label, which serves the step that it was bought in and no other. Duplicates are
bought again, as in the paper.

References:
    Black et al., "Training Diffusion Models with Reinforcement Learning", 2023, https://arxiv.org/abs/2305.13301;
    the baseline "online PPO" of Uehara et al., 2024, https://arxiv.org/abs/2402.16359.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seiko.campaign.landing import land
from seiko.campaign.prompts import Conditioner
from seiko.campaign.sampler import ModelSampler
from seiko.diffusion import Noise, Transition
from seiko.models import DiffusionModel, ModelPolicy
from seiko.oracles import Oracle
from seiko.updates import PPO, KLBudget, StepReport, improve

__all__ = ["Bought", "OnlinePPO"]


@dataclass
class Bought:
    """True labels as an objective, reward standard deviations; each state costs one.

    Args:
        model: Whose states they are.
        oracle: Who labels.
        values: What was bought so far, oracle's units.
    """

    model: DiffusionModel[Transition]
    oracle: Oracle
    values: list[float] = field(default_factory=list)
    _unit: tuple[float, float] | None = None

    def __call__(self, x_0: Tensor) -> Tensor:
        """Return A; what the oracle calls infeasible counts as the least label of its step.

        Raises:
            ValueError: If no design of the first step has a label.
        """
        told = [label.value for label in self.oracle(self.model.export(x_0))]
        known = [value for value in told if value is not None]
        if not known and self._unit is None:
            raise ValueError(f"none of the first {len(told)} designs has a label: there is nothing to learn from")
        least = min(known, default=min(self.values, default=0.0))
        values = torch.tensor([least if value is None else value for value in told])
        self.values += values.tolist()
        if self._unit is None:
            self._unit = float(values.mean()), float(values.std().clamp_min(1e-6))
        mean, std = self._unit
        return ((values - mean) / std).to(x_0.device)


@dataclass(frozen=True, kw_only=True)
class OnlinePPO:
    """How the labels are spent.

    Args:
        update: The policy gradient.
        strength: Nats from the pretrained model that it may go.
        paths: Labels a step.
        look: Draws that a KL is estimated from.
    """

    update: PPO
    strength: KLBudget
    paths: int
    look: int = 300

    def run(
        self,
        model: DiffusionModel[Transition],
        oracle: Oracle,
        labels: int,
        seed: int,
        conditioner: Conditioner | None = None,
        seen: Callable[[int], None] = lambda labels: None,
        every: int = 1,
    ) -> Bought:
        """Spend labels, and leave the model where they led.

        Args:
            model: Its current version moves.
            oracle: Who labels.
            labels: How many, a multiple of `paths`.
            seed: Seeds all draws.
            conditioner: What is drawn for.
            seen: Called with the labels so far, every so many.
            every: Labels between two calls of it, a multiple of `paths`.

        Raises:
            ValueError: If a number is no such multiple.
        """
        for name, number in (("labels", labels), ("every", every)):
            if number % self.paths:
                raise ValueError(f"{name} must be a multiple of {self.paths} paths a step, got {number}")
        bought = Bought(model, oracle)
        pretrained: ModelPolicy[Transition] = ModelPolicy(model, "pretrained")

        def follow(step: int, report: StepReport, alpha: float) -> None:
            if step * self.paths % every == 0:
                self._hold(model, seed * 1000 + step, conditioner)
                seen(step * self.paths)

        improve(
            ModelPolicy(model),
            self.update,
            bought,
            pretrained=pretrained,
            previous=pretrained,
            strength=self.strength,
            steps=labels // self.paths,
            samples=self.paths,
            seed=seed,
            conditioning=conditioner,
            report=follow,
        )
        return bought

    def _hold(self, model: DiffusionModel[Transition], seed: int, conditioner: Conditioner | None) -> None:
        """Take a model that is beyond the budget back to it, as every round of a campaign does."""
        sampler = ModelSampler(model, conditioner, previous="pretrained")
        if sampler.look(Noise.seeded(seed, self.look)).kl_pretrained > self.strength.nats:
            land(model, lambda x: torch.zeros(len(x)), self.strength.nats, self.look, seed + 1, conditioner)
