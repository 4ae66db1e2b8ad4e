from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.config import from_json, to_json
from seiko.designs import Design
from seiko.diffusion import Noise, path_kl, rollout
from seiko.models import (
    DiffusionModel,
    FullFineTuning,
    GraphArchitecture,
    GraphCodec,
    GraphDiffusion,
    GraphSource,
    LoRA,
    ModelPolicy,
    ModelSource,
)
from seiko.models.graph import save_graph_model
from seiko.models.graph_transformer import GraphTransformer
from seiko.updates import PPO, SQDF, AdjointMatching, Anchor, DirectBackprop, Distill, Problem

pytest.importorskip("rdkit")

from seiko.chemistry import parse

CODEC = GraphCodec(places=4)
SMALL = GraphArchitecture(width=16, pair_width=12, layers=2, heads=2, triangles=4)
SMILES = ["CCO", "C1CC1", "C#N", "O=CF", "C"]
UPDATES = [
    (DirectBackprop(learning_rate=5e-3), 8, 32),
    (AdjointMatching(learning_rate=5e-3), 8, 32),
    (SQDF(learning_rate=5e-3), 8, 32),
    (PPO(learning_rate=5e-3), 15, 128),
    (Distill(learning_rate=5e-3), 10, 128),
]
NAMES = [type(update).__name__ for update, *_ in UPDATES]


def save(folder: Path, codec: GraphCodec = CODEC) -> Path:
    """Write a network with random weights."""
    torch.manual_seed(0)
    network = GraphTransformer(codec, SMALL)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape) / math.sqrt(p.shape[-1]))
    return save_graph_model(network, 0.15, folder, {"script": "test"})


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., GraphDiffusion]:
    """Return how to load a small model that has learnt nothing."""
    folder = save(tmp_path / "model")
    return lambda **more: GraphSource(name=str(folder), **{"num_steps": 6, **more}).load()


def designs(*smiles: str) -> list[Design]:
    return [Design(content=text, kind="smiles") for text in smiles]


def oxygens(model: GraphDiffusion) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a reward with a gradient: how much oxygen there is in a decoded state."""
    element = 1 + model.codec.elements.index("O")
    return lambda x_0: model.codec.split(model.decode(x_0))[0][..., element].sum(-1)


def climb(model: GraphDiffusion, update: Any, steps: int, samples: int, coefficient: float) -> tuple[float, float]:
    """Return the mean number of oxygen atoms of what is drawn before and after an update's steps."""
    policy, pretrained = ModelPolicy(model), ModelPolicy(model, "pretrained")
    problem = Problem(oxygens(model), (Anchor(pretrained, coefficient),))

    def drawn() -> float:
        with torch.no_grad():
            atoms, _ = model.codec.quantise(rollout(policy, None, Noise.seeded(99, 256)).x_0)
        return float((atoms == 1 + model.codec.elements.index("O")).sum(-1).float().mean())

    before, state = drawn(), update.init(policy)
    for i in range(steps):
        update.step(state, policy, problem, None, Noise.seeded(i, samples))
    return before, drawn()


