"""`seiko bench prior`: is a molecule model like the data that it learnt from? Validity alone does not say so.

    gates     mean QED at least .70, mean SA at most 3.4, mean logP within .3 of ZINC's, and fewer than 5 % of samples
              with a ring above six atoms
    beside    validity, uniqueness, novelty against the training split, internal diversity, seconds for 1,000 samples;
              Wasserstein distances of QED, SA and logP to the training split
    held out  nearest-neighbour and fragment similarity to the test split, as in MOSES; those of the training split's
              own molecules stand beside them, for no model comes nearer

References:
    Polykovskiy et al., "Molecular Sets (MOSES)", 2020, https://arxiv.org/abs/1811.12823
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seiko.campaign.sampler import ModelSampler
from seiko.chemistry import flat, properties
from seiko.data import fetch
from seiko.diffusion import Noise
from seiko.metrics import wasserstein_distances
from seiko.metrics.molecules import fragment_similarity, large_ring_share, novelty, uniqueness, validity
from seiko.metrics.similarity import internal_diversity, mean_nearest_similarity
from seiko.models import MaskedLMSource
from seiko_bench.protocols import Protocol

__all__ = ["gates", "prior"]

SAMPLES = 10_000
QUICK = 40, 500  # samples, molecules of ZINC's splits
CHUNK = 500
TIMED = 1000
TRAIN, TEST = 0, 2
NAMES = ("qed", "sa", "logp")
QED_AT_LEAST, SA_AT_MOST, LOGP_WITHIN, RINGS_BELOW = 0.70, 3.4, 0.3, 0.05


def prior(name: str) -> Protocol:
    """Return the benchmark of one model, a method of its name."""

    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        return judge(name, seed, *QUICK) if quick else judge(name, seed, SAMPLES)

    called = Path(name.rpartition(":")[2]).name
    return Protocol(
        f"Prior: {SAMPLES:,} samples beside ZINC250k",
        {called: method},
        (
            *("validity", "uniqueness", "novelty", "internal_diversity", "large_rings", *NAMES),
            *(f"distance_{key}" for key in NAMES),
            *("nearest_similarity", "fragment_similarity", "gates_held", "seconds_for_1000"),
        ),
    )


def judge(name: str, seed: int, samples: int, known: int | None = None) -> dict[str, Any]:
    """Return what samples of a model are like, beside ZINC250k; see the module's header.

    Args:
        name: The model: ``"seiko:NAME"`` or a folder.
        seed: Seed of the samples.
        samples: How many.
        known: Molecules of each split that they are compared with; None for all of the training split, and as many as
            there are samples of the test split.
    """
    smiles, seconds = draw_smiles(name, seed, samples)
    kept = [text for text in smiles if text]
    train, test = zinc(TRAIN, known), zinc(TEST, known or samples)
    values, reference = properties(kept, NAMES), zinc_properties()
    means = {key: float(values[:, i].double().mean()) for i, key in enumerate(NAMES)}
    zinc_means = {f"zinc_{key}": float(reference[:, i].double().mean()) for i, key in enumerate(NAMES)}
    distances = wasserstein_distances(values, reference, NAMES)
    rings = large_ring_share(kept)
    held = gates(means["qed"], means["sa"], means["logp"] - zinc_means["zinc_logp"], rings)
    return {
        "seed": seed,
        "samples": samples,
        "validity": validity(smiles),
        "uniqueness": uniqueness(kept),
        "novelty": novelty(kept, set(train)),
        "internal_diversity": internal_diversity(kept),
        "large_rings": rings,
        **means,
        **zinc_means,
        **{f"distance_{key}": value for key, value in distances.items()},
        "nearest_similarity": mean_nearest_similarity(kept, test),
        "fragment_similarity": fragment_similarity(kept, test),
        "zinc_nearest_similarity": mean_nearest_similarity(train[: len(kept)], test),
        "zinc_fragment_similarity": fragment_similarity(train[: len(kept)], test),
        "gates": held,
        "gates_held": sum(gate["holds"] for gate in held.values()),
        "seconds_for_1000": seconds,
    }


def gates(qed: float, sa: float, logp_difference: float, large_rings: float) -> dict[str, dict[str, Any]]:
    """Return each gate with its value, its limit and whether it holds."""
    rows = {
        "qed": (qed, QED_AT_LEAST, qed >= QED_AT_LEAST),
        "sa": (sa, SA_AT_MOST, sa <= SA_AT_MOST),
        "logp_difference": (logp_difference, LOGP_WITHIN, abs(logp_difference) <= LOGP_WITHIN),
        "large_rings": (large_rings, RINGS_BELOW, large_rings < RINGS_BELOW),
    }
    return {key: {"value": value, "limit": limit, "holds": bool(holds)} for key, (value, limit, holds) in rows.items()}


@torch.no_grad()
def draw_smiles(name: str, seed: int, n: int) -> tuple[list[str], float]:
    """Return n samples, "" for what is no molecule, and the seconds that 1,000 of them take (or all, scaled)."""
    model = MaskedLMSource(name=name, precision="bfloat16").load()
    sampler, smiles, seconds = ModelSampler(model), list[str](), 0.0
    for start in range(0, n, CHUNK):
        began = time.monotonic()
        x = sampler.draw(Noise.seeded(seed, range(start, min(start + CHUNK, n))))
        smiles += [design.content if design.valid else "" for design in model.export(x)]
        if start < TIMED:
            seconds += time.monotonic() - began
    return smiles, round(seconds * TIMED / min(TIMED, n), 1)


@cache
def zinc(split: int, n: int | None = None) -> list[str]:
    """Return n (or all) molecules of a split of ZINC250k in a seeded order, canonical, without stereochemistry."""
    from seiko.campaign.library import read_library

    rows = read_library("zinc250k")
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(_splits() == split))[:n]
    return list(dict.fromkeys(text for i in chosen if (text := flat(rows[i])) is not None))


@cache
def zinc_properties() -> torch.Tensor:
    """Return `[m, 3]` QED, SA and logP of the training split, as they were computed for its file."""
    with np.load(fetch("zinc250k-properties"), allow_pickle=False) as data:
        columns = [data[key][data["split"] == TRAIN] for key in ("qed", "sas", "logP")]
    return torch.from_numpy(np.stack(columns, axis=1))


@cache
def _splits() -> np.ndarray[Any, np.dtype[np.uint8]]:
    with np.load(fetch("zinc250k-properties"), allow_pickle=False) as data:
        return np.asarray(data["split"])
