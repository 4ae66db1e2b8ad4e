"""A budget of oracle calls: a molecule costs one the first time that it is asked about, and none after.

    PMO's accounts: distinct molecules in the order of their first call; one without a value counts as 0

Methods write canonical SMILES without stereochemistry, as the shipped model does, so that a molecule is one text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from seiko.designs import Design
from seiko.metrics import top_k_auc, top_k_mean
from seiko.oracles import Oracle

__all__ = ["Calls", "found"]

TOP = (1, 10, 100)


class Calls:
    """An oracle, and how many calls of it are left.

    Args:
        oracle: Who answers; larger is better.
        calls: Calls allowed.

    Raises:
        ValueError: If no call is allowed.
    """

    def __init__(self, oracle: Oracle, calls: int) -> None:
        if calls < 1:
            raise ValueError(f"calls must be a positive number of oracle calls, got {calls}")
        self.oracle, self.calls = oracle, calls
        self.values: dict[str, float] = {}

    @property
    def left(self) -> int:
        """Calls left."""
        return self.calls - len(self.values)

    def __call__(self, smiles: Iterable[str]) -> list[str]:
        """Ask about molecules in order as far as the budget reaches; return those that were new, and answered."""
        new = [text for text in dict.fromkeys(smiles) if text not in self.values][: self.left]
        labels = self.oracle([Design(text, "smiles") for text in new])
        self.values.update((text, label.value or 0.0) for text, label in zip(new, labels, strict=True))
        return new


def found(values: Iterable[float], calls: int) -> dict[str, Any]:
    """Return what a method found, from the values of distinct molecules in the order of their first call.

    Returns:
        auc1, auc10, auc100: PMO's areas under the top-k curve, 0 to 1 if the values are.
        best, top10, top100: At the end.
        calls: Calls made.
    """
    y = torch.tensor(list(values), dtype=torch.float64)
    areas = {f"auc{k}": top_k_auc(y, k, calls=calls) for k in TOP}
    return areas | {"best": float(y.max()), "top10": top_k_mean(y, 10), "top100": top_k_mean(y, 100), "calls": len(y)}
