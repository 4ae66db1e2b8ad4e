"""Tiny random pipelines of the four families, saved once a session in diffusers' format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.models import RandomPipeline


@pytest.fixture(scope="session")
def pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    pytest.importorskip("diffusers")
    made: dict[str, Path] = {}

    def folder(family: Any) -> Path:
        if family not in made:
            made[family] = RandomPipeline(family=family).save(tmp_path_factory.mktemp("pipelines") / family)
        return made[family]

    return folder


@pytest.fixture
def stir() -> Callable[[Any], None]:
    """Return what moves the current version of a model away from the pretrained one."""

    def move(model: Any) -> None:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.versions.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)

    return move
