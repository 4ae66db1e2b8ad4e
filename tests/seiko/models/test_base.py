from __future__ import annotations

import torch

from seiko.diffusion import Noise, Policy
from seiko.models import DiffusionModel, EnumerableToy, GaussianToy, ModelPolicy, ModelSource
from seiko.models.masked_lm import MaskedLMSource


def toy() -> GaussianToy:
    return GaussianToy.exact(mean=0.3, std=0.5, num_steps=3)


def test_protocols_hold() -> None:
    assert isinstance(toy(), DiffusionModel)
    assert isinstance(EnumerableToy.from_law(torch.ones(2, 2)), DiffusionModel)
    assert isinstance(ModelPolicy(toy()), Policy)
    assert isinstance(MaskedLMSource(name="somewhere"), ModelSource)


def test_a_policy_is_one_version_of_the_model() -> None:
    model = toy()
    x_t = Noise.seeded(0, 2).normal((1,))
    before = ModelPolicy(model).transition(x_t, 2).mean.detach()
    with torch.no_grad():
        model.versions.parameters()[1].add_(1.0)
    for version in ("pretrained", "previous"):
        assert torch.equal(ModelPolicy(model, version).transition(x_t, 2).mean, before)
    assert not torch.allclose(ModelPolicy(model).transition(x_t, 2).mean, before)


def test_only_current_has_parameters() -> None:
    model = toy()
    assert len(ModelPolicy(model).parameters()) == 2
    assert ModelPolicy(model, "pretrained").parameters() == []
    assert ModelPolicy(model, "previous").parameters() == []


def test_a_policy_tells_of_its_process() -> None:
    policy = ModelPolicy(GaussianToy.exact(num_steps=3, eta=0.5, dimensions=2))
    assert policy.num_steps == 3
    assert not policy.memoryless
    assert policy.prior(Noise.seeded(0, 4)).shape == (4, 2)


def test_checkpointing_without_gradients_is_the_plain_prediction() -> None:
    x_t = Noise.seeded(0, 2).normal((1,))
    with torch.no_grad():
        means = [ModelPolicy(toy(), checkpoint=flag).transition(x_t, 2).mean for flag in (False, True)]
    assert torch.equal(*means)
