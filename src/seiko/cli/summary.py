"""A run in a few numbers, from its state alone: no model is loaded for it.

`top10_mean` and `top100_mean` are means over the best *distinct* designs (replicates averaged; fewer if there are
fewer). The mean over the model's samples is what the reward model believes: measuring it would cost labels.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from seiko.campaign.alarms import alarms
from seiko.campaign.comparisons import agreement
from seiko.campaign.lifecycle import State
from seiko.campaign.state import RoundReport, RunState
from seiko.campaign.stopping import stopped_because
from seiko.config import ConfigError, from_json

__all__ = ["next_step", "ranked", "round_line", "status", "stopped", "summarise"]


def ranked(state: RunState) -> list[tuple[float, str]]:
    """Return (mean label, design) of distinct designs that the run asked for, best first."""
    labels: dict[str, list[float]] = {}
    for query, label in state.values():
        if query.own and label.value is not None:
            labels.setdefault(query.design.content, []).append(label.value)
    means = [(math.fsum(values) / len(values), content) for content, values in labels.items()]
    return sorted(means, key=lambda pair: -pair[0])


def summarise(state: RunState, place: str) -> dict[str, Any]:
    """Return the numbers of a run; those that are not known yet are None."""
    recipe = state.recipe or {}
    top = ranked(state)
    last = state.reports[-1] if state.reports else None
    strength = recipe.get("strength") or {}
    right, total = agreement(state.comparisons, {query.id: query.mean for query in state.queries.values()})
    statuses = [label.status for id, label in state.labels.items() if state.queries[id].own]
    return {
        "run": place,
        "recipe": recipe.get("name"),
        "seed": recipe.get("seed"),
        "budget": recipe.get("budget"),
        "labels_used": state.answered,
        "rounds": recipe.get("rounds"),
        "rounds_finished": len(state.reports),
        "best": top[0][0] if top else None,
        "best_design": top[0][1] if top else None,
        "top10_mean": _mean(top[:10]),
        "top100_mean": _mean(top[:100]),
        "distinct_labelled": len(top),
        "infeasible": statuses.count("infeasible"),
        "failed": statuses.count("failed"),
        "retracted": sum(state.stage(id) is State.RETRACTED for id in state.records),
        "abandoned": sum(state.stage(id) is State.ABANDONED for id in state.records),
        "attached": sum(query.source == "attached" for query in state.queries.values()),
        "believed_mean": last.believed_mean if last else None,
        "kl_pretrained": last.kl_pretrained if last else None,
        "kl_budget": strength.get("nats"),
        "diversity": last.diversity if last else None,
        "distinct": last.distinct if last else None,
        "naturalness": _naturalness(last),
        "batch_means": [report.batch_mean for report in state.reports],
        "comparisons": len(state.comparisons),
        "comparisons_predicted": total,
        "comparisons_agreed": right / total if total else None,
        "seconds": math.fsum(report.seconds for report in state.reports),
    }


def _naturalness(last: RoundReport | None) -> dict[str, float | None] | None:
    """Return how far images have moved and how well they fit their prompts; None for other designs."""
    if last is None or last.naturalness is None:
        return None
    found = last.naturalness
    return {"shift": found.shift, "alignment": found.alignment, "alignment_before": found.alignment_before}


def status(state: RunState, place: str) -> dict[str, Any]:
    """Return where a run stands: its numbers, the open round, and what to do next."""
    numbers, why = summarise(state, place), stopped(state)
    done = why is not None
    return {
        **numbers,
        "done": done,
        "stopped_because": why,
        "round": None if done else state.round,
        "asked": 0 if done else len(state.asked(state.round)),
        "pending": len(state.pending()),
        "pending_ids": [query.id for query in state.pending()],
        "labels_left": max(0, (state.recipe or {}).get("budget", 0) - state.charged),
        "alarms": [asdict(alarm) for alarm in alarms(state, numbers["kl_budget"])],
        "next": next_step(state, place),
    }


def stopped(state: RunState) -> str | None:
    """Return why a run is over, in words; None while it is not. Rules of modules that are not seiko's are left out."""
    recipe = state.recipe or {}
    rules = []
    for rule in recipe.get("stop") or ():
        with suppress(ConfigError):
            rules.append(from_json(rule, modules=("seiko.campaign",)))
    return stopped_because(state, rounds=recipe.get("rounds", 0), budget=recipe.get("budget", 0), stop=rules)


def next_step(state: RunState, place: str) -> str:
    """Return the command that takes the run further."""
    if stopped(state) is not None:
        return f"seiko report {place}"
    if not state.asked(state.round):
        return f"seiko ask {place}"
    return f"seiko tell {place} FILE" if state.pending(state.round) else f"seiko advance {place}"


def round_line(report: RoundReport, rounds: int, budget: int) -> str:
    """Return one finished round in one line."""
    parts = [f"round {report.round} of {rounds}: {report.labels_used} of {budget} labels"]
    parts += [
        f"{name} {value:.3f}"
        for name, value in (
            ("batch mean", report.batch_mean),
            ("best", report.best),
            ("believed mean", report.believed_mean),
        )
        if value is not None
    ]
    parts += [f"KL {report.kl_pretrained:.2f} nats", f"diversity {report.diversity:.2f}"]
    if report.naturalness is not None:
        parts.append(f"features moved {report.naturalness.shift:.2f} sd")
        if report.naturalness.alignment is not None:
            parts.append(f"alignment {report.naturalness.alignment:.1f} of {report.naturalness.alignment_before:.1f}")
    if report.prequential is not None:
        for name, value in (("coverage", report.prequential.coverage), ("Spearman", report.prequential.spearman)):
            parts += [f"{name} {value:.2f}"] if value is not None else []
    return ", ".join([*parts, f"{report.seconds:.0f} s"])


def _mean(pairs: list[tuple[float, str]]) -> float | None:
    return math.fsum(value for value, _ in pairs) / len(pairs) if pairs else None
