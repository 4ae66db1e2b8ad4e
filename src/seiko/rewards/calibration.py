"""How well a belief predicted labels that it had not seen.

    predictive variance = epistemic variance + label variance,
    label variance = residual_std^2, or noise^2 of that label where it is known to be larger

Prequential use (predict, then look, then fit): before a refit the campaign calls `prequential` on the belief that
chose the batch and the labels that came back. It is the only honest number, since the batch was chosen by the belief.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import Belief, Calibration

__all__ = ["calibration", "predictive", "prequential", "spearman"]


def _ranks(values: Tensor) -> Tensor:
    """Return ranks from 0, ties sharing their mean rank."""
    _, inverse, counts = torch.unique(values, sorted=True, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).to(torch.float64)
    mean_rank: Tensor = last - (counts.to(torch.float64) + 1.0) / 2.0
    return mean_rank[inverse]


def _pearson(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(a.norm() * b.norm())
    return float(a @ b) / norm if norm > 0 else math.nan


def spearman(a: Float[Tensor, "n"], b: Float[Tensor, "n"]) -> float:
    """Return the rank correlation, ties at their mean rank; NaN below two values or without spread."""
    return _pearson(_ranks(a), _ranks(b)) if len(a) > 1 else math.nan


def calibration(mean: Float[Tensor, "n"], predictive_std: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> Calibration:
    """Compare predictions with labels.

    Args:
        mean: `[n]` predicted means, oracle's units.
        predictive_std: `[n]` standard deviations of a new *label*, same units.
        y: `[n]` labels.

    Raises:
        ValueError: If the three differ in length or are empty.
    """
    if not (mean.shape == predictive_std.shape == y.shape) or y.ndim != 1 or len(y) == 0:
        raise ValueError(
            "mean, predictive_std and y must be [n] with n of at least 1, "
            f"got {tuple(mean.shape)}, {tuple(predictive_std.shape)} and {tuple(y.shape)}"
        )
    m, s, t = (v.detach().to(torch.float64) for v in (mean, predictive_std, y))
    s = s.clamp_min(torch.finfo(torch.float64).tiny ** 0.25)  # a std of 0 keeps a finite likelihood
    residual = t - m
    spread = float((t - t.mean()).square().sum())
    nll = (residual / s).square() / 2 + s.log() + 0.5 * math.log(2 * math.pi)
    return Calibration(
        n=len(t),
        r2=1.0 - float(residual.square().sum()) / spread if len(t) > 1 and spread > 0 else math.nan,
        spearman=spearman(m, t),
        nll=float(nll.mean()),
        coverage=float((residual.abs() <= 1.96 * s).to(torch.float64).mean()),
        rmse=float(residual.square().mean().sqrt()),
    )


def predictive(
    belief: Belief, x: Tensor, noise: Float[Tensor, "n"] | None = None
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Return mean and standard deviation of a new label at x, oracle's units.

    Args:
        belief: A fitted reward model.
        x: `[n, *event]` states.
        noise: `[n]` standard deviations of the labels to come, NaN where unknown; None if never known. The
            belief's `residual_std` holds misfit as well as noise, so a smaller noise does not replace it.
    """
    with torch.no_grad():
        posterior = belief.posterior(x)
    label_std = torch.full_like(posterior.std, belief.report.residual_std)
    if noise is not None:
        label_std = torch.fmax(label_std, noise.to(label_std))  # fmax passes over NaN
    return posterior.mean, (posterior.std.square() + label_std.square()).sqrt()


def prequential(
    belief: Belief, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None = None
) -> Calibration:
    """Return how the belief predicts labels that came after it was fitted."""
    mean, std = predictive(belief, x, noise)
    return calibration(mean, std, y.to(mean))
