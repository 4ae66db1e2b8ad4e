"""What we believe about the oracle: labels in, mean and honest uncertainty out."""

from seiko.rewards.base import Belief, Calibration, FitReport, Posterior, RewardModel
from seiko.rewards.calibration import calibration, predictive, prequential, spearman
from seiko.rewards.ensemble import Ensemble, EnsembleBelief
from seiko.rewards.features import Feature, FeatureSource, Identity, OneHot, Symmetrised
from seiko.rewards.last_layer import LastLayer, LastLayerBelief
from seiko.rewards.learned import Learned
from seiko.rewards.network import CNN, MLP, Network
from seiko.rewards.symmetry import ReverseComplement, Symmetry, orbit
from seiko.rewards.training import Schedule
from seiko.rewards.windows import Windows

__all__ = [
    "CNN",
    "MLP",
    "Belief",
    "Calibration",
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
    "Symmetrised",
    "Symmetry",
    "Windows",
    "calibration",
    "orbit",
    "predictive",
    "prequential",
    "spearman",
]
