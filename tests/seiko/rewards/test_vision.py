from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seiko import config
from seiko.imaging import image_design
from seiko.oracles import CLIPScore
from seiko.rewards import Feature, LastLayer, VisionEmbedding
from seiko.rewards.features import Aligned


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    folder: Path = tmp_path_factory.mktemp("vision")
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=224,
        patch_size=56,
        projection_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPVisionModelWithProjection(vision).save_pretrained(folder)
    return str(folder)


def test_embeddings_have_unit_length_and_a_constant(encoder: str) -> None:
    feature = VisionEmbedding(model=encoder, scale=3.0)
    assert isinstance(feature, Feature)
    phi = feature(torch.rand(3, 3, 24, 24))
    torch.testing.assert_close(phi[:, :-1].norm(dim=1), torch.full((3,), 3.0))
    assert phi[:, -1].tolist() == [1.0, 1.0, 1.0]
    free = VisionEmbedding(model=encoder, normalise=False)(torch.rand(3, 3, 24, 24))
    assert float(free[:, :-1].norm(dim=1).std()) > 0


def test_a_beliefs_gradient_reaches_the_pixels(encoder: str) -> None:
    x = torch.rand(12, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    y = x.mean((1, 2, 3)) * 10
    belief = LastLayer(features=VisionEmbedding(model=encoder, scale=10.0)).fit(x, y, None, 0)
    at = x[:2].clone().requires_grad_()
    posterior = belief.posterior(at)
    (posterior.mean + posterior.std).sum().backward()
    assert at.grad is not None
    assert bool((at.grad.flatten(1).abs().sum(1) > 0).all())


def test_states_that_are_no_images_are_refused(encoder: str) -> None:
    with pytest.raises(ValueError, match=r"needs images \[n, 1 or 3, h, w\], got \[2, 5\]"):
        VisionEmbedding(model=encoder)(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="scale must be positive"):
        VisionEmbedding(model=encoder, scale=0.0)


def test_images_and_texts_have_cosines(encoder: str, clip: str) -> None:
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    feature = VisionEmbedding(model=clip, scale=27.7)
    assert isinstance(feature, Aligned)
    cosines = feature.cosines(feature(x), ["a cat", "a dog"])
    assert cosines is not None
    designs = [image_design(pixels, prompt) for pixels in x for prompt in ("a cat", "a dog")]
    scores = [label.value for label in CLIPScore(model=clip)(designs)]
    torch.testing.assert_close(100 * cosines.flatten(), torch.tensor(scores), atol=0.1, rtol=0)
    assert VisionEmbedding(model=encoder).cosines(torch.rand(3, 9), ["a cat"]) is None


def test_a_recipe_can_hold_it() -> None:
    feature = VisionEmbedding(model="somewhere/clip")
    assert config.from_json(config.to_json(feature)) == feature
