"""Closed-form Bayesian linear regression: marginal likelihood, weights and leave-one-out predictions.

With C = Phi Phi^T + lambda R and s^2 integrated out under an inverse-gamma prior of nu degrees of freedom around 1,

    log evidence = -(n + nu)/2 log(nu + t^T C^-1 t) - 1/2 log|C| + const,     s^2 = (nu + t^T C^-1 t) / (nu + n)

One eigendecomposition of the smaller Gram matrix serves every lambda. The prior on s^2 is what keeps one label, or a
hundred equal ones, from giving a variance of zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Evidence", "best_evidence"]

_NU = 2.0
_RIDGES = tuple(10.0 ** (k / 4.0) for k in range(-12, 9))
_MISFIT = 1e-4  # least share of the homoscedastic noise variance that is misfit, not the label's own noise


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """A regression at its best ridge, in standard units.

    Args:
        log_evidence: Log marginal likelihood up to a constant that depends on n alone.
        ridge: lambda, in units of squared features.
        signal: s^2, variance of a weight.
        residual_std: sigma of a label of unknown noise.
        weights: `[d]` posterior mean.
        root: `[d, d]` with root root^T = sigma^2 A^-1, from the Cholesky factor of A.
        phi_norm: `[n]` squared norms of the features.
        noise_variance: `[n]` sigma^2 r_i.
        fitted: `[n]` means at the labels.
        leverage: `[n]` diagonal of the hat matrix.
    """

    log_evidence: float
    ridge: float
    signal: float
    residual_std: float
    weights: Tensor
    root: Tensor
    phi_norm: Tensor
    noise_variance: Tensor
    fitted: Tensor
    leverage: Tensor

    def leave_one_out(self, t: Float[Tensor, "n"]) -> tuple[Tensor, Tensor]:
        """Return mean and variance of each label predicted from all others, without a refit."""
        rest = (1.0 - self.leverage).clamp_min(1e-9)
        return t - (t - self.fitted) / rest, self.noise_variance / rest


def _search(phi: Tensor, t: Tensor, relative: Tensor, ridges: Sequence[float]) -> tuple[float, float, float]:
    """Return (log evidence, lambda, s^2) of the best ridge."""
    n, d = phi.shape
    rows, target = phi / relative.sqrt()[:, None], t / relative.sqrt()
    if n <= d:
        eigenvalues, vectors = torch.linalg.eigh(rows @ rows.T)
        along = vectors.T @ target
    else:
        eigenvalues, vectors = torch.linalg.eigh(rows.T @ rows)
        along = (vectors.T @ (rows.T @ target)) * eigenvalues.clamp_min(1e-12).rsqrt()
        along = torch.where(eigenvalues > 1e-12, along, 0.0)
    eigenvalues = eigenvalues.clamp_min(0.0)
    across = (target.square().sum() - along.square().sum()).clamp_min(0.0)
    best = (-float("inf"), ridges[0], 1.0)
    for ridge in ridges:
        quadratic = float((along.square() / (eigenvalues + ridge)).sum() + across / ridge)
        log_det = float((eigenvalues + ridge).log().sum() + relative.log().sum())
        log_det += (n - len(eigenvalues)) * math.log(ridge)
        log_evidence = -0.5 * (n + _NU) * math.log(_NU + quadratic) - 0.5 * log_det
        if log_evidence > best[0]:
            best = log_evidence, ridge, (_NU + quadratic) / (_NU + n)
    return best


def best_evidence(
    phi: Float[Tensor, "n d"],
    t: Float[Tensor, "n"],
    noise: Float[Tensor, "n"],
    ridge: float | None,
) -> Evidence:
    """Fit the regression, at the ridge of largest marginal likelihood if none is given.

    Where noise is known, a first homoscedastic pass estimates the total noise variance; what the known noises do not
    explain of it is misfit, and a second pass weights each label by the inverse of misfit + its own noise variance.

    Args:
        phi: Features of the labels.
        t: Standardised labels.
        noise: Known standard deviations in the same units, NaN where unknown.
        ridge: lambda, in units of squared features; None searches a grid in units of their mean squared norm.
    """
    unit = float(phi.square().sum(1).mean())
    unit = unit if unit > 0 else 1.0
    grid = _RIDGES if ridge is None else (ridge / unit,)
    relative = torch.ones_like(t)
    # Features of unit norm: the inverse-gamma prior is about the size of the function, not of a weight.
    scaled = phi / unit**0.5
    log_evidence, ridge, signal = _search(scaled, t, relative, grid)
    known = ~torch.isnan(noise)
    if bool(known.any()):
        total = signal * ridge
        own = torch.where(known, noise, 0.0).square()
        misfit = max(total - float(own[known].mean()), _MISFIT * total)
        relative = torch.where(known, (misfit + own) / total, 1.0)
        log_evidence, ridge, signal = _search(scaled, t, relative, grid)
    ridge, signal = ridge * unit, signal / unit
    weighted = phi / relative[:, None]
    precision = weighted.T @ phi
    precision.diagonal().add_(ridge)
    factor = torch.linalg.cholesky(precision)
    weights = torch.cholesky_solve((weighted.T @ t)[:, None], factor)[:, 0]
    root = torch.linalg.solve_triangular(factor, torch.eye(len(weights), dtype=phi.dtype), upper=False).T
    leverage = (phi @ root).square().sum(1) / relative
    return Evidence(
        log_evidence=log_evidence,
        ridge=ridge,
        signal=signal,
        residual_std=(signal * ridge) ** 0.5,
        weights=weights,
        root=root * (signal * ridge) ** 0.5,
        phi_norm=phi.square().sum(1),
        noise_variance=signal * ridge * relative,
        fitted=phi @ weights,
        leverage=leverage,
    )
