"""Two factors that make a predictive variance honest on labels that were not fitted.

    residual_i ~ N(0, a^2 epistemic_i + b^2 label_i)

(a, b) is the point of largest likelihood on a grid, with a weak log-normal prior around 1 so that a handful of
residuals cannot move them far. a never goes below 1: residuals near the labels can be explained by label noise alone,
and a spread narrowed there would be far too narrow away from the labels, where the acquisition looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Rescaling", "rescaling"]

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
