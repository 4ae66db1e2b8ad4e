from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seiko.diffusion import Noise, rollout
from seiko.models import GraphArchitecture, GraphCodec, GraphPretraining, GraphSource, ModelPolicy, PretrainProgress

CODEC = GraphCodec(places=3, elements=("C", "O"))
SMALL = GraphArchitecture(width=16, pair_width=8, layers=1, heads=2, triangles=2)
TINY = GraphPretraining(
    architecture=SMALL, steps=20, batch=32, learning_rate=1e-2, every=5, average=0.9, validation_share=0.1
)


def chains(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Return propane, or an ether, with its middle at a random place."""
    generator = torch.Generator().manual_seed(0)
    middle = torch.randint(3, (count,), generator=generator)
    atoms = torch.ones(count, 3, dtype=torch.int64)
    atoms[torch.arange(count), middle] = torch.randint(1, 3, (count,), generator=generator)
    i, j = CODEC.ends
    return atoms, ((i == middle[:, None]) | (j == middle[:, None])).long()


def test_the_model_learns_the_graphs(tmp_path: Path) -> None:
    training = GraphPretraining(
        architecture=SMALL, steps=200, batch=64, learning_rate=2e-2, every=100, average=0.95, validation_share=0.1
    )
    seen: list[PretrainProgress] = []
    nats = training.run(*chains(), CODEC, tmp_path, provenance={"script": "test"}, report=seen.append)
    assert [progress.step for progress in seen] == [100, 200]
    assert seen[-1].loss < 0.85 < seen[0].loss
    side = json.loads((tmp_path / "seiko.json").read_text())
    assert side["provenance"]["validation_nats_per_graph"] == nats
    assert side["provenance"]["script"] == "test"
    assert not (tmp_path / "checkpoint.pt").exists()
    model = GraphSource(name=str(tmp_path), num_steps=20, repair="raw").load()
    with torch.no_grad():
        drawn = [design.content for design in model.export(rollout(ModelPolicy(model), None, Noise.seeded(0, 100)).x_0)]
    assert (drawn.count("CCC") + drawn.count("COC")) > 75  # an atom or a bond gone wrong gives others
    assert 20 < drawn.count("COC") < 80


@pytest.mark.parametrize("at", [5, 10, 20])
def test_an_interrupted_run_ends_in_the_same_weights(tmp_path: Path, at: int) -> None:
    whole = TINY.run(*chains(), CODEC, tmp_path / "whole")

    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(*chains(), CODEC, tmp_path / "resumed", report=interrupt)
    seen: list[int] = []
    resumed = TINY.run(*chains(), CODEC, tmp_path / "resumed", report=lambda progress: seen.append(progress.step))
    assert seen[0] == at  # it went on where the last checkpoint stood
    assert resumed == whole
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "resumed"))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_checkpoint_of_other_graphs_is_refused(tmp_path: Path) -> None:
    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(*chains(), CODEC, tmp_path, report=interrupt)
    with pytest.raises(ValueError, match="checkpoint of another training"):
        TINY.run(*chains(100), CODEC, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"validation_share": 1.0}, "validation_share must lie between 0 and 1, got 1.0"),
        ({"end": 0.0}, "end must be a time in"),
        ({"focus": (0.1, 0.7)}, "focus must be two times"),
    ],
)
def test_wrong_values_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphPretraining(**wrong)


def test_one_graph_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 2 graphs, got 1"):
        TINY.run(*chains(1), CODEC, tmp_path)
