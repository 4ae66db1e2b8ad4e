"""Linear algebra of a Gaussian process: the posterior, its draws, and each label predicted from the others.

Exact, C = K + R over all n labels, R = diag(noise variances):

    mean(x) = k(x, X) C^-1 t,    var(x) = k(x, x) - k(x, X) C^-1 k(X, x)

Variational, u = f(Z) at m inducing points. With Gaussian noise the best q(u) needs no stochastic optimiser, it is

    q(u) = N(L B^-1 A R^-1 t, L B^-1 L^T),    K_ZZ = L L^T,  A = L^-1 K_ZX,  B = I + A R^-1 A^T

Both give mean = k(x, Z) weights and var = k(x, x) - |k(x, Z) root|^2, and both draw by Matheron's rule: a draw f of the
prior plus k(x, Z) v, where v moves f at Z onto a draw of the posterior there.

References:
    Titsias, "Variational learning of inducing variables in sparse Gaussian processes", 2009; Wilson et al.,
    "Efficiently sampling functions from Gaussian process posteriors", 2020, https://arxiv.org/abs/2002.09309;
    Rasmussen, Williams, "Gaussian processes for machine learning", 2006, Section 5.4.2 (leave-one-out).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ExactSolution", "Solution", "VariationalSolution", "solve_exact", "solve_variational"]

_JITTER = 1e-8


class Solution(Protocol):
    """What the labels say, in standard units."""

    @property
    def weights(self) -> Float[Tensor, "m"]:
        """mean(x) = k(x, Z) weights."""
        ...

    @property
    def root(self) -> Float[Tensor, "m r"]:
        """var(x) = k(x, x) - |k(x, Z) root|^2."""
        ...

    def leave_one_out(self) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Return mean and *epistemic* variance of the function at each label, predicted from all other labels."""
        ...

    def correction(self, prior: Float[Tensor, "m"], generator: torch.Generator) -> Float[Tensor, "m"]:
        """Return v so that a prior draw, `prior` at Z, plus k(x, Z) v is a draw of the posterior."""
        ...


def _cholesky(matrix: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Return the Cholesky factor, with as little jitter as it takes."""
    size = float(matrix.diagonal().mean())
    factor: Tensor
    for power in range(6):
        factor, info = torch.linalg.cholesky_ex(matrix)
        if int(info) == 0:
            return factor
        matrix = matrix + _JITTER * 10.0**power * size * torch.eye(len(matrix), dtype=matrix.dtype)
    factor = torch.linalg.cholesky(matrix)
    return factor


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactSolution:
    """All labels, Z = X.

    Args:
        t: `[n]` labels.
        noise: `[n]` noise variances.
        factor: Cholesky factor of C.
        weights: C^-1 t.
        root: L^-T, C = L L^T.
    """

    t: Tensor = field(repr=False)
    noise: Tensor = field(repr=False)
    factor: Tensor = field(repr=False)
    weights: Tensor = field(repr=False)
    root: Tensor = field(repr=False)

    def leave_one_out(self) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Return means and epistemic variances from the diagonal of C^-1."""
        precision = self.root.square().sum(1)
        return self.t - self.weights / precision, (1.0 / precision - self.noise).clamp_min(0.0)

    def correction(self, prior: Float[Tensor, "n"], generator: torch.Generator) -> Float[Tensor, "n"]:
        """Return C^-1 (t - f(X) - noise)."""
        xi = torch.randn(len(self.t), generator=generator, dtype=self.t.dtype).to(self.t.device)
        return torch.cholesky_solve((self.t - prior - self.noise.sqrt() * xi)[:, None], self.factor)[:, 0]


def solve_exact(gram: Float[Tensor, "n n"], t: Float[Tensor, "n"], noise: Float[Tensor, "n"]) -> ExactSolution:
    """Condition on all labels.

    Args:
        gram: k(X, X), scaled.
        t: Standardised labels.
        noise: Noise variances.
    """
    factor = _cholesky(gram + torch.diag(noise))
    weights = torch.cholesky_solve(t[:, None], factor)[:, 0]
    identity = torch.eye(len(t), dtype=t.dtype, device=t.device)
    root = torch.linalg.solve_triangular(factor, identity, upper=False).T
    return ExactSolution(t=t, noise=noise, factor=factor, weights=weights, root=root)


@dataclass(frozen=True, kw_only=True, eq=False)
class VariationalSolution:
    """The best q(u) at inducing points.

    Args:
        t: `[n]` labels.
        noise: `[n]` noise variances.
        missing: `[n]` prior variance of each label that the inducing points do not explain.
        fitted: `[n]` means at the labels.
        leverage: `[n]` diagonal of the hat matrix.
        inverse: L^-T, K_ZZ = L L^T.
        whitened: `[m]` mean of L^-1 u.
        spread: `[m, m]`, spread spread^T is the covariance B^-1 of L^-1 u.
        weights: L^-T whitened.
        root: L^-T (I - B^-1)^(1/2).
    """

    t: Tensor = field(repr=False)
    noise: Tensor = field(repr=False)
    missing: Tensor = field(repr=False)
    fitted: Tensor = field(repr=False)
    leverage: Tensor = field(repr=False)
    inverse: Tensor = field(repr=False)
    whitened: Tensor = field(repr=False)
    spread: Tensor = field(repr=False)
    weights: Tensor = field(repr=False)
    root: Tensor = field(repr=False)

    def leave_one_out(self) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Return means and epistemic variances, the inducing points kept where they are."""
        rest = (1.0 - self.leverage).clamp_min(1e-9)
        return self.t - (self.t - self.fitted) / rest, self.noise * self.leverage / rest + self.missing

    def correction(self, prior: Float[Tensor, "m"], generator: torch.Generator) -> Float[Tensor, "m"]:
        """Return K_ZZ^-1 (u - f(Z)), u drawn from q."""
        xi = torch.randn(len(prior), generator=generator, dtype=prior.dtype).to(prior.device)
        return self.inverse @ (self.whitened + self.spread @ xi - self.inverse.T @ prior)


def solve_variational(
    gram: Float[Tensor, "m m"],
    cross: Float[Tensor, "n m"],
    diagonal: Float[Tensor, "n"],
    t: Float[Tensor, "n"],
    noise: Float[Tensor, "n"],
) -> VariationalSolution:
    """Condition on all labels through the inducing points.

    Args:
        gram: k(Z, Z), scaled.
        cross: k(X, Z).
        diagonal: k(x, x) of the labels.
        t: Standardised labels.
        noise: Noise variances.
    """
    identity = torch.eye(len(gram), dtype=t.dtype, device=t.device)
    inverse = torch.linalg.solve_triangular(_cholesky(gram + _JITTER * identity), identity, upper=False).T
    phi = cross @ inverse  # rows A_i
    weighted = phi / noise[:, None]
    strength, vectors = torch.linalg.eigh(weighted.T @ phi)
    strength = strength.clamp_min(0.0)
    spread = vectors * (1.0 + strength).rsqrt()
    whitened = spread @ (spread.T @ (weighted.T @ t))
    return VariationalSolution(
        t=t,
        noise=noise,
        missing=(diagonal - phi.square().sum(1)).clamp_min(0.0),
        fitted=phi @ whitened,
        leverage=(phi @ spread).square().sum(1) / noise,
        inverse=inverse,
        whitened=whitened,
        spread=spread,
        weights=inverse @ whitened,
        root=inverse @ (vectors * (strength / (1.0 + strength)).sqrt()),
    )
