"""Who answers: oracles that turn designs into labels.

sequences      TFBind8, Ehrlich
molecules      QED, PenalisedLogP, SA, MoleculeProperty, PMO; by name with oracle_named
images         JPEGIncompressibility, JPEGCompressibility, StrokeThickness, DigitQuality, Aesthetic, CLIPScore,
               PickScore, HPSv2; by name with image_oracle_named
your own       PythonFunction and, for images, ImageFunction, by module:function; Command, Service, Workers, OnExecutor
               outside of this process
around others  Desired with a desirability, WeightedMean, WeightedGeometricMean

Those of images are looked up where they are used: they need torch, and who only asks where a run stands does not wait
for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from seiko.oracles.base import Label, Oracle, StreamingOracle
from seiko.oracles.composite import Desired, Measured, WeightedGeometricMean, WeightedMean
from seiko.oracles.desirability import (
    Above,
    Below,
    Desirability,
    DoubleSigmoid,
    Gaussian,
    Ramp,
    ReverseSigmoid,
    Sigmoid,
    Step,
)
from seiko.oracles.ehrlich import Ehrlich, tokens_to_designs
from seiko.oracles.ehrlich_function import EhrlichFunction
from seiko.oracles.external import Command, OnExecutor, OracleFailed, Service, Workers, external_oracle
from seiko.oracles.function import PythonFunction
from seiko.oracles.molecules import (
    MOLECULE_ORACLES,
    PMO,
    PMO_TASKS,
    QED,
    SA,
    MoleculeProperty,
    PenalisedLogP,
    oracle_named,
)
from seiko.oracles.named import oracle_from
from seiko.oracles.tfbind8 import TFBind8

if TYPE_CHECKING:
    from seiko.oracles.images import (
        IMAGE_ORACLES,
        Aesthetic,
        CLIPScore,
        DigitQuality,
        HPSv2,
        ImageFunction,
        JPEGCompressibility,
        JPEGIncompressibility,
        PickScore,
        StrokeThickness,
        image_oracle_named,
    )

__all__ = [
    "IMAGE_ORACLES",
    "MOLECULE_ORACLES",
    "PMO",
    "PMO_TASKS",
    "QED",
    "SA",
    "Above",
    "Aesthetic",
    "Below",
    "CLIPScore",
    "Command",
    "Desirability",
    "Desired",
    "DigitQuality",
    "DoubleSigmoid",
    "Ehrlich",
    "EhrlichFunction",
    "Gaussian",
    "HPSv2",
    "ImageFunction",
    "JPEGCompressibility",
    "JPEGIncompressibility",
    "Label",
    "Measured",
    "MoleculeProperty",
    "OnExecutor",
    "Oracle",
    "OracleFailed",
    "PenalisedLogP",
    "PickScore",
    "PythonFunction",
    "Ramp",
    "ReverseSigmoid",
    "Service",
    "Sigmoid",
    "Step",
    "StreamingOracle",
    "StrokeThickness",
    "TFBind8",
    "WeightedGeometricMean",
    "WeightedMean",
    "Workers",
    "external_oracle",
    "image_oracle_named",
    "oracle_from",
    "oracle_named",
    "tokens_to_designs",
]

_OF_IMAGES = (
    "IMAGE_ORACLES",
    "Aesthetic",
    "CLIPScore",
    "DigitQuality",
    "HPSv2",
    "ImageFunction",
    "JPEGCompressibility",
    "JPEGIncompressibility",
    "PickScore",
    "StrokeThickness",
    "image_oracle_named",
)
"""What needs torch: looked up where it is used, so that whoever only reads a ledger does not wait for it."""


def __getattr__(name: str) -> Any:
    if name not in _OF_IMAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(f"{__name__}.images"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
