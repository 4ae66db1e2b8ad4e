"""What should stop whoever runs a campaign; each alarm in one sentence with its number, judged by the last round.

    kl               KL(p^(i) || p_pre) > 1.2 budget
    calibration      labels inside of their 95 % interval: P(K <= k) <= .01 and less than .9 of them, where
                     K ~ Beta-binomial(n, .95 (m + 1), .05 (m + 1)), m labels having made the intervals
    feasibility      the round's feasible designs: P(K <= k) <= .01 given those of the rounds before, and .1 fewer;
                     or more than .3 infeasible
    diversity        mean distance below the domain's least, or below .3 of the first round's
    repeats          distinct share of fresh samples < .5 of what uniform draws would give
    naturalness, alignment
                     of images: see `seiko.campaign.naturalness`
    over-optimisation
                     E_{p^(i-1)}[r_hat_(i-1)] above the upper end of the 95 % t-interval of the mean of batch i, drawn
                     from p^(i-1), by more than half a standard deviation of all labels;
                     or E_{p^(i)}[r_hat_i] > best label, which nobody has seen

The intervals are exact for what they speak of: of 10 labels, two outside are no news. An interval that m labels made is
itself uncertain, which the Beta-binomial knows and a binomial at .95 forgets. The belief is compared with the labels of
the *following* batch: that of the same round was drawn before the model moved, and lies below the belief whenever the
update did its work. The batch was chosen by acquisition, so its mean is above that of its pool: the alarm holds back.

References:
    Gao, Schulman, Hilton, "Scaling laws for reward model overoptimization", ICML 2023,
    https://arxiv.org/abs/2210.10760; Vovk, "Conditional validity of inductive conformal predictors", 2012,
    https://arxiv.org/abs/1209.2673 (the law of a coverage).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seiko.campaign.naturalness import drifted
from seiko.campaign.state import RoundReport, RunState

__all__ = ["Alarm", "AlarmName", "alarms", "least_diversity"]

AlarmName: TypeAlias = Literal[
    "kl", "calibration", "feasibility", "diversity", "repeats", "over-optimisation", "naturalness", "alignment"
]

KL_SLACK = 1.2
SURE = 0.01  # chance of a false alarm, each rule
LEAST_COVERAGE = 0.9
FEWER_FEASIBLE = 0.1
MOST_INFEASIBLE = 0.3
# Mean pairwise distance, by kind of design; images are judged against the pretrained model's own.
LEAST_DIVERSITY = {"smiles": (0.4, "in Tanimoto distance"), "image": (0.0, "")}
LEAST_LETTERS = (1.0, "positions")
LETTERS = ("dna", "protein", "tokens")
COLLAPSE = 0.3  # of the first round's diversity
LEAST_DISTINCT = 0.5
WORTH = 0.5  # standard deviations of the labels


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something to look at first.

    Args:
        name: Which rule rang.
        sentence: What it saw, with its number.
    """

    name: AlarmName
    sentence: str


def alarms(state: RunState, kl_budget: float | None, space: float | None = None) -> tuple[Alarm, ...]:
    """Return what should stop a reader; empty before the first finished round.

    Args:
        state: The run.
        kl_budget: Nats from the pretrained model that the recipe allows; None if it fixes coefficients.
        space: Number of designs that there are; None if it is not known or too many to count.
    """
    if not state.reports:
        return ()
    last = state.reports[-1]
    found: list[Alarm] = []
    if kl_budget is not None and last.kl_pretrained > KL_SLACK * kl_budget:
        found.append(
            Alarm(
                name="kl",
                sentence=f"The model is {last.kl_pretrained:.1f} nats from the pretrained one, its budget is "
                f"{kl_budget:g}: the coefficient of the anchor rises too slowly, or the update takes too few steps.",
            )
        )
    found += _calibration(state, last)
    found += _feasibility(state, last)
    found += _diversity(state, last, space)
    found += _over_optimised(state, last)
    if last.naturalness is not None:
        found += [Alarm(name=name, sentence=words) for name, words in drifted(last.naturalness, last.diversity)]
    return tuple(found)


