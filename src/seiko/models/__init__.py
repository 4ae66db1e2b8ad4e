"""Which pretrained model: one face for all, three versions of the weights on one backbone."""

from seiko.models.alphabet import Alphabet, Letters
from seiko.models.base import Bounded, DiffusionModel, ModelPolicy, ModelSource, Observing, Prompted, Savable
from seiko.models.graph import GraphDiffusion, GraphSource
from seiko.models.graph_codec import GraphCodec
from seiko.models.graph_features import GraphFeatures
from seiko.models.graph_pretrain import GraphPretraining
from seiko.models.graph_transformer import GraphArchitecture
from seiko.models.masked_lm import MaskedLM, MaskedLMSource
from seiko.models.pretrain import Architecture, Pretraining, PretrainProgress
from seiko.models.side import SideNetwork
from seiko.models.source import source_of
from seiko.models.toy import EnumerableToy, GaussianToy
from seiko.models.toy_images import ImageToy, ImageToySource
from seiko.models.versions import FullFineTuning, LoRA, Tuning, Version, Versions

__all__ = [
    "Alphabet",
    "Architecture",
    "Bounded",
    "DiffusionModel",
    "EnumerableToy",
    "FullFineTuning",
    "GaussianToy",
    "GraphArchitecture",
    "GraphCodec",
    "GraphDiffusion",
    "GraphFeatures",
    "GraphPretraining",
    "GraphSource",
    "ImageToy",
    "ImageToySource",
    "Letters",
    "LoRA",
    "MaskedLM",
    "MaskedLMSource",
    "ModelPolicy",
    "ModelSource",
    "Observing",
    "PretrainProgress",
    "Pretraining",
    "Prompted",
    "Savable",
    "SideNetwork",
    "Tuning",
    "Version",
    "Versions",
    "source_of",
]
