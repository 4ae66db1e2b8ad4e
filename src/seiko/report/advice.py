"""What a reader of the report should worry about, and what to do next; each rule in one sentence with its number.

    KL above its budget            KL(p^(i) || p_pre) > 1.2 budget
    repeats itself                 distinct share of 1,000 fresh samples < .5 of what uniform draws would give
    believes too much of itself    E_{p^(i-1)}[r_hat_(i-1)] - mean of batch i, drawn from p^(i-1)  >  sd of all labels
    believes in what nobody saw    E_{p^(i)}[r_hat_i] > best label

The second rule compares a belief with the labels of the *following* batch: the batch of the same round was drawn before
the model moved, and lies below the belief whenever the update did its work.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from seiko.campaign import RoundReport, RunState

__all__ = ["alarms", "recommendations"]

KL_SLACK = 1.2
LEAST_COVERAGE = 0.8
MOST_INFEASIBLE = 0.3
# Mean pairwise distance, by kind of design; images are judged against the pretrained model's own, in `report.images`.
LEAST_DIVERSITY = {"smiles": (0.4, "in Tanimoto distance"), "image": (0.0, "")}
LEAST_LETTERS = (1.0, "positions")
LEAST_DISTINCT = 0.5


def alarms(state: RunState, kl_budget: float | None, space: float | None = None) -> tuple[str, ...]:
    """Return what should stop a reader, judged by the last finished round; empty before the first.

    Args:
        state: The run.
        kl_budget: Nats from the pretrained model that the recipe allows; None if it fixes coefficients.
        space: Number of designs that there are; None if it is not known or too many to count.
    """
    if not state.reports:
        return ()
    last = state.reports[-1]
    found = []
    if kl_budget is not None and last.kl_pretrained > KL_SLACK * kl_budget:
        found.append(
            f"The model is {last.kl_pretrained:.1f} nats from the pretrained one, its budget is {kl_budget:g}: the "
            "coefficient of the anchor rises too slowly, or the update takes too few steps."
        )
    coverage = last.prequential.coverage if last.prequential else None
    if coverage is not None and coverage < LEAST_COVERAGE:
        found.append(
            f"Only {coverage:.0%} of the last round's labels lie within their 95 % prediction interval: the reward "
            "model is too sure of itself."
        )
    if last.feasible is not None and last.feasible < 1 - MOST_INFEASIBLE:
        found.append(f"{1 - last.feasible:.0%} of the last round's designs were infeasible; each of them cost a label.")
    least, unit = _least_diversity(state)
    if last.diversity < least:
        found.append(f"Fresh samples differ by {last.diversity:.2f} {unit} on average, less than {least:g}: collapsed.")
    if _repeats(state, last, space):
        found.append(f"Only {last.distinct:.0%} of fresh samples are distinct: the model repeats itself.")
    return (*found, *_over_optimised(state.reports, _spread(state)))


def _least_diversity(state: RunState) -> tuple[float, str]:
    """Return the mean distance below which a model has collapsed, and its unit, for the kind of designs of a run."""
    kinds = {query.design.kind for query in state.queries.values()}
    return next((LEAST_DIVERSITY[kind] for kind in sorted(kinds) if kind in LEAST_DIVERSITY), LEAST_LETTERS)


def _repeats(state: RunState, report: RoundReport, space: float | None) -> bool:
    """Tell a model that repeats itself from a space so small that anything would."""
    look = (state.recipe or {}).get("look", 1000)
    most = 1.0 if space is None else space / look * -math.expm1(-look / space)
    return report.distinct < LEAST_DISTINCT * most


def _over_optimised(reports: Sequence[RoundReport], spread: float | None) -> list[str]:
    last = reports[-1]
    before = reports[-2].believed_mean if len(reports) > 1 else None
    if before is not None and last.batch_mean is not None and spread and before - last.batch_mean > spread:
        return [
            f"Round {last.round}'s batch came from a model with a believed mean of {before:.3f}; its labels have mean "
            f"{last.batch_mean:.3f}: the model has been moved to where the reward model is wrong (over-optimisation)."
        ]
    if last.believed_mean is not None and last.best is not None and last.believed_mean > last.best:
        return [
            f"The average sample is believed to reach {last.believed_mean:.3f}, more than the best label so far "
            f"({last.best:.3f}): nobody has seen that, do not trust it (over-optimisation)."
        ]
    return []


def _spread(state: RunState) -> float | None:
    values = [label.value for _, label in state.values() if label.value is not None]
    return statistics.stdev(values) if len(values) > 1 else None


def recommendations(
    state: RunState, *, rounds: int, budget: int, kl_budget: float | None, space: float | None = None
) -> tuple[str, ...]:
    """Return what to do next, in sentences; none of them is a claim about labels that were not bought."""
    if not state.reports:
        return ("No round is finished yet: label the first batch and advance.",)
    last, found = state.reports[-1], []
    troubled = alarms(state, kl_budget, space)
    if any("over-optimisation" in alarm for alarm in troubled):
        found.append("Move less: a smaller KL budget or larger coefficients, or a round with more labels first.")
    if last.diversity < _least_diversity(state)[0] or _repeats(state, last, space):
        found.append("Keep it spread out: a smaller KL budget, and the selection that wants diverse batches.")
    coverage = last.prequential.coverage if last.prequential else None
    if coverage is not None and coverage < LEAST_COVERAGE:
        found.append("Prefer the mean to the optimistic bound until the intervals cover: their width misleads.")
    if len(state.reports) >= rounds:
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
