"""Can a design be labelled at all? A probability learnt from the labels that came back infeasible.

    p(feasible | x) = sigmoid(b + phi(x) . w),    w ~ N(0, s^2 I)

by Laplace's method: the most likely (b, w), the curvature there as their covariance, and a prediction that is drawn
towards 1/2 where the logit is uncertain. The feature (of those that its source proposes) and s^2 are chosen by the
Laplace marginal likelihood. While every label is feasible, or none, there is nothing to tell designs apart, and p is
the mean of a Beta posterior, the same for all.

References:
    MacKay, "The evidence framework applied to classification networks", 1992; Bishop, "Pattern recognition and machine
    learning", 2006, Sections 4.4 and 4.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus

from seiko.rewards.features import Candidate, Feature, FeatureSource, Product, Projectable, Symmetrised
from seiko.rewards.symmetry import Symmetry

__all__ = ["Feasibility", "FeasibilityBelief"]

_ROWS = 8192  # states a block
_SIGNALS = tuple(10.0 ** (k / 2.0) for k in range(-2, 5))  # s^2, where features have a mean squared norm of 1
_INTERCEPT = 10.0  # prior variance of b
_NEWTON = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class _Laplace:
    """The most likely (b, w) and the root of their covariance, for features with a leading 1."""

    log_evidence: float
    signal: float
    weights: Tensor
    root: Tensor


def _laplace(phi: Float[Tensor, "n d"], feasible: Float[Tensor, "n"], signal: float, start: Tensor) -> _Laplace:
    """Fit by Newton's method with step halving."""
    prior = torch.full_like(start, 1.0 / signal)
    prior[0] = 1.0 / _INTERCEPT

    def loss(w: Tensor) -> Tensor:
        logit = phi @ w
        return (softplus(logit) - feasible * logit).sum() + 0.5 * (prior * w.square()).sum()

    w, value, factor = start, loss(start), torch.empty(0)
    for _ in range(_NEWTON):
        p = (phi @ w).sigmoid()
        hessian = (phi * (p * (1.0 - p))[:, None]).T @ phi + torch.diag(prior)
        factor = torch.linalg.cholesky(hessian)
        gradient = phi.T @ (p - feasible) + prior * w
        move = torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        step = 1.0
        while step > 1e-4 and float(loss(w - step * move)) > float(value):
            step /= 2.0
        w, before = w - step * move, value
        value = loss(w)
        if float(before - value) < 1e-6:
            break
    log_evidence = -value + 0.5 * prior.log().sum() - factor.diagonal().log().sum()
    root = torch.linalg.solve_triangular(factor, torch.eye(len(w), dtype=w.dtype), upper=False).T
    return _Laplace(log_evidence=float(log_evidence), signal=signal, weights=w, root=root)


@dataclass(frozen=True, kw_only=True, eq=False)
class FeasibilityBelief:
    """A fitted `Feasibility`.

    Args:
        labels: Number of labels, infeasible ones included.
        infeasible: Number of infeasible ones.
        rate: Mean of the Beta posterior of a design like any other.
        feature: phi; None while p is the same for all.
        weights: `[1 + d]`, b and w.
        root: `[1 + d, 1 + d]`, root of their covariance.
        missing: (s^2, k(x, x)) of a kernel slice, None if nothing is missing.
    """

    labels: int
    infeasible: int
    rate: float
    feature: Feature | None = None
    weights: Tensor | None = field(default=None, repr=False)
    root: Tensor | None = field(default=None, repr=False)
    missing: tuple[float, float] | None = None

    def probability(self, x: Tensor) -> Float[Tensor, "n"]:
        """Return the probability that each state can be labelled; differentiable in x where the feature is."""
        if self.feature is None:
            return torch.full((len(x),), self.rate, dtype=x.dtype if x.is_floating_point() else None, device=x.device)
        return torch.cat([self._probability(part) for part in torch.split(x, _ROWS)])

    def _probability(self, x: Tensor) -> Tensor:
        assert self.weights is not None
        assert self.root is not None
        found = self._product(x)
        d = len(self.weights) - 1
        constant = torch.cat([self.weights[:1], self.root[0]]).to(found)
        logit = found[:, 0] + constant[0]
        variance = (found[:, 1 : d + 2] + constant[1:]).square().sum(1)
        if self.missing is not None:
            variance = variance + self.missing[0] * (self.missing[1] - found[:, d + 2 :].square().sum(1)).clamp_min(0.0)
        return (logit / (1.0 + math.pi / 8.0 * variance).sqrt()).sigmoid()

    @cached_property
    def _product(self) -> Feature:
        """phi(x) [w | root | I]; the last where a slice has to be told from its kernel."""
        assert self.feature is not None
        assert self.weights is not None
        assert self.root is not None
        columns = [self.weights[1:, None], self.root[1:]]
        if self.missing is not None:
            columns.append(torch.eye(len(self.weights) - 1, dtype=self.weights.dtype))
        matrix = torch.cat(columns, dim=1)
        if isinstance(self.feature, Projectable):
            return self.feature.times(matrix)
        return Product(feature=self.feature, matrix=matrix)


