"""What recipes of all domains let a user choose by one word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seiko.acquisition import UCB, Acquisition, BootstrapMax, Greedy, Thompson
from seiko.campaign import (
    Diverse,
    Everything,
    Mixed,
    NoImprovement,
    OneByOne,
    Selection,
    StopRule,
    TargetReached,
    TopAcquisition,
)
from seiko.updates import FixedStrength, KLBudget, Strength

__all__ = [
    "AcquisitionName",
    "SelectionName",
    "acquisition_of",
    "check_members",
    "final_of",
    "selection_of",
    "stop_of",
    "strength_of",
]

AcquisitionName = Literal["ucb", "bootstrap", "thompson", "greedy"]
SelectionName = Literal["top", "one-by-one", "diverse", "mixed", "drawn", "everything"]


def acquisition_of(name: AcquisitionName, c: float) -> Acquisition:
    """Return the acquisition; c counts in "ucb" only."""
    match name:
        case "ucb":
            return UCB(c=c)
        case "bootstrap":
            return BootstrapMax()
        case "thompson":
            return Thompson()
        case "greedy":
            return Greedy()


def final_of(name: AcquisitionName | None, c: float, selection: SelectionName) -> Acquisition | None:
    """Return what the last update goes by; None for the same as before, which the paper's loop always has."""
    return None if name is None or selection == "everything" else acquisition_of(name, c)


def check_members(reward: str, ensembles: Sequence[str], *acquisitions: AcquisitionName | None) -> None:
    """Raise `ValueError` if the maximum over members is asked of a reward model that has none."""
    if "bootstrap" in acquisitions and reward not in ensembles:
        raise ValueError(
            f"acquisition bootstrap needs an ensemble, got reward {reward}: choose reward {' or '.join(ensembles)}"
        )


def selection_of(name: SelectionName) -> Selection:
    """Return the selection; "drawn" and "everything" need a model's own draws as the only candidates."""
    match name:
        case "top":
            return TopAcquisition()
        case "one-by-one":
            return OneByOne()
        case "diverse":
            return Diverse()
        case "mixed":
            return Mixed()
        case "drawn":
            return Everything()
        case "everything":
            return Everything(paper=True)


def stop_of(target: float | None, patience: int | None) -> tuple[StopRule, ...]:
    """Return the reasons to stop before the last round: a label reached, or rounds without a better one."""
    rules: list[StopRule] = []
    if target is not None:
        rules.append(TargetReached(value=target))
    if patience is not None:
        rules.append(NoImprovement(rounds=patience))
    return tuple(rules)


def strength_of(kl_budget: float | None, alpha: float, beta: float, rate: float = 0.05) -> Strength:
    """Return a KL budget, or fixed coefficients where there is none."""
    if kl_budget is None:
        return FixedStrength(alpha=alpha, beta=beta)
    return KLBudget(nats=kl_budget, beta=beta, rate=rate)
