"""The report's record, filled from a run.

Everything comes from the ledger but for what the pretrained model writes (the logo's first half, the molecules before
tuning): its samples are drawn anew, from a fixed seed. The date is that of the run's start, so that the same run gives
the same page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import seiko
from seiko.campaign import CalibrationReport, Campaign, Query, RoundReport, RunState, State
from seiko.models import Alphabet, MaskedLM
from seiko.report.advice import alarms, recommendations
from seiko.report.data import CalibrationRow, DesignRow, LogoData, MoleculeData, ReportData, RoundRow, Status
from seiko.report.front import front_data
from seiko.report.image_run import image_data, with_images
from seiko.report.molecule_changes import drift_alarms
from seiko.updates import KLBudget

__all__ = ["report_data"]

DRAWN = 200  # fresh samples of the pretrained model; as many as a round's report keeps


def report_data(
    campaign: Campaign,
    *,
    title: str | None = None,
    known: Sequence[str] = (),
    pictures: Sequence[bytes] = (),
    samples: bool = True,
) -> ReportData:
    """Return what the page of a run shows.

    Args:
        campaign: The run; its model is loaded only if a round is finished, for what it wrote before tuning.
        title: Heading of the page; None for the recipe's name.
        known: SMILES that the molecules of a run are compared with, for example those the prior was trained on; empty
            for the pretrained model's own samples.
        pictures: PNG bytes that the images of a run are compared with.
        samples: Draw what the pretrained model writes. Without, no model is loaded, and the record has neither logos
            nor molecules.

    Raises:
        LedgerError: If the run cannot be read.
    """
    recipe, state = campaign.recipe, campaign.state
    nats = recipe.strength.nats if recipe.update is not None and isinstance(recipe.strength, KLBudget) else None
    smiles = {query.design.kind for query in state.queries.values()} == {"smiles"}
    molecules = _molecules(campaign, state, known) if smiles and samples else None
    images = image_data(campaign, state, pictures)
    drawn = state.reports and samples and not smiles and images is None
    logos = _logos(campaign, state) if drawn else None
    length = len(logos.before) if logos is not None else None
    space = None if logos is None else float(len(logos.alphabet)) ** min(len(logos.before), 50)
    data = ReportData(
        title=title or recipe.name,
        recipe_name=recipe.name,
        run_name=campaign.ledger.name,
        seiko_version=seiko.__version__,
        created_at=_in_words(state.opened_at),
        budget=recipe.budget,
        labels_used=state.answered,
        rounds_planned=recipe.rounds,
        seed=recipe.seed,
        recipe_json=json.dumps(state.recipe, indent=2),
        designs=tuple(_design_row(query, state) for query in state.queries.values() if query.own),
        rounds=tuple(_round_row(report) for report in state.reports),
        logos=logos,
        molecules=molecules,
        images=images,
        kl_budget=nats,
        reward_name=getattr(recipe.oracle, "name", None) or "label",
        diversity_unit="Tanimoto distance" if smiles else "positions",
        diversity_max=1.0 if smiles else None if length is None else float(length),
        alarms=alarms(state, nats, space) + (() if molecules is None else drift_alarms(molecules)),
        recommendations=recommendations(
            state, rounds=recipe.rounds, budget=recipe.budget, kl_budget=nats, space=space, stop=recipe.stop
        ),
        front=None if recipe.objectives is None else front_data(state, recipe.objectives),
    )
    return with_images(campaign, data)


def _design_row(query: Query, state: RunState) -> DesignRow:
    label = state.labels.get(query.id)
    return DesignRow(
        round=query.round,
        query_id=query.id,
        content=query.design.content,
        kind=query.design.kind,
        source=query.source,
        status=label.status if label is not None else _without_label(state.stage(query.id)),
        value=None if label is None else label.value,
        noise=None if label is None else label.noise,
        predicted_mean=query.mean,
        predicted_std=query.std,
        prompt=query.design.prompt,
    )


def _without_label(stage: State) -> Status:
    return "retracted" if stage is State.RETRACTED else "abandoned" if stage is State.ABANDONED else "pending"


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
    if not isinstance(model, MaskedLM) or not isinstance(model.alphabet, Alphabet):
        return None
    split = model.alphabet.split
    before = campaign.sample(DRAWN, round=0)
    return LogoData.from_samples(
        model.alphabet.letters,
        [split(design.content) for design in before],
        [split(content) for content in state.reports[-1].samples],
        kind=model.alphabet.kind,
    )


def _molecules(campaign: Campaign, state: RunState, known: Sequence[str]) -> MoleculeData:
    """Return samples before and after of a run whose designs are SMILES."""
    before = campaign.sample(DRAWN, round=0) if state.reports else []
    return MoleculeData(
        before=tuple(design.content for design in before),
        after=state.reports[-1].samples if state.reports else (),
        known=tuple(known),
    )


def _in_words(opened_at: str) -> str:
    try:
        when = datetime.fromisoformat(opened_at)
    except ValueError:
        return opened_at
    return f"{when.day} {when:%B %Y, %H:%M} UTC"
