"""When a run is over before its rounds or its labels are: rules that are part of the recipe.

    TargetReached    `count` labelled designs reached a value, or the believed mean of fresh samples has
    NoImprovement    max over the last n rounds - max over those before  <=  by

Rules are judged on finished rounds and on the labels that those were fitted to, so that a run stops between rounds, the
same in every process, whatever comes in late. The first rule that holds says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from seiko.campaign.state import RoundReport, RunState

__all__ = ["NoImprovement", "StopRule", "TargetReached", "stopped_because"]


@runtime_checkable
class StopRule(Protocol):
    """Frozen configuration of a reason to stop."""

    def reason(self, state: RunState) -> str | None:
        """Return why the run should stop, in words; None to go on.

        Args:
            state: A run with at least one finished round. What came after the last fit must make no difference.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TargetReached:
    """Stop when what is wanted has been found.

    Args:
        value: The target, oracle's units.
        of: ``"labels"``: distinct designs whose mean label reaches it; ``"belief"``: the reward model's mean over
            fresh samples, which no label has confirmed.
        count: Designs that must reach it.

    Raises:
        ValueError: If the value is not finite or the count not positive.
    """

    value: float
    of: Literal["labels", "belief"] = "labels"
    count: int = 1

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"value must be a finite target in the oracle's units, got {self.value}")
        if self.count < 1:
            raise ValueError(f"count must be a positive number of designs, got {self.count}")

    def reason(self, state: RunState) -> str | None:
        """Return the target that was reached."""
        if self.of == "belief":
            believed = state.reports[-1].believed_mean
            if believed is None or believed < self.value:
                return None
            return f"the target is reached: fresh samples are believed to have mean {believed:.4g} (of {self.value:g})"
        labels: dict[str, list[float]] = {}
        for query, label in state.values(state.fitted_to):
            if label.value is not None:
                labels.setdefault(query.design.key, []).append(label.value)
        reached = sum(math.fsum(values) / len(values) >= self.value for values in labels.values())
        if reached < self.count:
            return None
        return f"the target is reached: {_designs(reached)} a label of {self.value:g} or more"


@dataclass(frozen=True, kw_only=True)
class NoImprovement:
    """Stop when rounds no longer pay.

    Args:
        rounds: Rounds without improvement.
        by: What counts as one, oracle's units.
        of: ``"best"`` label so far, ``"batch_mean"`` (mean label of a round) or ``"believed_mean"`` of fresh samples.

    Raises:
        ValueError: If `rounds` is not positive or `by` is negative or not finite.
    """

    rounds: int
    by: float = 0.0
    of: Literal["best", "batch_mean", "believed_mean"] = "best"

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {self.rounds}")
        if not (math.isfinite(self.by) and self.by >= 0):
            raise ValueError(f"by must be an improvement of at least 0 in the oracle's units, got {self.by}")

    def reason(self, state: RunState) -> str | None:
        """Return for how long nothing improved."""
        before, lately = self._best(state.reports[: -self.rounds]), self._best(state.reports[-self.rounds :])
        if before is None or lately is None or lately - before > self.by:
            return None
        what = {"best": "best label", "batch_mean": "mean label of a batch", "believed_mean": "believed mean"}[self.of]
        more = f" by more than {self.by:g}" if self.by else ""
        return f"the {what} has not improved{more} for {self.rounds} rounds: {lately:.4g} after {before:.4g}"

    def _best(self, reports: Sequence[RoundReport]) -> float | None:
        values = [value for report in reports if (value := getattr(report, self.of)) is not None]
        return max(values, default=None)


def stopped_because(state: RunState, *, rounds: int, budget: int, stop: Sequence[StopRule] = ()) -> str | None:
    """Return why a run is over, in words; None while it is not.

    Args:
        state: The run.
        rounds: Rounds of its recipe.
        budget: Labels of its recipe; larger batches than planned may spend them early.
        stop: Rules of its recipe.
    """
    if len(state.reports) >= rounds:
        return f"all {rounds} rounds are finished"
    if state.reports:
        for rule in stop:
            if (reason := rule.reason(state)) is not None:
                return reason
    if state.charged >= budget and not state.batch_of(state.round)[0]:
        return f"all {budget} labels are spent"
    return None


def _designs(count: int) -> str:
    return "1 design has" if count == 1 else f"{count} designs have"
