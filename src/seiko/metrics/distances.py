"""How far two samples of property vectors are apart.

    Wasserstein   W_1 = integral |F(x) - G(x)| dx                           one property, in its own units
    Fréchet       |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))       all at once, of Gaussians fitted to both

Properties have different units, so the second is taken after standardising both samples by the mean and standard
deviation of the reference. As in the Fréchet distances of the literature it is the square of a distance. Rows with a
NaN (text that is no molecule) are left out: validity speaks for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from scipy.stats import wasserstein_distance
from torch import Tensor

__all__ = ["frechet_distance", "frechet_gaussians", "wasserstein_distances"]


def wasserstein_distances(
    values: Float[Tensor, "n k"], reference: Float[Tensor, "m k"], names: Sequence[str]
) -> dict[str, float]:
    """Return the distance of each property's distribution from the reference's, in the property's units, 0 or more.

    Args:
        values: Property vectors of n molecules.
        reference: Of m others.
        names: The k properties.

    Raises:
        ValueError: If the names do not fit, or no row of either sample is finite.
    """
    if len(names) != values.shape[1]:
        raise ValueError(f"{values.shape[1]} properties need as many names, got {len(names)}: {', '.join(names)}")
    a, b = _finite(values, 1), _finite(reference, 1)
    return {name: float(wasserstein_distance(a[:, i].numpy(), b[:, i].numpy())) for i, name in enumerate(names)}


def frechet_distance(values: Float[Tensor, "n k"], reference: Float[Tensor, "m k"]) -> float:
    """Return the squared Fréchet distance of the Gaussians fitted to two samples, reference standard deviations, >= 0.

    A property that is constant in the reference is divided by 1.

    Raises:
        ValueError: If a sample has fewer than two finite rows.

    References:
        Dowson, Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate Anal. 12:450,
        1982.
    """
    a, b = _finite(values, 2), _finite(reference, 2)
    centre, scale = b.mean(0), b.std(0)
    scale = torch.where(scale > 0, scale, 1.0)
    a, b = (a - centre) / scale, (b - centre) / scale
    cov_a, cov_b = a.T.cov().reshape(a.shape[1], -1), b.T.cov().reshape(b.shape[1], -1)
    return frechet_gaussians(a.mean(0), cov_a, b.mean(0), cov_b)


def frechet_gaussians(
    mean_a: Float[Tensor, "k"], cov_a: Float[Tensor, "k k"], mean_b: Float[Tensor, "k"], cov_b: Float[Tensor, "k k"]
) -> float:
    """Return the squared Fréchet distance of two Gaussians, in the square of their units, >= 0."""
    root = _root(cov_b)
    # The eigenvalues of S_a S_b are those of the symmetric S_b^(1/2) S_a S_b^(1/2), which rounding keeps real.
    cross = _eigenvalues(root @ cov_a @ root).sqrt().sum()
    found = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(found))


def _finite(values: Tensor, least: int) -> Tensor:
    kept = values[values.isfinite().all(dim=1)].detach().cpu().to(torch.float64)
    if len(kept) < least:
        raise ValueError(f"a distance needs at least {least} rows of finite properties a sample, got {len(kept)}")
    return kept


def _eigenvalues(symmetric: Tensor) -> Tensor:
    values: Tensor = torch.linalg.eigvalsh((symmetric + symmetric.T) / 2)
    return values.clamp_min(0.0)


def _root(symmetric: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    root: Tensor = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    return root
