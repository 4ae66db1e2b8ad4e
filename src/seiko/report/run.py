"""The report's record, filled from a run.

Everything comes from the ledger but for the logo's first half: fresh samples of the pretrained model are drawn anew,
from a fixed seed. The date is that of the run's start, so that the same run gives the same page.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

import seiko
from seiko.campaign import CalibrationReport, Campaign, Query, RoundReport, RunState
from seiko.models import MaskedLM
from seiko.report.advice import alarms, recommendations
from seiko.report.data import CalibrationRow, DesignRow, LogoData, ReportData, RoundRow
from seiko.updates import KLBudget

__all__ = ["report_data"]

DRAWN = 200  # fresh samples of the pretrained model for the logo; as many as a round's report keeps


def report_data(campaign: Campaign, *, title: str | None = None) -> ReportData:
    """Return what the page of a run shows.

    Args:
        campaign: The run; its model is loaded only if a round is finished, for the logo.
        title: Heading of the page; None for the recipe's name.

    Raises:
        LedgerError: If the run cannot be read.
    """
    recipe, state = campaign.recipe, campaign.state
    nats = recipe.strength.nats if recipe.update is not None and isinstance(recipe.strength, KLBudget) else None
    logos = _logos(campaign, state) if state.reports else None
    length = len(logos.before) if logos is not None else None
    space = None if logos is None else float(len(logos.alphabet)) ** min(len(logos.before), 50)
    return ReportData(
        title=title or recipe.name,
        recipe_name=recipe.name,
        run_name=campaign.ledger.root.absolute().name,
        seiko_version=seiko.__version__,
        created_at=_in_words(state.opened_at),
        budget=recipe.budget,
        labels_used=state.answered,
        rounds_planned=recipe.rounds,
        seed=recipe.seed,
        recipe_json=json.dumps(state.recipe, indent=2),
        designs=tuple(_design_row(query, state) for query in state.queries.values()),
        rounds=tuple(_round_row(report) for report in state.reports),
        logos=logos,
        kl_budget=nats,
        reward_name=getattr(recipe.oracle, "name", None) or "label",
        diversity_max=None if length is None else float(length),
        alarms=alarms(state, nats, space),
        recommendations=recommendations(state, rounds=recipe.rounds, budget=recipe.budget, kl_budget=nats, space=space),
    )


def _design_row(query: Query, state: RunState) -> DesignRow:
    label = state.labels.get(query.id)
    return DesignRow(
        round=query.round,
        query_id=query.id,
        content=query.design.content,
        kind=query.design.kind,
        source=query.source,
        status="pending" if label is None else label.status,
        value=None if label is None else label.value,
        noise=None if label is None else label.noise,
        predicted_mean=query.mean,
        predicted_std=query.std,
    )


def _round_row(report: RoundReport) -> RoundRow:
    return RoundRow(
        round=report.round,
        labels_used=report.labels_used,
        seconds=report.seconds,
        alpha=report.alpha,
        beta=report.beta,
        kl_pretrained=report.kl_pretrained,
        kl_previous=report.kl_previous,
        believed_mean=report.believed_mean,
        diversity=report.diversity,
        prequential=_calibration_row(report.prequential),
        held_out=_calibration_row(report.held_out),
    )


def _calibration_row(found: CalibrationReport | None) -> CalibrationRow | None:
    return None if found is None else CalibrationRow(**asdict(found))


def _logos(campaign: Campaign, state: RunState) -> LogoData | None:
    """Return letter frequencies before and after; None for a model whose designs are not aligned letters."""
    model = campaign.model
    if not isinstance(model, MaskedLM):
        return None
    split = model.alphabet.split
    before = campaign.sample(DRAWN, round=0)
    return LogoData.from_samples(
        model.alphabet.letters,
        [split(design.content) for design in before],
        [split(content) for content in state.reports[-1].samples],
        kind=model.alphabet.kind,
    )


def _in_words(opened_at: str) -> str:
    try:
        when = datetime.fromisoformat(opened_at)
    except ValueError:
        return opened_at
    return f"{when.day} {when:%B %Y, %H:%M} UTC"
