"""Which pretrained model: one face for all, three versions of the weights on one backbone."""

from seiko.models.alphabet import Alphabet, Letters
from seiko.models.base import Bounded, DiffusionModel, ModelPolicy, ModelSource, Observing, Prompted, Savable
from seiko.models.graph import GraphDiffusion, GraphSource
from seiko.models.graph_codec import GraphCodec
from seiko.models.graph_features import GraphFeatures
from seiko.models.graph_pretrain import GraphPretraining
from seiko.models.graph_transformer import GraphArchitecture
from seiko.models.guidance import ClassifierFree, ClassifierFreeSource, Conditional
from seiko.models.latent_image import LatentImage
from seiko.models.latent_image_source import LatentImageSource
from seiko.models.masked_lm import MaskedLM, MaskedLMSource
from seiko.models.pixel_files import PixelFiles
from seiko.models.pixel_image import UNET_LAYERS, PixelImage, PixelImageSource
from seiko.models.pixel_imagenet import IMAGENET_64, random_imagenet_64
from seiko.models.pixel_pretrain import PixelArchitecture, PixelPretraining
from seiko.models.pretrain import Architecture, Pretraining, PretrainProgress
from seiko.models.random_pipeline import RandomPipeline
from seiko.models.side import SideNetwork
from seiko.models.source import source_of
from seiko.models.toy import EnumerableToy, GaussianToy
from seiko.models.toy_images import ImageToy, ImageToySource
from seiko.models.versions import FullFineTuning, LoRA, Tuning, Version, Versions

__all__ = [
    "IMAGENET_64",
    "UNET_LAYERS",
    "Alphabet",
    "Architecture",
    "Bounded",
    "ClassifierFree",
    "ClassifierFreeSource",
    "Conditional",
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
    "LatentImage",
    "LatentImageSource",
    "Letters",
    "LoRA",
    "MaskedLM",
    "MaskedLMSource",
    "ModelPolicy",
    "ModelSource",
    "Observing",
    "PixelArchitecture",
    "PixelFiles",
    "PixelImage",
    "PixelImageSource",
    "PixelPretraining",
    "PretrainProgress",
    "Pretraining",
    "Prompted",
    "RandomPipeline",
    "Savable",
    "SideNetwork",
    "Tuning",
    "Version",
    "Versions",
    "random_imagenet_64",
    "source_of",
]
