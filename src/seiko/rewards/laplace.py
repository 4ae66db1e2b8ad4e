"""Laplace's approximation of a Gaussian process under scores and choices together.

    log p(D | f) = sum_i log N(t_i; f_i, v_i) + sum_e log P_e(f),      f ~ N(0, K)

is concave, so that Newton's method finds the one mode, f = (I + K W)^-1 K (W f + g), with gradient g and negative
Hessian W of log p(D | f). W is not diagonal, a comparison ties two rewards together, and not of full rank, for it
leaves their sum open; with W = U U^T all that is needed is in the basis of U:

    mean(x) = k(x, Z) g,      var(x) = k(x, x) - |k(x, Z) U L^-T|^2,      L L^T = I + U^T K U
    log evidence = log p(D | f) - 1/2 f^T K^-1 f - 1/2 log |I + K W|

With scores alone this is the exact Gaussian process.

References:
    Chu, Ghahramani, "Preference learning with Gaussian processes", ICML 2005; Rasmussen, Williams, "Gaussian processes
    for machine learning", 2006, Sections 3.4 and 3.5 (there W is diagonal).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seiko.rewards.choices import Choices

__all__ = ["LaplaceSolution", "Mode", "Scores", "find_mode", "solve_laplace"]

_NEWTON = 60
_RANK = 1e-10  # eigenvalues of W below this share of the largest are none


@dataclass(frozen=True, eq=False)
class Scores:
    """Measured numbers beside the choices, standard units.

    Args:
        rows: `[s]` rows of the states that have one.
        t: `[s]` scores.
        variance: `[s]` noise variances.
    """

    rows: Int[Tensor, "s"]
    t: Float[Tensor, "s"]
    variance: Float[Tensor, "s"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mode:
    """The most likely rewards.

    Args:
        f: `[n]` the mode.
        gradient: `[n]` g there; equal to K^-1 f.
        curvature: `[n, n]` W there.
        log_evidence: Laplace's, nats.
    """

    f: Tensor
    gradient: Tensor
    curvature: Tensor
    log_evidence: float


def _likelihood(f: Tensor, scores: Scores, choices: Choices, tau: float) -> Tensor:
    residual = scores.t - f[scores.rows]
    gauss = -0.5 * (residual.square() / scores.variance + (2 * math.pi * scores.variance).log()).sum()
    return gauss + choices.log_likelihood(f, tau).sum()


def find_mode(
    gram: Float[Tensor, "n n"], scores: Scores, choices: Choices, tau: float, start: Tensor | None = None
) -> Mode:
    """Find the mode by Newton's method with step halving.

    Args:
        gram: K, scaled, float64.
        scores: Measured numbers; may be none.
        choices: Answers; may be none.
        tau: Scale of the raters' noise, standard units.
        start: K^-1 f to start from; None for 0.
    """
    n = len(gram)
    a = torch.zeros(n, dtype=gram.dtype) if start is None else start
    f = gram @ a

    def derivatives(f: Tensor) -> tuple[Tensor, Tensor]:
        gradient, curvature = choices.derivatives(f, tau)
        gradient = gradient.index_add(0, scores.rows, (scores.t - f[scores.rows]) / scores.variance)
        curvature.diagonal().index_add_(0, scores.rows, 1.0 / scores.variance)
        return gradient, curvature

    value = _likelihood(f, scores, choices, tau) - 0.5 * a @ f
    eye = torch.eye(n, dtype=gram.dtype)
    gradient, curvature = derivatives(f)
    for _ in range(_NEWTON):
        # a = (I + W K)^-1 (W f + g), so that f = K a needs no inverse of K
        towards = torch.linalg.solve(eye + curvature @ gram, curvature @ f + gradient) - a
        step = 1.0
        while step > 1e-6:
            tried = a + step * towards
            reached = _likelihood(gram @ tried, scores, choices, tau) - 0.5 * tried @ (gram @ tried)
            if float(reached) >= float(value):
                break
            step /= 2.0
        else:
            break
        gained, a, value = float(reached - value), tried, reached
        f = gram @ a
        gradient, curvature = derivatives(f)
        if gained < 1e-10:
            break
    log_evidence = value - 0.5 * torch.linalg.slogdet(eye + curvature @ gram).logabsdet
    return Mode(f=f, gradient=gradient, curvature=curvature, log_evidence=float(log_evidence))


@dataclass(frozen=True, kw_only=True, eq=False)
class LaplaceSolution:
    """The posterior in the basis of U; see `seiko.rewards.gp_posterior.Solution`.

    Args:
        gram: K, scaled.
        basis: U, `[n, r]`.
        factor: L, `[r, r]`.
        answers: `[r]` what a regression on U^T f with unit noise would have to see for the same mode.
        weights: `[n]` g.
        root: `[n, r]` U L^-T.
    """

    gram: Tensor = field(repr=False)
    basis: Tensor = field(repr=False)
    factor: Tensor = field(repr=False)
    answers: Tensor = field(repr=False)
    weights: Tensor = field(repr=False)
    root: Tensor = field(repr=False)

    def leave_one_out(self) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """Refuse: an answer belongs to several states, there is no one to leave out."""
        raise NotImplementedError("comparisons have no leave-one-out prediction of a state")

    def correction(self, prior: Float[Tensor, "n"], generator: torch.Generator) -> Float[Tensor, "n"]:
        """Return v so that a prior draw plus k(x, Z) v is a draw of the approximate posterior."""
        xi = torch.randn(len(self.answers), generator=generator, dtype=self.answers.dtype).to(self.answers.device)
        missing = self.answers - self.basis.T @ prior - xi
        return self.basis @ torch.cholesky_solve(missing[:, None], self.factor)[:, 0]


def solve_laplace(gram: Float[Tensor, "n n"], mode: Mode) -> LaplaceSolution:
    """Return the posterior around a mode."""
    eigenvalues, vectors = torch.linalg.eigh(mode.curvature)
    kept = eigenvalues > _RANK * max(float(eigenvalues[-1]), 1e-300)
    roots = eigenvalues[kept].sqrt()
    basis = vectors[:, kept] * roots
    factor = torch.linalg.cholesky(torch.eye(basis.shape[1], dtype=gram.dtype) + basis.T @ gram @ basis)
    along = (vectors[:, kept].T @ mode.gradient) / roots  # U c = g
    inverse = torch.linalg.solve_triangular(factor, torch.eye(len(factor), dtype=gram.dtype), upper=False)
    return LaplaceSolution(
        gram=gram,
        basis=basis,
        factor=factor,
        answers=along + basis.T @ mode.f,
        weights=mode.gradient,
        root=basis @ inverse.T,
    )
