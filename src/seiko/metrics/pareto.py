"""Several numbers a design: which designs are dominated by no other, and how much the rest of them leave undominated.

    x dominates z      x_j >= z_j for all j, and x_j > z_j for one        (all are maximised)
    hypervolume        volume of { y : reference <= y <= x for some x }

Both by BoTorch; needs the extra `gp`.

References:
    Zitzler, Thiele, "Multiobjective optimization using evolutionary algorithms: a comparative case study", 1998.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["hypervolume", "hypervolume_curve", "pareto_front"]


def pareto_front(values: Float[Tensor, "n k"]) -> Bool[Tensor, "n"]:
    """Return which rows no other row dominates; equal rows do not dominate each other.

    Args:
        values: One row a design, all maximised.

    Raises:
        ImportError: If BoTorch is not installed; the message names the extra.
        ValueError: If the values are not finite.
    """
    _check(values)
    if len(values) == 0:
        return torch.zeros(0, dtype=torch.bool)
    try:
        from botorch.utils.multi_objective.pareto import is_non_dominated
    except ModuleNotFoundError as error:
        raise ImportError(_NEEDED) from error
    found: Tensor = is_non_dominated(values.to(torch.float64), deduplicate=False)
    return found


def hypervolume(values: Float[Tensor, "n k"], reference: Float[Tensor, "c"]) -> float:
    """Return the volume that the rows dominate above a reference point, in the product of the units.

    Args:
        values: One row a design, all maximised; rows that are not above the reference add nothing.
        reference: What is just not good enough in any of the properties.

    Raises:
        ImportError: If BoTorch is not installed; the message names the extra.
        ValueError: If the values are not finite, or the reference has another number of properties.
    """
    _check(values)
    if reference.shape != values.shape[1:]:
        raise ValueError(f"the reference needs {values.shape[1]} numbers, got {tuple(reference.shape)}")
    above = (values > reference).all(1)
    if not bool(above.any()):
        return 0.0
    try:
        from botorch.utils.multi_objective.hypervolume import Hypervolume
    except ModuleNotFoundError as error:
        raise ImportError(_NEEDED) from error
    front = values[above].to(torch.float64)
    return float(Hypervolume(reference.to(torch.float64)).compute(front[pareto_front(front)]))


def hypervolume_curve(
    values: Float[Tensor, "n k"], reference: Float[Tensor, "c"], *, points: int = 60
) -> list[tuple[int, float]]:
    """Return (labels, hypervolume of the first so many rows) at about as many points, the last one at n.

    Args:
        values: One row a design, in the order in which they were labelled.
        reference: As in `hypervolume`.
        points: How many numbers of labels are looked at.
    """
    n = len(values)
    counts = sorted({max(1, round(n * (i + 1) / points)) for i in range(points)}) if n else []
    front = values[:0]
    curve, before = [], 0
    for count in counts:  # of what came before only the front matters
        front = torch.cat([front, values[before:count]])
        front = front[pareto_front(front)]
        curve.append((count, hypervolume(front, reference)))
        before = count
    return curve


def _check(values: Tensor) -> None:
    if values.ndim != 2 or not bool(torch.isfinite(values).all()):
        raise ValueError(f"values must be finite numbers, [n, k], got shape {tuple(values.shape)}")


_NEEDED = "fronts and hypervolumes need BoTorch: pip install 'seiko[gp]'"