@dataclass(frozen=True, kw_only=True)
class Feasibility:
    """Learn which designs can be labelled.

    Args:
        features: An explicit `Feature`, or a source that proposes them from the labels (`Windows`, `SpacedPairs`).
        symmetry: Transformations that leave feasibility unchanged.
        prior: Pseudo-counts (feasible, infeasible) of the Beta prior.

    Raises:
        ValueError: If a pseudo-count is not positive.
    """

    features: Feature | FeatureSource
    symmetry: Symmetry | None = None
    prior: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if min(self.prior) <= 0:
            raise ValueError(f"prior must be two positive pseudo-counts, got {self.prior}")

    def fit(self, x: Tensor, feasible: Bool[Tensor, "n"], seed: int) -> FeasibilityBelief:
        """Fit all labels, feasible or not; the same arguments give the same belief.

        Args:
            x: `[n, *event]` states of all labelled designs; n may be 0.
            feasible: `[n]`, False where the label came back infeasible; leave failed measurements out.
            seed: Seeds what a source draws.

        Raises:
            ValueError: If the numbers of states and labels differ.
        """
        if len(x) != len(feasible):
            raise ValueError(f"feasible must be one boolean for each of the {len(x)} states, got {len(feasible)}")
        n, good = len(feasible), int(feasible.sum())
        rate = (good + self.prior[0]) / (n + sum(self.prior))
        if good in (0, n):
            return FeasibilityBelief(labels=n, infeasible=n - good, rate=rate)
        best: tuple[_Laplace, Candidate, float] | None = None
        for candidate in self._candidates(x.detach(), feasible, seed):
            with torch.no_grad():
                phi = candidate.feature(x.detach()).to(torch.float64)
                unit = max(float(phi.square().sum(1).mean()), 1e-12)
                phi = torch.cat([torch.ones_like(phi[:, :1]), phi / unit**0.5], dim=1)
                weights = torch.zeros(phi.shape[1], dtype=torch.float64)
                weights[0] = math.log(rate / (1.0 - rate))
                for signal in _SIGNALS:
                    found = _laplace(phi, feasible.to(torch.float64), signal, weights)
                    weights = found.weights
                    if best is None or found.log_evidence > best[0].log_evidence:
                        best = found, candidate, unit
        assert best is not None
        fit, candidate, unit = best
        rescaled = torch.ones_like(fit.weights)
        rescaled[1:] = unit**-0.5
        missing = None
        if candidate.prior_variance is not None:
            missing = (fit.signal / unit, candidate.prior_variance)
        return FeasibilityBelief(
            labels=n,
            infeasible=n - good,
            rate=rate,
            feature=candidate.feature,
            weights=fit.weights * rescaled,
            root=fit.root * rescaled[:, None],
            missing=missing,
        )

    def _candidates(self, x: Tensor, feasible: Tensor, seed: int) -> list[Candidate]:
        if isinstance(self.features, FeatureSource):
            y = feasible.to(torch.float64)
            y = (y - y.mean()) / y.std(correction=0)
            return list(self.features.candidates(x, y, torch.full_like(y, torch.nan), self.symmetry, seed))
        return [Candidate(feature=Symmetrised(feature=self.features, symmetry=self.symmetry))]