def test_protocols_hold(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    assert isinstance(model, DiffusionModel)
    assert isinstance(GraphSource(), ModelSource)
    assert model.event_shape == (4 * 5 + 6 * 4,)
    assert ModelPolicy(model).memoryless
    assert not ModelPolicy(load(eta=0.5)).memoryless


def test_every_step_has_a_density(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    with torch.no_grad():
        trajectory = rollout(ModelPolicy(model), None, Noise.seeded(0, 8))
    for _, _, x_s, law in trajectory.steps():
        assert bool(law.log_prob(x_s).isfinite().all())
    assert torch.equal(path_kl(trajectory, ModelPolicy(model, "pretrained")), torch.zeros(8))


def test_one_step_a_sample_is_each_step_by_itself(load: Callable[..., GraphDiffusion]) -> None:
    policy, x_t = ModelPolicy(load()), Noise.seeded(0, 6).normal((44,))
    together = policy.transition(x_t, torch.arange(1, 7))
    for k in range(1, 7):
        alone = policy.transition(x_t[k - 1 : k], k)
        torch.testing.assert_close(together.mean[k - 1 : k], alone.mean, atol=1e-5, rtol=1e-5)


def test_designs_come_back_and_stay_as_they_are(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    x_0 = model.ingest(designs(*SMILES))
    assert model.export(x_0) == designs(*SMILES)
    torch.testing.assert_close(model.decode(x_0), x_0, atol=1e-5, rtol=0)
    assert model.ingest([]).shape == (0, 44)
    assert model.ingest(model.export(x_0[:2])).equal(x_0[:2])


def test_a_source_travels_through_a_recipe() -> None:
    source = GraphSource(name="somewhere", tuning=LoRA(rank=4), num_steps=7, repair="valence")
    assert from_json(to_json(source)) == source


def test_repair_is_a_choice(load: Callable[..., GraphDiffusion]) -> None:
    # an oxygen apart, and a carbon with five bonds
    codec = load().codec
    apart = codec.embed(torch.tensor([[3, 1, 1, 0]]), torch.tensor([[0, 0, 0, 1, 0, 0]]))
    crowded = codec.embed(torch.tensor([[1, 1, 1, 1]]), torch.tensor([[2, 2, 1, 0, 0, 0]]))
    x_0 = torch.cat([apart, crowded])
    raw, largest, valence = ([d.content for d in load(repair=r).export(x_0)] for r in ("raw", "largest", "valence"))
    assert raw[0] == "CC.O"
    assert largest[0] == valence[0] == "CC"
    assert parse(raw[1]) is None
    assert parse(largest[1]) is None
    assert [design.valid for design in load().export(x_0)] == [True, False]
    assert load().export(load().ingest(load().export(x_0))) == load().export(x_0)
    assert valence[1] == "C=C(C)C"


def test_distance_is_of_molecules_not_of_places(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    x = model.ingest(designs("CCO", "C1CC1", "CCF"))
    z = model.codec.permute(x, torch.tensor([3, 1, 0, 2]))
    distance = model.distance(x, z)
    assert distance.shape == (3, 3)
    torch.testing.assert_close(distance.diagonal(), torch.zeros(3))
    assert float(distance[0, 1]) > float(distance[0, 2]) > 0


def test_other_designs_are_refused_by_name(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    with pytest.raises(ValueError, match="'ACGT' is of kind 'dna'"):
        model.ingest([Design(content="ACGT")])
    with pytest.raises(ValueError, match="has 5 heavy atoms, this model has 4 places"):
        model.ingest(designs("CCCCC"))


def test_a_design_is_the_same_whatever_the_batch(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    policy, noise = ModelPolicy(model), Noise.seeded(0, 32)
    with torch.no_grad():
        whole = rollout(policy, None, noise).x_0
        parts = torch.cat([rollout(policy, None, noise[i : i + 7]).x_0 for i in range(0, 32, 7)])
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0)
    assert model.export(parts) == model.export(whole)
    assert len(set(model.export(whole))) > 5


@pytest.mark.parametrize("tuning", [FullFineTuning(), LoRA(rank=2)], ids=["full", "lora"])
def test_the_current_version_is_saved_and_loaded_again(
    load: Callable[..., GraphDiffusion], tuning: Any, tmp_path: Path
) -> None:
    model = load(tuning=tuning)
    x_t = Noise.seeded(0, 5).normal((44,))
    with torch.no_grad():
        pretrained = model.predict(x_t, 4)
        for p in model.versions.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
        current = model.predict(x_t, 4)
        assert not torch.allclose(current, pretrained, atol=1e-2)
        with model.versions.use("pretrained"):
            torch.testing.assert_close(model.predict(x_t, 4), pretrained)
        folder = model.save_pretrained(tmp_path / "saved")
        again = GraphSource(name=str(folder), num_steps=6).load()
        torch.testing.assert_close(again.predict(x_t, 4), current, atol=1e-4, rtol=1e-4)


def test_what_is_no_graph_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no shipped prior is called 'seiko:nowhere'"):
        GraphSource(name="seiko:nowhere").load()
    with pytest.raises(FileNotFoundError, match="there is no model directory"):
        GraphSource(name=str(tmp_path / "nowhere")).load()
    with pytest.raises(ValueError, match="holds no graph diffusion model"):
        GraphSource(name="seiko:tfbind8").load()
    with pytest.raises(ValueError, match="holds no graph diffusion model"):
        GraphSource(name=str(tmp_path)).load()


@pytest.mark.parametrize(("update", "steps", "samples"), UPDATES, ids=NAMES)
def test_every_gaussian_update_raises_a_reward(
    load: Callable[..., GraphDiffusion], update: Any, steps: int, samples: int
) -> None:
    before, after = climb(load(), update, steps, samples, coefficient=0.05)
    assert after > before + 0.3


def test_the_gradient_of_the_reward_reaches_the_start(load: Callable[..., GraphDiffusion]) -> None:
    model = load()
    policy, noise = ModelPolicy(model), Noise.seeded(0, 4)
    x = policy.prior(noise).requires_grad_()
    x_s = x
    for k in range(policy.num_steps, 0, -1):
        x_s = policy.transition(x_s, k).rsample(noise.fold_in(k))
    (gradient,) = torch.autograd.grad(oxygens(model)(x_s).sum(), x)
    assert bool(gradient.isfinite().all())


def test_the_shipped_prior_draws_molecules() -> None:
    model = GraphSource(num_steps=20).load()
    with torch.no_grad():
        x_0 = rollout(ModelPolicy(model), None, Noise.seeded(0, 64)).x_0
    drawn = [design.content for design in model.export(x_0)]
    assert sum(parse(smiles) is not None for smiles in drawn) >= 48
    assert len(set(drawn)) >= 60
    side = json.loads((GraphSource().locate() / "seiko.json").read_text())
    assert side["provenance"]["script"] == "scripts/train_graph.py"
    assert len(side["provenance"]["data_sha256"]) == 64


@pytest.mark.slow
@pytest.mark.parametrize(("update", "steps", "samples"), UPDATES, ids=NAMES)
def test_every_gaussian_update_raises_a_reward_of_the_shipped_prior(update: Any, steps: int, samples: int) -> None:
    careful = replace(update, learning_rate=3e-4)
    before, after = climb(GraphSource(num_steps=12).load(), careful, steps // 2, samples, coefficient=0.05)
    assert after > before + 0.3
