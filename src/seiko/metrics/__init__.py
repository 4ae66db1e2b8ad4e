"""Numbers that describe a set of designs and their values, in plain units.

    sequences    aligned tokens and their values: diversity, duplicates, top-k
    trajectory   values in the order of the calls: area under the top-k curve
    distances    two samples of property vectors: Wasserstein, Fréchet
    drift        whether new samples have left the range of earlier ones, in words
    molecules    sets of SMILES: validity, uniqueness, novelty, scaffolds, fragments, rings
    similarity   sets of SMILES by fingerprint: internal diversity, nearest neighbours, #Circles

The last two need RDKit and are imported by their own names, so that this package does not ask for it.
"""

from __future__ import annotations

from seiko.metrics.distances import frechet_distance, wasserstein_distances
from seiko.metrics.drift import Drift, PropertyRange, drift
from seiko.metrics.sequences import best_so_far, distinct_fraction, mean_pairwise_hamming, quantiles, top_k_mean
from seiko.metrics.trajectory import top_k_auc

__all__ = [
    "Drift",
    "PropertyRange",
    "best_so_far",
    "distinct_fraction",
    "drift",
    "frechet_distance",
    "mean_pairwise_hamming",
    "quantiles",
    "top_k_auc",
    "top_k_mean",
    "wasserstein_distances",
]
