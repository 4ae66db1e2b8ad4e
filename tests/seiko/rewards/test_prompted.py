"""A belief that sees the prompt: the same image is told apart by what it was drawn for, and the gradient flows."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko import config
from seiko.rewards import Identity, LastLayer, PerPrompt, PromptedEmbedding, PromptFeature, VisionEmbedding
from seiko.rewards.prompted import join, through

PROMPTS = ("a red car", "a green field")


def images(n: int) -> torch.Tensor:
    noise = torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return noise * torch.linspace(0.2, 1, n)[:, None, None, None]


@pytest.mark.parametrize("how", ["image", "concatenation", "cosine", "product"])
def test_two_prompts_with_opposite_rewards(clip: str, how: Any) -> None:
    """y = ±f(image), the sign being the prompt's: a regression that is linear in phi needs their product."""
    x = images(80)
    bright = x.mean((1, 2, 3))
    sign = torch.tensor([1.0, -1.0]).repeat(40)
    y = sign * (bright - bright.mean()) * 10
    view = PromptedEmbedding(model=clip, join=how)
    prompts = [PROMPTS[i % 2] for i in range(80)]
    belief = LastLayer(features=Identity()).fit(view.of(x, prompts), y, None, 0)
    ends = x[[2, 77]]
    up = belief.posterior(view.of(ends, [PROMPTS[0]] * 2)).mean
    down = belief.posterior(view.of(ends, [PROMPTS[1]] * 2)).mean
    told_apart = bool(up[1] - up[0] > 1.0) and bool(down[0] - down[1] > 1.0)
    assert told_apart == (how == "product")


def test_a_gradient_reaches_the_image_for_every_prompt(clip: str) -> None:
    view = PromptedEmbedding(model=clip)
    x = images(4).requires_grad_()
    view.of(x, [*PROMPTS, *PROMPTS])[:, :-1].sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert bool((x.grad.flatten(1).abs().sum(1) > 0).all())


def test_the_cosine_is_among_the_features(clip: str) -> None:
    image, text = torch.randn(3, 8), torch.randn(3, 8)
    phi = join(image, text, "product")
    cosine = torch.nn.functional.cosine_similarity(image, text)
    torch.testing.assert_close(phi[:, 16], 8**0.5 * cosine)
    torch.testing.assert_close(phi[:, 8:16].sum(1), 8 * cosine)
    torch.testing.assert_close(phi[:, :8].norm(dim=1), torch.full((3,), 8**0.5))
    torch.testing.assert_close(join(image, text, "cosine"), phi[:, [*range(8), 16, 17]])
    assert phi[:, -1].tolist() == [1.0] * 3
    assert isinstance(PromptedEmbedding(model=clip), PromptFeature)
    assert not isinstance(VisionEmbedding(model=clip), PromptFeature)


def test_a_feature_once_more_for_each_prompt() -> None:
    view = PerPrompt(feature=Identity(), prompts=("0", "1"))
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert view.of(x, ["0", "1", "7"]).tolist() == [
        [1.0, 2.0, 1.0, 2.0, 0.0, 0.0],
        [3.0, 4.0, 0.0, 0.0, 3.0, 4.0],
        [5.0, 6.0, 0.0, 0.0, 0.0, 0.0],
    ]
    with pytest.raises(ValueError, match="each once"):
        PerPrompt(feature=Identity(), prompts=("0", "0"))


def test_a_view_that_asks_for_prompts_gets_them(clip: str) -> None:
    view = PromptedEmbedding(model=clip)
    with pytest.raises(ValueError, match="these images have none"):
        through(view, images(2), None)
    with pytest.raises(ValueError, match="2 images need as many prompts, got 1"):
        through(view, images(2), ["a"])
    with pytest.raises(ValueError, match="needs images"):
        view.of(torch.zeros(2, 5), ["a", "b"])
    assert through(Identity(), images(2), None).shape == (2, 768)
    assert config.from_json(config.to_json(view)) == view