def _calibration(state: RunState, last: RoundReport) -> Iterator[Alarm]:
    seen = last.prequential
    if seen is None or seen.coverage is None or seen.coverage >= LEAST_COVERAGE:
        return
    inside, made_from = round(seen.coverage * seen.n), state.reports[-2].labels_used if len(state.reports) > 1 else 0
    if _at_most(inside, seen.n, 0.95 * (made_from + 1), 0.05 * (made_from + 1)) <= SURE:
        yield Alarm(
            name="calibration",
            sentence=f"Only {seen.coverage:.0%} of the last round's {seen.n} labels lie within their 95 % prediction "
            "interval: the reward model is too sure of itself.",
        )


def _feasibility(state: RunState, last: RoundReport) -> Iterator[Alarm]:
    own = [(query, label) for query, label in state.judged() if query.own]  # what was attached was not proposed
    before = [label.status == "value" for query, label in own if query.round < last.round]
    now = [label.status == "value" for query, label in own if query.round == last.round]
    if not now:
        return
    share = sum(now) / len(now)
    if before and share < sum(before) / len(before) - FEWER_FEASIBLE:
        chance = _at_most(sum(now), len(now), sum(before) + 1.0, len(before) - sum(before) + 1.0)
        if chance <= SURE:
            yield Alarm(
                name="feasibility",
                sentence=f"{1 - share:.0%} of the last round's designs were infeasible, "
                f"{1 - sum(before) / len(before):.0%} of those before: the model moves to where nothing can be "
                "labelled.",
            )
            return
    if share < 1 - MOST_INFEASIBLE:
        yield Alarm(
            name="feasibility",
            sentence=f"{1 - share:.0%} of the last round's designs were infeasible; each of them cost a label.",
        )


def _diversity(state: RunState, last: RoundReport, space: float | None) -> Iterator[Alarm]:
    least, unit = least_diversity(state)
    if last.diversity < least:
        yield Alarm(
            name="diversity",
            sentence=f"Fresh samples differ by {last.diversity:.2f} {unit} on average, less than {least:.3g}: "
            "collapsed.",
        )
    look = (state.recipe or {}).get("look", 1000)
    most = 1.0 if space is None else space / look * -math.expm1(-look / space)
    if last.distinct < LEAST_DISTINCT * most:
        yield Alarm(
            name="repeats",
            sentence=f"Only {last.distinct:.0%} of fresh samples are distinct: the model repeats itself.",
        )


def least_diversity(state: RunState) -> tuple[float, str]:
    """Return the mean distance below which a model has collapsed, and its unit, for the kind of designs of a run."""
    kinds = {query.design.kind for query in state.queries.values()}
    least, unit = 0.0, "in the domain's distance"
    if known := [LEAST_DIVERSITY[kind] for kind in sorted(kinds) if kind in LEAST_DIVERSITY]:
        least, unit = known[0]
    elif not kinds or kinds & {*LETTERS}:
        least, unit = LEAST_LETTERS
    first = state.reports[0].diversity if state.reports else 0.0
    return max(least, COLLAPSE * first), unit


def _over_optimised(state: RunState, last: RoundReport) -> Iterator[Alarm]:
    values = [label.value for _, label in state.values() if label.value is not None]
    batch = [label.value for query, label in state.values() if query.round == last.round and label.value is not None]
    before = state.reports[-2].believed_mean if len(state.reports) > 1 else None
    if before is not None and len(batch) > 1:
        mean, half = statistics.fmean(batch), _half_width(batch)
        if before - mean - half > WORTH * statistics.stdev(values):
            yield Alarm(
                name="over-optimisation",
                sentence=f"Round {last.round}'s batch came from a model with a believed mean of {before:.3f}; its "
                f"labels have mean {mean:.3f} ± {half:.3f}: the model has been moved to where the reward model is "
                "wrong (over-optimisation).",
            )
            return
    if last.believed_mean is not None and last.best is not None and last.believed_mean > last.best:
        yield Alarm(
            name="over-optimisation",
            sentence=f"The average sample is believed to reach {last.believed_mean:.3f}, more than the best label so "
            f"far ({last.best:.3f}): nobody has seen that, do not trust it (over-optimisation).",
        )


def _half_width(values: list[float]) -> float:
    """Return half of the 95 % t-interval of a mean."""
    from scipy.stats import t  # a second of import that a sound run need not wait for

    return float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))


def _at_most(count: int, n: int, a: float, b: float) -> float:
    """Return P(K <= count) of a Beta-binomial."""
    from scipy.stats import betabinom

    return float(betabinom.cdf(count, n, a, b))
