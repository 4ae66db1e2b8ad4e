"""Which kind of model lies behind a name: read off its configuration, before any weight is loaded."""

from __future__ import annotations

import json

from seiko.models.graph import MODEL_TYPE, GraphSource
from seiko.models.masked_lm import MaskedLMSource
from seiko.models.pixel_files import holds_pixel_model
from seiko.models.pixel_image import PixelImageSource
from seiko.priors import locate

__all__ = ["source_of"]


def source_of(name: str) -> GraphSource | MaskedLMSource | PixelImageSource:
    """Return how to load a model from a directory, the hub, or the package (``"seiko:NAME"``).

    Raises:
        FileNotFoundError: If there is no such model.
    """
    where = locate(name)
    if not isinstance(where, str) and holds_pixel_model(where):
        return PixelImageSource(name=name)
    config = None if isinstance(where, str) else where / "config.json"
    if config is not None and config.is_file() and json.loads(config.read_text()).get("model_type") == MODEL_TYPE:
        return GraphSource(name=name)
    return MaskedLMSource(name=name)
