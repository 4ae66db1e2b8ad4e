"""What a reader of the report should worry about (`seiko.campaign.alarms`), and what to do next, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from seiko.campaign import RoundReport, RunState, StopRule, stopped_because
from seiko.campaign.alarms import alarms as rung

__all__ = ["alarms", "recommendations"]


def alarms(state: RunState, kl_budget: float | None, space: float | None = None) -> tuple[str, ...]:
    """Return the alarms' sentences; see `seiko.campaign.alarms.alarms`."""
    return tuple(alarm.sentence for alarm in rung(state, kl_budget, space))


def recommendations(
    state: RunState,
    *,
    rounds: int,
    budget: int,
    kl_budget: float | None,
    space: float | None = None,
    stop: Sequence[StopRule] = (),
) -> tuple[str, ...]:
    """Return what to do next, in sentences; none of them is a claim about labels that were not bought."""
    if not state.reports:
        return ("No round is finished yet: label the first batch and advance.",)
    found = []
    troubled = {alarm.name for alarm in rung(state, kl_budget, space)}
    if "over-optimisation" in troubled:
        found.append("Move less: a smaller KL budget or larger coefficients, or a round with more labels first.")
    if troubled & {"diversity", "repeats"}:
        found.append("Keep it spread out: a smaller KL budget, and the selection that wants diverse batches.")
    if troubled & {"naturalness", "alignment"}:
        found.append("Look at the pairs of images before believing the reward: it is paid for with what they show.")
    if "calibration" in troubled:
        found.append("Prefer the mean to the optimistic bound until the intervals cover: their width misleads.")
    why = stopped_because(state, rounds=rounds, budget=budget, stop=stop)
    if why is not None:
        if len(state.reports) < rounds:
            found.append(f"The run is over: {why}.")
        found.append(
            "Measure the best designs again before relying on them: the largest of many noisy labels is lucky."
        )
        if state.answered < budget:
            found.append(f"{budget - state.answered} labels of the budget were not used.")
        if not troubled and len(state.reports) > 1 and _still_rising(state.reports):
            found.append("The batches were still getting better: more rounds would probably pay.")
    elif pending := state.pending(state.round):
        found.append(f"{len(pending)} labels of round {state.round} are missing: tell them, then advance.")
    else:
        found.append(f"Go on with round {state.round} of {rounds}.")
    return tuple(found)


def _still_rising(reports: Sequence[RoundReport]) -> bool:
    a, b = reports[-2].batch_mean, reports[-1].batch_mean
    return a is not None and b is not None and b > a
