"""Labels in standard units: t = (y - mean) / scale.

Inside a reward model labels have mean 0 and standard deviation 1; posteriors go back to the oracle's units. `scale`
is also the unit of alpha and beta, so it must be positive: labels without spread (one label, or all equal) get 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Standardised", "standard_units", "standardise"]


@dataclass(frozen=True, kw_only=True)
class Standardised:
    """Labels and their noise in standard units.

    Args:
        y: `[n]` labels, mean 0, standard deviation 1 (0 for constant labels), float64.
        noise: `[n]` standard deviations in the same units, NaN where unknown, float64.
        mean: Mean of the labels, oracle's units.
        scale: Standard deviation of the labels, oracle's units; 1 for constant labels.
    """

    y: Float[Tensor, "n"]
    noise: Float[Tensor, "n"]
    mean: float
    scale: float


def standardise(x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None) -> Standardised:
    """Check the labels and return them in standard units.

    Args:
        x: `[n, *event]` labelled states; only their number is looked at.
        y: `[n]` labels, oracle's units.
        noise: `[n]` standard deviations, oracle's units, NaN where unknown; None if never known.

    Raises:
        ValueError: If there are no labels, the numbers of states, labels and noises differ, a label is not finite, or
            a noise is negative or infinite.
    """
    if y.ndim != 1 or len(y) != len(x):
        raise ValueError(f"y must be one label for each of the {len(x)} states, got shape {tuple(y.shape)}")
    if len(y) == 0:
        raise ValueError("a reward model needs at least one label, got 0; label designs before the first fit")
    if not bool(torch.isfinite(y).all()):
        raise ValueError("labels must be finite; leave infeasible and failed designs out of the fit")
    values = y.detach().to(torch.float64)
    known = torch.full_like(values, torch.nan) if noise is None else noise.detach().to(torch.float64)
    if known.shape != values.shape:
        raise ValueError(f"noise must be one standard deviation a label, {len(y)} of them, got {tuple(known.shape)}")
    if bool(((known < 0) | torch.isinf(known)).any()):
        raise ValueError("noise must be finite standard deviations of at least 0, NaN where unknown")
    mean, scale = standard_units(values)
    return Standardised(y=(values - mean) / scale, noise=known / scale, mean=mean, scale=scale)


def standard_units(values: Float[Tensor, "n"]) -> tuple[float, float]:
    """Return the mean of some numbers and their standard deviation, 1 where they have no spread."""
    spread = float(values.std(correction=0))
    # Rounding gives equal labels a spread of about 1e-16 of their size; that is not a unit to divide by.
    return float(values.mean()), spread if spread > 1e-9 * max(1e-9, float(values.abs().max())) else 1.0
