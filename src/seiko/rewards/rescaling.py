"""Two factors that make a predictive variance honest on labels that were not fitted.

    residual_i ~ N(0, a^2 epistemic_i + b^2 label_i)

(a, b) is the point of largest likelihood on a grid, with a weak log-normal prior around 1 so that a handful of
residuals cannot move them far. a never goes below 1: residuals near the labels can be explained by label noise alone,
and a spread narrowed there would be far too narrow away from the labels, where the acquisition looks.

`"coverage"` asks for more: mean ± 1.96 a std, *without* label noise, must hold 95 % of the labels left out,

    1.96 a >= the ceil(.95 (n + 1))-th smallest |residual_i| / std_i

the quantile of conformal prediction. Then what a model calls noise but is misfit, which no formula tells apart, counts
as uncertainty about the reward, as a bound |mean - reward| <= c std needs it. It is calibrated on labels alone, so it
holds for designs that are predicted about as well as the labels are: not for a kind of design never labelled.

References:
    Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005; Barber et al., "Predictive inference with
    the jackknife+", 2021, https://arxiv.org/abs/1905.02928.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Rescale", "Rescaling", "coverage_factor", "honest", "rescaling"]

Rescale: TypeAlias = bool | Literal["coverage"]
"""False: as it is; True: the factors of largest likelihood; "coverage": a std that covers 95 % of labels left out."""

_EPISTEMIC = tuple(2.0 ** (k / 4.0) for k in range(17))
_LABEL = tuple(2.0 ** (k / 4.0) for k in range(-12, 17))


@dataclass(frozen=True, kw_only=True)
class Rescaling:
    """Factors of the standard deviations.

    Args:
        epistemic: a, at least 1.
        label: b.
    """

    epistemic: float
    label: float


def rescaling(residual: Float[Tensor, "n"], epistemic: Float[Tensor, "n"], label: Float[Tensor, "n"]) -> Rescaling:
    """Return the factors of largest penalised likelihood.

    Args:
        residual: `[n]` label minus prediction, of labels that were not fitted.
        epistemic: `[n]` raw epistemic variances.
        label: `[n]` raw label variances.
    """
    factors = torch.tensor(_EPISTEMIC, dtype=torch.float64), torch.tensor(_LABEL, dtype=torch.float64)
    a, b = torch.meshgrid(*factors, indexing="ij")
    variance = a[..., None].square() * epistemic.to(torch.float64) + b[..., None].square() * label.to(torch.float64)
    variance = variance.clamp_min(1e-12)
    nll = 0.5 * (residual.to(torch.float64).square() / variance + variance.log()).sum(-1)
    penalty = 0.5 * (a.log().square() + b.log().square())  # log-normal, one e-fold wide
    best = int((nll + penalty).argmin())
    return Rescaling(epistemic=float(a.flatten()[best]), label=float(b.flatten()[best]))


def coverage_factor(residual: Float[Tensor, "n"], epistemic: Float[Tensor, "n"], level: float = 0.95) -> float:
    """Return a, at least 1, so that |residual| <= 1.96 a std for a share `level` of the labels left out.

    Args:
        residual: `[n]` label minus prediction, of labels that were not fitted.
        epistemic: `[n]` raw epistemic variances.
        level: Nominal coverage; 1.96 belongs to .95.
    """
    ratio = (residual.abs() / epistemic.clamp_min(1e-12).sqrt()).sort().values
    rank = min(len(ratio), math.ceil(level * (len(ratio) + 1)))
    return max(1.0, float(ratio[rank - 1]) / 1.96)


def honest(
    rescale: Rescale, residual: Float[Tensor, "n"], epistemic: Float[Tensor, "n"], label: Float[Tensor, "n"]
) -> Rescaling:
    """Return the factors that a setting asks for; arguments as in `rescaling`."""
    if rescale is False:
        return Rescaling(epistemic=1.0, label=1.0)
    found = rescaling(residual, epistemic, label)
    if rescale is True:
        return found
    return Rescaling(epistemic=max(found.epistemic, coverage_factor(residual, epistemic)), label=found.label)
