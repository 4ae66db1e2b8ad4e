"""What we believe about the oracle: the contract of a reward model.

A reward model is frozen configuration; `fit` returns a `Belief`, which is what the acquisition, the updates and the
report look at. Inputs are states x of the diffusion model (token indices `[n, L]` or their one-hot relaxation
`[n, L, V]`, images, vectors); a `Feature` turns them into what the regression sees. Labels are standardised inside,
posteriors come back in the oracle's own units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.choices import Choices

__all__ = ["Belief", "Calibration", "FitReport", "Posterior", "PreferenceRewardModel", "RewardModel"]


@dataclass(frozen=True)
class Posterior:
    """Belief about the reward at n states, in the oracle's units.

    Args:
        mean: `[n]`.
        std: `[n]`, *epistemic*: what more labels would shrink; label noise is not in it.
        members: `[m, n]`, one row a member or posterior draw; None where the model has none.
    """

    mean: Float[Tensor, "n"]
    std: Float[Tensor, "n"]
    members: Float[Tensor, "m n"] | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How predictions met labels that had not been fitted.

    Args:
        n: Number of labels.
        r2: 1 - residual variance / label variance; NaN below two labels or without spread.
        spearman: Rank correlation of mean and label; NaN below two labels or without spread.
        nll: Mean Gaussian negative log-likelihood, nats a label, in the oracle's units.
        coverage: Share of labels within mean ± 1.96 predictive standard deviations (nominal .95).
        rmse: Root mean squared error, in the oracle's units.
    """

    n: int
    r2: float
    spearman: float
    nll: float
    coverage: float
    rmse: float


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """What a fit saw and how well it does on labels held out from it.

    Args:
        labels: Number of labels fitted, held-out ones included.
        held_out: Calibration on the labels held out by the seed; None if there were too few to hold any out.
        residual_std: Estimated standard deviation of a label about the mean (noise and misfit), oracle's units.
        std_scale: Factor by which the raw epistemic std was rescaled on held-out labels.
        seconds: Wall-clock time of the fit.
    """

    labels: int
    held_out: Calibration | None
    residual_std: float
    std_scale: float
    seconds: float


@runtime_checkable
class Belief(Protocol):
    """A fitted reward model."""

    @property
    def report(self) -> FitReport:
        """What the fit saw."""
        ...

    @property
    def scale(self) -> float:
        """Standard deviation of the fitted labels, oracle's units; alpha and beta are multiples of it a nat."""
        ...

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and epistemic std at states x; differentiable in x where the feature is."""
        ...

    def draw(self, generator: torch.Generator) -> Belief:
        """Return one function drawn from the posterior, as a belief with std 0 (Thompson sampling)."""
        ...


@runtime_checkable
class RewardModel(Protocol):
    """Frozen configuration that turns labels into a belief."""

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> Belief:
        """Fit all labels; the same arguments give the same belief, bit for bit.

        Args:
            x: `[n, *event]` states of the labelled designs.
            y: `[n]` labels, larger is better.
            noise: `[n]` standard deviation of each label, same units, NaN where it is not known; None if never known.
            seed: Seeds the validation split, the bootstrap and the initial weights.
        """
        ...


@runtime_checkable
class PreferenceRewardModel(RewardModel, Protocol):
    """A reward model that also learns from comparisons; a campaign asks it to as soon as there are any."""

    def fit_with(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, choices: Choices, seed: int
    ) -> Belief:
        """Fit scores and answers together; the same arguments give the same belief, bit for bit.

        Without any score the belief's unit is that of the raters' noise: a difference of 1 is odds of e to 1.

        Args:
            x: `[n, *event]` states that have a score, or are in an answer, or both.
            y: `[n]` scores, larger is better; NaN where there is none.
            noise: `[n]` standard deviation of each score, NaN where it is not known; None if never known.
            choices: Which of some of these states was the best.
            seed: As in `fit`.
        """
        ...
