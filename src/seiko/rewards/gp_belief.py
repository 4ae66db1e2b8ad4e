"""What a fitted Gaussian process believes: posterior, joint errors and draws, in the oracle's units.

    y = mean + scale t(u),    u | labels ~ GP,    t = u unless the labels were warped

A draw is Matheron's: a draw of the prior in random features, moved onto the labels by the kernel itself, so that near
the labels it is exact and far from them it keeps the prior's full spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import FitReport, Posterior
from seiko.rewards.covariance import Covariance, Function, Hyperparameters
from seiko.rewards.gp_posterior import Solution
from seiko.rewards.warping import Warp

__all__ = ["GaussianProcessBelief", "GaussianProcessDraw", "GaussianProcessErrors"]

_ROWS = 8192  # states a block


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcessDraw:
    """One function drawn from a Gaussian process's posterior.

    Args:
        report: What the fit saw.
        scale: Standard deviation of the fitted labels, oracle's units.
        function: States to values in the oracle's units.
    """

    report: FitReport
    scale: float
    function: Callable[[Tensor], Tensor] = field(repr=False)

    def posterior(self, x: Tensor) -> Posterior:
        """Return the drawn function's values, with std 0."""
        mean = torch.cat([self.function(part) for part in torch.split(x, _ROWS)])
        return Posterior(mean=mean, std=torch.zeros_like(mean))

    def draw(self, generator: torch.Generator) -> GaussianProcessDraw:
        """Return itself."""
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcessBelief:
    """A fitted `GaussianProcess`.

    Args:
        report: What the fit saw.
        scale: Standard deviation of the fitted labels, oracle's units.
        mean: What 0 stands for, oracle's units: what is believed where nothing is known, unless labels are warped.
        covariance: The kernel, with its symmetry.
        logs: Its log hyperparameters.
        signal: s^2, standard units.
        noise: sigma^2, standard units.
        inducing: `[m, *event]` labelled states that carry the posterior; all of them where it is exact.
        solution: What the labels say of them.
        product: inputs of x -> k(x, inducing) [weights | root].
        features: Random features of a draw.
        warp: What was done to the labels in standard units; None for nothing.
    """

    report: FitReport
    scale: float
    mean: float
    covariance: Covariance
    logs: Hyperparameters = field(repr=False)
    signal: float
    noise: float
    inducing: Tensor = field(repr=False)
    solution: Solution = field(repr=False)
    product: Function = field(repr=False)
    features: int
    warp: Warp | None = None

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and epistemic std, oracle's units; the gradient reaches a relaxed x where the kernel lets it."""
        parts = [self._standard(part) for part in torch.split(x, _ROWS)]
        mean, std = torch.cat([m for m, _ in parts]), torch.cat([s for _, s in parts])
        if self.warp is None:
            return Posterior(mean=self.mean + self.scale * mean, std=self.scale * self.report.std_scale * std)
        mean, std = self.warp.moments(mean, self.report.std_scale * std)
        return Posterior(mean=self.mean + self.scale * mean, std=self.scale * std)

    def _standard(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.covariance.inputs(x)
        found = self.product(inputs)
        explained = found[:, 1:].square().sum(1)
        variance = self.signal * self.covariance.diagonal(self.logs, inputs) - explained
        return found[:, 0], variance.clamp_min(1e-12).sqrt()

    def errors(self, x: Tensor) -> GaussianProcessErrors:
        """Return the epistemic covariance at states x, oracle's units squared; of warped labels, to first order."""
        parts = [self.covariance.inputs(part) for part in torch.split(x, _ROWS)]
        found = torch.cat([self.product(part) for part in parts])
        prior = self.signal * torch.cat([self.covariance.diagonal(self.logs, part) for part in parts])
        slope = None
        if self.warp is not None:
            std = self.report.std_scale * (prior - found[:, 1:].square().sum(1)).clamp_min(1e-12).sqrt()
            slope = self.warp.moments(found[:, 0], std)[1] / std
        return GaussianProcessErrors(belief=self, parts=parts, explained=found[:, 1:], prior=prior, slope=slope)

    def draw(self, generator: torch.Generator) -> GaussianProcessDraw:
        """Return a posterior draw by Matheron's rule, as a belief with std 0 (Thompson sampling).

        Like std, a draw's distance from the mean is multiplied by the report's `std_scale`.
        """
        at_z = self.covariance.inputs(self.inducing)
        phi = self.covariance.random_features(self.logs, at_z, self.features, generator)
        at_inducing = phi(at_z).to(torch.float64)
        xi = torch.randn(at_inducing.shape[1], generator=generator, dtype=torch.float64).to(at_inducing.device)
        w = self.signal**0.5 * xi
        correction = self.solution.correction(at_inducing @ w, generator)
        # Away from the mean, both in one product: (k v - mean) + Phi w, and the mean itself.
        both = torch.stack([self.solution.weights, correction - self.solution.weights], dim=1)
        moved = self.covariance.towards(self.logs, at_z, self.signal * both)

        def function(x: Tensor) -> Tensor:
            inputs = self.covariance.inputs(x)
            values = moved(inputs)
            away = values[:, 1] + phi(inputs) @ w.to(values)
            u = values[:, 0] + self.report.std_scale * away
            drawn: Tensor = self.mean + self.scale * (u if self.warp is None else self.warp.inverse(u))
            return drawn

        return GaussianProcessDraw(report=self.report, scale=self.scale, function=function)


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcessErrors:
    """Epistemic covariance of a `GaussianProcessBelief` at some states.

    Args:
        belief: The posterior.
        parts: Inputs of the kernel, in blocks.
        explained: `[n, r]`, rows whose inner products are the covariance that the labels have explained.
        prior: `[n]` variance before any label.
        slope: `[n]` std of each state over what it was before the labels' transform was undone; None without one.
    """

    belief: GaussianProcessBelief
    parts: Sequence[Any] = field(repr=False)
    explained: Float[Tensor, "n r"] = field(repr=False)
    prior: Float[Tensor, "n"] = field(repr=False)
    slope: Float[Tensor, "n"] | None = field(repr=False)

    @property
    def variance(self) -> Float[Tensor, "n"]:
        """Of each state, oracle's units squared."""
        found: Tensor = self._unit * (self.prior - self.explained.square().sum(1)).clamp_min(1e-12)
        return found if self.slope is None else found * self.slope.square()

    def column(self, row: int) -> Float[Tensor, "n"]:
        """Return the covariance of all states with one of them."""
        one = _row(self.parts[row // _ROWS], row % _ROWS)
        compare, logs = self.belief.covariance, self.belief.logs
        prior = self.belief.signal * torch.cat([compare(logs, part, one)[:, 0] for part in self.parts])
        found: Tensor = self._unit * (prior - self.explained @ self.explained[row])
        return found if self.slope is None else found * self.slope * self.slope[row]

    @property
    def _unit(self) -> float:
        return (self.belief.scale * self.belief.report.std_scale) ** 2


def _row(inputs: Any, row: int) -> Any:
    """Return the inputs of one state."""
    if isinstance(inputs, Sequence):
        return tuple(_row(part, row) for part in inputs)
    return inputs[row : row + 1]
