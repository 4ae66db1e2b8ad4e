"""Configuration that only the theory bench needs; recipes in its ledgers name these classes.

InUnits       alpha and beta counted in fixed reward units, so that all rounds have one objective
Covariance    the wrong uncertainty, sqrt(phi^T Cov(Phi) phi) in place of sqrt(phi^T (Phi^T Phi + lambda I)^-1 phi)
Agreement     a landscape of short DNA without any data, for quick runs
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import Design
from seiko.oracles import Label
from seiko.rewards import Belief, FitReport, LastLayer, LastLayerBelief, Posterior, RewardModel

__all__ = ["Agreement", "Covariance", "InUnits"]


@dataclass(frozen=True)
class _Scaled:
    """A belief whose alpha and beta are multiples of a given number."""

    belief: Belief
    scale: float

    @property
    def report(self) -> FitReport:
        return self.belief.report

    def posterior(self, x: Tensor) -> Posterior:
        return self.belief.posterior(x)

    def draw(self, generator: torch.Generator) -> _Scaled:
        return _Scaled(self.belief.draw(generator), self.scale)


@dataclass(frozen=True, kw_only=True)
class InUnits:
    """Fit a reward model, but count alpha and beta in multiples of a fixed number instead of the labels' spread.

    The labels' spread changes from round to round, and the regret bound speaks of one alpha and one beta.

    Args:
        reward_model: What is fitted.
        scale: Reward units in which alpha and beta count.
    """

    reward_model: RewardModel
    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be a positive number of reward units, got {self.scale}")

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> Belief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`."""
        return _Scaled(self.reward_model.fit(x, y, noise, seed), self.scale)


@dataclass(frozen=True, kw_only=True)
class Covariance:
    """Regress on features, with the features' covariance where the inverse ridge matrix belongs: an ablation.

    It is large where labels are many, and does not shrink as they come.

    Args:
        reward_model: What is fitted; its mean is kept.
    """

    reward_model: LastLayer

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> LastLayerBelief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`."""
        belief = self.reward_model.fit(x, y, noise, seed)
        with torch.no_grad():
            phi = belief.feature(x).double()
        centred = phi - phi.mean(0)
        # std(x) = |phi root| with root = centred^T / sqrt(n), whose square is the covariance
        return dataclasses.replace(belief, root=centred.T / len(phi) ** 0.5, missing=None)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Answer DNA of one length with its agreement with a motif, on the better strand: (matches / L)^2, in [0, 1].

    Args:
        motif: The best sequence.
    """

    motif: str = "GATA"

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return [Label(value=max(self._on(design.content), self._on(_opposite(design.content)))) for design in designs]

    def _on(self, sequence: str) -> float:
        return (sum(a == b for a, b in zip(sequence, self.motif, strict=True)) / len(self.motif)) ** 2


def _opposite(sequence: str) -> str:
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))
