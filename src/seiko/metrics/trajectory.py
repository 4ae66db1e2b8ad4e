"""How fast good molecules were found: the area under the curve of the k best against oracle calls (PMO).

    AUC = 1/B * [ trapezoid over n = 0, every, 2 every, ..., N of m_k(n)  +  (B - N) m_k(N) ],    m_k(0) = 0

B calls were allowed and N were made; m_k(n) is the mean of the k best values among the first n (of all n, where there
are fewer). Between 0 and the largest value: a method that stops early is credited with its last mean to the end.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from seiko.metrics.sequences import top_k_mean

__all__ = ["top_k_auc"]


def top_k_auc(values: Float[Tensor, "n"], k: int, *, calls: int, every: int = 100) -> float:
    """Return PMO's area under the top-k curve, scaled by the number of calls; larger is better.

    Args:
        values: Values of *distinct* molecules in the order of their first call; PMO neither counts a repeated call
            nor one for text that is no molecule. Values after the last allowed call are left out.
        k: Molecules in the mean: 1, 10 and 100 in PMO.
        calls: Oracle calls allowed, B.
        every: Calls between points of the curve; 100 in PMO.

    Raises:
        ValueError: If there are no values, or k, calls or every is not positive.

    References:
        Gao, Fu, Sun, Coley, "Sample efficiency matters: a benchmark for practical molecular optimization", 2022,
        https://arxiv.org/abs/2206.12411 (`top_auc` of their repository mol_opt, with `finish`).
    """
    if calls < 1 or every < 1:
        raise ValueError(f"calls and every must be positive numbers of oracle calls, got {calls} and {every}")
    made = min(len(values), calls)
    area, before, mean = 0.0, 0, 0.0
    for point in (*range(every, made, every), made):
        now = top_k_mean(values[:point], k)
        area += (point - before) * (mean + now) / 2
        before, mean = point, now
    return (area + (calls - made) * mean) / calls
