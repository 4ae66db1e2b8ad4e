"""What we believe about the oracle: features, symmetries, reward models and their calibration.

For short DNA choose `LastLayer(features=Windows(vocabulary=4), symmetry=ReverseComplement())`; for motifs at fixed
distances in long sequences `LastLayer(features=SpacedPairs(vocabulary=V))`; for vectors, or where thousands of labels
are at hand, `Ensemble(network=MLP(feature=Identity()))`.
"""

from __future__ import annotations

from seiko.rewards.base import Belief, Calibration, FitReport, Posterior, RewardModel
from seiko.rewards.calibration import calibration, predictive, prequential, spearman
from seiko.rewards.ensemble import Ensemble, EnsembleBelief
from seiko.rewards.features import Candidate, Feature, FeatureSource, Identity, OneHot, Symmetrised
from seiko.rewards.last_layer import LastLayer, LastLayerBelief
from seiko.rewards.learned import Learned
from seiko.rewards.network import CNN, MLP, Network
from seiko.rewards.spaced_pairs import SpacedPairs
from seiko.rewards.symmetry import ReverseComplement, Symmetry, orbit
from seiko.rewards.training import Schedule
from seiko.rewards.windows import Windows

__all__ = [
    "CNN",
    "MLP",
    "Belief",
    "Calibration",
    "Candidate",
    "Ensemble",
    "EnsembleBelief",
    "Feature",
    "FeatureSource",
    "FitReport",
    "Identity",
    "LastLayer",
    "LastLayerBelief",
    "Learned",
    "Network",
    "OneHot",
    "Posterior",
    "ReverseComplement",
    "RewardModel",
    "Schedule",
    "SpacedPairs",
    "Symmetrised",
    "Symmetry",
    "Windows",
    "calibration",
    "orbit",
    "predictive",
    "prequential",
    "spearman",
]
