"""Bayesian linear regression on features: the belief whose uncertainty is exact and shrinks as labels come.

    t_i = phi_i . w + noise_i,    w ~ N(0, s^2 I),   noise_i ~ N(0, sigma^2 r_i),   lambda = sigma^2 / s^2
    mean(x) = phi . A^-1 Phi^T R^-1 t,   std(x) = sigma sqrt(phi^T A^-1 phi),   A = Phi^T R^-1 Phi + lambda I

the ridge form of UCB (a covariance of the features in place of A would not shrink). A is factorised once a fit. The
feature (of those that its source proposes) and lambda are chosen by marginal likelihood on a grid, with s^2 integrated
out. For a slice of a kernel, what the slice misses of k(x, x) is added to the variance, so that std is the Gaussian
process's own. r_i is 1, or larger for labels that are known to be noisier.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import FitReport, Posterior
from seiko.rewards.calibration import calibration
from seiko.rewards.evidence import Evidence, best_evidence
from seiko.rewards.features import Candidate, Feature, FeatureSource, Product, Projectable, Symmetrised
from seiko.rewards.rescaling import Rescale, Rescaling, honest
from seiko.rewards.standardise import Standardised, standardise
from seiko.rewards.symmetry import Symmetry

__all__ = ["LastLayer", "LastLayerBelief"]

_ROWS = 8192  # states a block


@dataclass(frozen=True, kw_only=True, eq=False)
class LastLayerBelief:
    """A fitted `LastLayer`.

    Args:
        report: What the fit saw.
        scale: Standard deviation of the fitted labels, oracle's units.
        mean: Mean of the fitted labels, oracle's units.
        feature: phi.
        weights: `[d]`, posterior mean of w (or the draw), standard units.
        root: `[d, d]`, std(x) = |phi root| from the weights; None for a draw.
        missing: (s^2, k(x, x)) of a kernel slice in standard units, after rescaling; None if nothing is missing.
    """

    report: FitReport
    scale: float
    mean: float
    feature: Feature
    weights: Tensor = field(repr=False)
    root: Tensor | None = field(repr=False)
    missing: tuple[float, float] | None

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and epistemic std, oracle's units; the gradient reaches a relaxed x."""
        parts = [self._standard(part) for part in torch.split(x, _ROWS)]
        mean, std = torch.cat([m for m, _ in parts]), torch.cat([s for _, s in parts])
        return Posterior(mean=self.mean + self.scale * mean, std=self.scale * std)

    def errors(self, x: Tensor) -> LastLayerErrors:
        """Return the epistemic covariance at states x, oracle's units squared; what is missing has none."""
        std = self.posterior(x).std
        if self.root is None:
            return LastLayerErrors(variance=std.square(), rows=std.new_zeros(len(std), 0))
        return LastLayerErrors(variance=std.square(), rows=self._times(self.scale * self.root)(x))

    def draw(self, generator: torch.Generator) -> LastLayerBelief:
        """Return a posterior draw of the weights as a belief with std 0 (Thompson sampling).

        What a kernel slice misses is not drawn: far from every landmark a draw stays near the mean.
        """
        if self.root is None:
            return self
        xi = torch.randn(self.root.shape[1], generator=generator, dtype=torch.float64).to(self.weights.device)
        return LastLayerBelief(
            report=self.report,
            scale=self.scale,
            mean=self.mean,
            feature=self.feature,
            weights=self.weights + self.root @ xi,
            root=None,
            missing=None,
        )

    def _standard(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self._product(x)
        mean = found[:, 0]
        if self.root is None:
            return mean, torch.zeros_like(mean)
        variance = found[:, 1:].square().sum(1)
        if self.missing is not None:
            variance = self.missing[0] * self.missing[1] - variance
        return mean, variance.clamp_min(torch.finfo(mean.dtype).tiny).sqrt()

    @cached_property
    def _product(self) -> Feature:
        """phi(x) [weights | root], or the root of the variance explained where that is subtracted from the prior's."""
        columns = [self.weights[:, None]]
        if self.root is not None and self.missing is None:
            columns.append(self.root)
        elif self.root is not None and self.missing is not None:
            left, vectors = torch.linalg.eigh(self.root @ self.root.T)
            columns.append(vectors * (self.missing[0] - left).clamp_min(0.0).sqrt())
        return self._times(torch.cat(columns, dim=1))

    def _times(self, matrix: Float[Tensor, "d c"]) -> Feature:
        """Return x -> phi(x) matrix."""
        if isinstance(self.feature, Projectable):
            return self.feature.times(matrix)
        return Product(feature=self.feature, matrix=matrix)


@dataclass(frozen=True, kw_only=True, eq=False)
class LastLayerErrors:
    """Epistemic covariance of a `LastLayerBelief` at some states, oracle's units squared.

    Args:
        variance: `[n]` of each state.
        rows: `[n, d]` phi root; two states have in common what their features have.
    """

    variance: Float[Tensor, "n"]
    rows: Float[Tensor, "n d"] = field(repr=False)

    def column(self, row: int) -> Float[Tensor, "n"]:
        """Return the covariance of all states with one of them."""
        found = self.rows @ self.rows[row]
        found[row] = self.variance[row]
        return found


@dataclass(frozen=True, kw_only=True)
class LastLayer:
    """Regress on features with a closed-form posterior.

    Args:
        features: An explicit `Feature`, or a source that proposes them from the labels (`Windows`, `Learned`).
        symmetry: Transformations that leave the reward unchanged; the features are averaged over its orbits.
        ridge: lambda, in units of squared features; None chooses it by marginal likelihood.
        rescale: Multiply std by a factor fitted on leave-one-out predictions; a feature that was fitted to the labels
            (`Learned`) is too sure of itself. `"coverage"` makes mean ± 1.96 std hold 95 % of the labels left out.

    Raises:
        ValueError: If the ridge is not positive.

    References:
        Bishop, "Pattern recognition and machine learning", 2006, Sections 3.3 and 3.5; Rasmussen, Williams, "Gaussian
        processes for machine learning", 2006, Sections 2.1, 5.4.2 (leave-one-out) and 8.3 (slices of a kernel).
    """

    features: Feature | FeatureSource
    symmetry: Symmetry | None = None
    ridge: float | None = None
    rescale: Rescale = True

    def __post_init__(self) -> None:
        if self.ridge is not None and not self.ridge > 0:
            raise ValueError(f"ridge must be positive, or None to choose it by marginal likelihood, got {self.ridge}")

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> LastLayerBelief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`."""
        start = time.perf_counter()
        labels = standardise(x, y, noise)
        best: tuple[Evidence, Candidate] | None = None
        for candidate in self._candidates(x, labels, seed):
            with torch.no_grad():
                phi = candidate.feature(x).to(torch.float64)
            evidence = best_evidence(phi, labels.y, labels.noise, self.ridge)
            if best is None or evidence.log_evidence > best[0].log_evidence:
                best = evidence, candidate
        assert best is not None
        return self._belief(*best, labels, start)

    def _candidates(self, x: Tensor, labels: Standardised, seed: int) -> list[Candidate]:
        if isinstance(self.features, FeatureSource):
            return list(self.features.candidates(x, labels.y, labels.noise, self.symmetry, seed))
        return [Candidate(feature=Symmetrised(feature=self.features, symmetry=self.symmetry))]

    def _belief(self, fit: Evidence, candidate: Candidate, labels: Standardised, start: float) -> LastLayerBelief:
        missing = torch.zeros_like(labels.y)
        if candidate.prior_variance is not None:
            missing = fit.signal * (candidate.prior_variance - fit.phi_norm).clamp_min(0.0)
        left_out_mean, left_out_variance = fit.leave_one_out(labels.y)
        epistemic = left_out_variance - fit.noise_variance + missing
        judged = torch.ones_like(labels.y, dtype=torch.bool) if candidate.unseen is None else candidate.unseen
        factor = Rescaling(epistemic=1.0, label=1.0)
        held_out = None
        if int(judged.sum()) >= 5:
            residual = (labels.y - left_out_mean)[judged]
            factor = honest(self.rescale, residual, epistemic[judged], fit.noise_variance[judged])
            std = (factor.epistemic**2 * epistemic + factor.label**2 * fit.noise_variance).clamp_min(0.0).sqrt()
            held_out = calibration(
                labels.mean + labels.scale * left_out_mean[judged],
                labels.scale * std[judged],
                labels.mean + labels.scale * labels.y[judged],
            )
        signal = None
        if candidate.prior_variance is not None:
            signal = (factor.epistemic**2 * fit.signal, candidate.prior_variance)
        return LastLayerBelief(
            report=FitReport(
                labels=len(labels.y),
                held_out=held_out,
                residual_std=labels.scale * factor.label * fit.residual_std,
                std_scale=factor.epistemic,
                seconds=time.perf_counter() - start,
            ),
            scale=labels.scale,
            mean=labels.mean,
            feature=candidate.feature,
            weights=fit.weights,
            root=factor.epistemic * fit.root,
            missing=signal,
        )
