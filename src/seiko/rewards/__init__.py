"""What we believe about the oracle: features, symmetries, reward models and their calibration.

For short DNA choose `LastLayer(features=Windows(vocabulary=4), symmetry=ReverseComplement())`; for motifs at fixed
distances in long sequences `LastLayer(features=SpacedPairs(vocabulary=V))`; for molecules
`GaussianProcess(kernel=molecule_kernel(model), mean="likelihood")`; for vectors, or where thousands of labels are at
hand, `Ensemble(network=MLP(feature=Identity()))`; for images `Ensemble(network=PixelCNN())`. Comparisons ("this one is
better") need `PreferenceProcess` or `PreferenceEnsemble`. `Feasibility` learns which designs can be labelled at all.
"""

from __future__ import annotations

from seiko.rewards.base import Belief, Calibration, FitReport, Posterior, PreferenceRewardModel, RewardModel
from seiko.rewards.calibration import calibration, predictive, prequential, spearman
from seiko.rewards.choices import Choices
from seiko.rewards.embedding import Embedding
from seiko.rewards.ensemble import Ensemble, EnsembleBelief
from seiko.rewards.feasibility import Feasibility, FeasibilityBelief
from seiko.rewards.features import Candidate, Feature, FeatureSource, Identity, OneHot, Symmetrised
from seiko.rewards.gp import GaussianProcess
from seiko.rewards.gp_belief import GaussianProcessBelief, GaussianProcessDraw
from seiko.rewards.kernels import RBF, Hamming, Kernel, Linear, Spectrum, Sum, Tanimoto
from seiko.rewards.last_layer import LastLayer, LastLayerBelief
from seiko.rewards.learned import Learned
from seiko.rewards.molecules import AtomPairs, Descriptors, Formula, MorganCounts, molecule_kernel
from seiko.rewards.network import CNN, MLP, Network
from seiko.rewards.pixels import DigitFeatures, PixelCNN
from seiko.rewards.preference_ensemble import PreferenceEnsemble
from seiko.rewards.preferences import PreferenceProcess
from seiko.rewards.prompted import PerPrompt, PromptedEmbedding, PromptFeature
from seiko.rewards.sgld import SGLD
from seiko.rewards.spaced_pairs import SpacedPairs
from seiko.rewards.symmetry import ReverseComplement, Symmetry, orbit
from seiko.rewards.training import Schedule
from seiko.rewards.vision import VisionEmbedding
from seiko.rewards.window_kernel import WindowKernel
from seiko.rewards.windows import Windows

__all__ = [
    "CNN",
    "MLP",
    "RBF",
    "SGLD",
    "AtomPairs",
    "Belief",
    "Calibration",
    "Candidate",
    "Choices",
    "Descriptors",
    "DigitFeatures",
    "Embedding",
    "Ensemble",
    "EnsembleBelief",
    "Feasibility",
    "FeasibilityBelief",
    "Feature",
    "FeatureSource",
    "FitReport",
    "Formula",
    "GaussianProcess",
    "GaussianProcessBelief",
    "GaussianProcessDraw",
    "Hamming",
    "Identity",
    "Kernel",
    "LastLayer",
    "LastLayerBelief",
    "Learned",
    "Linear",
    "MorganCounts",
    "Network",
    "OneHot",
    "PerPrompt",
    "PixelCNN",
    "Posterior",
    "PreferenceEnsemble",
    "PreferenceProcess",
    "PreferenceRewardModel",
    "PromptFeature",
    "PromptedEmbedding",
    "ReverseComplement",
    "RewardModel",
    "Schedule",
    "SpacedPairs",
    "Spectrum",
    "Sum",
    "Symmetrised",
    "Symmetry",
    "Tanimoto",
    "VisionEmbedding",
    "WindowKernel",
    "Windows",
    "calibration",
    "molecule_kernel",
    "orbit",
    "predictive",
    "prequential",
    "spearman",
]
