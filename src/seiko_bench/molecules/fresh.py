"""What fresh samples of a model are like: the true value that their users would have to buy, and that is free here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from seiko.campaign import Campaign
from seiko.campaign.best_draws import best_of_nats
from seiko.designs import Design
from seiko.metrics.molecules import mean_sa, uniqueness
from seiko.metrics.similarity import internal_diversity
from seiko.oracles import Oracle

__all__ = ["SAMPLES", "SEED", "fresh", "judged", "wall_seconds"]

SAMPLES = 500
SEED = 1


def fresh(
    campaign: Campaign, oracle: Oracle, round: int | None = None, samples: int = SAMPLES, best_of: int = 1
) -> dict[str, Any]:
    """Return what samples of the model after a round are like.

    Args:
        campaign: The run.
        oracle: Who judges; its answers stay outside of the run.
        round: 0 is the pretrained model; None the last finished round.
        samples: How many.
        best_of: Each is the best of so many draws by the run's own belief.

    Returns:
        mean: Mean value of the molecules that the oracle answers, duplicates included; None if there are none.
        validity, uniqueness, diversity, sa: Of the samples; see `seiko.metrics.molecules`.
        kl: Path KL from the pretrained model that the round's own look estimated, nats, with `best_of_nats` on top.
    """
    drawn = campaign.sample(samples, seed=SEED, round=round, best_of=best_of)
    return judged(drawn, oracle) | {"kl": _kl(campaign, round) + best_of_nats(best_of)}


def wall_seconds(campaign: Campaign) -> float:
    """Return the seconds between the ledger's first event and its last; pauses of a run that was resumed count."""
    times = [datetime.fromisoformat(event.created_at) for event in campaign.ledger.read()]
    return round((times[-1] - times[0]).total_seconds(), 1)


def judged(designs: Sequence[Design], oracle: Oracle) -> dict[str, Any]:
    """Return mean, validity, uniqueness, diversity and sa of designs; see `fresh`."""
    values = [label.value for label in oracle(designs) if label.value is not None]
    smiles = [design.content for design in designs if design.valid]
    return {
        "mean": float(np.mean(values)) if values else None,
        "validity": len(smiles) / len(designs),
        "uniqueness": uniqueness(smiles) if smiles else None,
        "diversity": internal_diversity(smiles) if smiles else None,
        "sa": mean_sa(smiles) if smiles else None,
    }


def _kl(campaign: Campaign, round: int | None) -> float:
    reports = campaign.state.reports
    at = len(reports) if round is None else round
    return reports[at - 1].kl_pretrained if at else 0.0
