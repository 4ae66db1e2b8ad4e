"""Labels of a skewed law, made more even before they are fitted: the power transform of Yeo and Johnson.

    psi(t) =  ((t + 1)^p - 1) / p                 t >= 0, and log(t + 1) at p = 0
             -((1 - t)^(2 - p) - 1) / (2 - p)     t < 0, and -log(1 - t) at p = 2
    u = (psi(t) - centre) / spread

t are labels in standard units, u what is fitted, again of mean 0 and standard deviation 1. p = 1 changes nothing; below
1 a long upper tail is drawn in, so that a belief of even width in u is wider where labels are better, which is where a
search goes. Two p are compared by the density of the same t,

    log p(t) = log p(u) + sum_i log du_i/dt_i

and mean and standard deviation of t, where u is normal, come from Gauss-Hermite quadrature.

References:
    Yeo, Johnson, "A new family of power transformations to improve normality or symmetry", 2000,
    https://doi.org/10.1093/biomet/87.4.954; Snelson, Rasmussen, Ghahramani, "Warped Gaussian processes", 2003 (the
    transform by evidence); Cowen-Rivers et al., "HEBO", 2022, https://arxiv.org/abs/2012.03826 (its use in searches).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from seiko.rewards.standardise import Standardised, standard_units

__all__ = ["Warp", "warped"]

_NODES = 16


@dataclass(frozen=True, kw_only=True)
class Warp:
    """One transform, t to u and back.

    Args:
        power: p, from 0 to 2: then every u has a t.
        centre: Of psi(t).
        spread: Of psi(t), positive.
    """

    power: float
    centre: float
    spread: float

    def __call__(self, t: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return u."""
        u: Tensor = (_psi(t, self.power) - self.centre) / self.spread
        return u

    def inverse(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return t."""
        return _inverse(self.centre + self.spread * u, self.power)

    def log_slope(self, t: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return log du/dt."""
        slope: Tensor = (self.power - 1) * t.sign() * torch.log1p(t.abs()) - math.log(self.spread)
        return slope

    def moments(self, mean: Float[Tensor, "n"], std: Float[Tensor, "n"]) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of t where u ~ N(mean, std²); differentiable in both."""
        nodes, weights = (torch.as_tensor(each, dtype=mean.dtype, device=mean.device) for each in _QUADRATURE)
        t = self.inverse(mean[:, None] + std[:, None] * nodes)
        centre = t @ weights
        variance = (t - centre[:, None]).square() @ weights
        return centre, variance.clamp_min(torch.finfo(mean.dtype).tiny).sqrt()

    def width(self, t: Float[Tensor, "n"]) -> float:
        """Return the root mean square of dt/du: what an error in u comes to in t."""
        return float((-2 * self.log_slope(t)).exp().mean().sqrt())

    def moved(self, by: float) -> Warp:
        """Return the transform to u - by."""
        return replace(self, centre=self.centre + self.spread * by)


def warped(labels: Standardised, power: float) -> tuple[Standardised, Warp | None]:
    """Return labels as they are fitted, and the transform that makes them so; None for p = 1.

    Known noise is taken along by the slope at its label. `mean` and `scale` stay those of t.
    """
    if power == 1.0:
        return labels, None
    psi = _psi(labels.y, power)
    centre, spread = standard_units(psi)
    warp = Warp(power=power, centre=centre, spread=spread)
    noise = labels.noise * warp.log_slope(labels.y).exp()
    return replace(labels, y=warp(labels.y), noise=noise), warp


def _psi(t: Tensor, power: float) -> Tensor:
    above, below = t.clamp_min(0.0), (-t).clamp_min(0.0)
    return torch.where(t >= 0, _grown(above, power), -_grown(below, 2 - power))


def _inverse(psi: Tensor, power: float) -> Tensor:
    above, below = psi.clamp_min(0.0), (-psi).clamp_min(0.0)
    return torch.where(psi >= 0, _shrunk(above, power), -_shrunk(below, 2 - power))


def _grown(t: Tensor, power: float) -> Tensor:
    """Return ((t + 1)^p - 1) / p for t >= 0."""
    return torch.log1p(t) if power == 0 else torch.expm1(power * torch.log1p(t)) / power


def _shrunk(psi: Tensor, power: float) -> Tensor:
    """Return t for psi >= 0."""
    return torch.expm1(psi) if power == 0 else torch.expm1(torch.log1p(power * psi) / power)


def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights / weights.sum()


_QUADRATURE = _quadrature()
