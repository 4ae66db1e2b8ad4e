from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seiko.models import GraphArchitecture, GraphCodec
from seiko.models.graph_transformer import GraphTransformer, Pairing

CODEC = GraphCodec(places=5)
SMALL = GraphArchitecture(width=16, pair_width=12, layers=2, heads=2, triangles=4)


def network(codec: GraphCodec = CODEC) -> GraphTransformer:
    """Return a network whose random weights are large enough to matter."""
    torch.manual_seed(0)
    made = GraphTransformer(codec, SMALL)
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.randn(p.shape) / math.sqrt(p.shape[-1]))
    return made


def states(count: int = 6) -> torch.Tensor:
    return torch.randn(count, CODEC.dimensions, generator=torch.Generator().manual_seed(1))


def test_permuted_graphs_are_denoised_to_permuted_graphs() -> None:
    denoiser, x_t, t = network(), states(), torch.linspace(0.2, 1, 6)
    order = torch.tensor([3, 1, 4, 0, 2])
    plain = denoiser(x_t, t)
    torch.testing.assert_close(denoiser(CODEC.permute(x_t, order), t), CODEC.permute(plain, order), atol=1e-4, rtol=0)
    assert not torch.allclose(plain, CODEC.permute(plain, order), atol=0.1)


def test_every_place_hears_of_every_pair_and_of_time() -> None:
    denoiser, t = network(), torch.full((1,), 0.9)
    x_t = states(1).requires_grad_()
    (gradient,) = torch.autograd.grad(CODEC.split(denoiser(x_t, t))[0][0, 0, 0], x_t)
    assert all(bool((part.abs().sum(-1) > 0).all()) for part in CODEC.split(gradient))
    assert not torch.allclose(denoiser(x_t, t), denoiser(x_t, t - 0.05), atol=1e-3)


def test_without_a_word_from_the_network_the_posterior_is_bayes() -> None:
    denoiser = network()
    with torch.no_grad():
        for name, p in denoiser.named_parameters():
            if "head.1" in name:
                p.zero_()
    x_t, t = states(), torch.full((6,), 0.6)
    alpha, sigma = math.cos(math.pi / 2 * 0.6), math.sin(math.pi / 2 * 0.6)
    for found, noisy in zip(CODEC.split(denoiser(x_t, t)), CODEC.split(x_t), strict=True):
        clean = CODEC.scale * (torch.eye(noisy.shape[-1]) - 1 / noisy.shape[-1])
        density = -(noisy[..., None, :] - alpha * clean).square().sum(-1) / (2 * sigma**2)
        torch.testing.assert_close(found, torch.softmax(density, -1) @ clean, atol=1e-5, rtol=1e-4)


def test_the_prediction_never_leaves_the_hull_of_the_code() -> None:
    for t in (1e-3, 0.5, 1.0):
        x_0 = network()(50 * states(), torch.full((6,), t)).detach()
        for part in CODEC.split(x_0):
            torch.testing.assert_close(part.sum(-1), torch.zeros(part.shape[:-1]), atol=1e-5, rtol=0)
            low = -CODEC.scale / part.shape[-1]
            assert low - 1e-5 <= float(part.min())
            assert float(part.max()) <= low + CODEC.scale + 1e-5


def test_pairs_spread_to_symmetric_matrices_and_are_gathered_from_both_halves() -> None:
    pairing, e = Pairing(CODEC), torch.randn(2, CODEC.pairs, 3)
    full = pairing.spread(e)
    assert torch.equal(full, full.transpose(-1, -2))
    assert torch.equal(full.diagonal(dim1=-2, dim2=-1), torch.zeros(2, 3, 5))
    i, j = CODEC.ends
    assert torch.equal(full[:, :, i, j], e.transpose(1, 2))
    m = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(pairing.gather(m), (m[:, :, i, j] + m[:, :, j, i]).transpose(1, 2))
    h = torch.randn(2, 5, 3)
    first, second = pairing.ends(h)
    assert torch.equal(first, h[:, i])
    assert torch.equal(second, h[:, j])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": 10, "heads": 4}, "width must be a multiple of heads"),
    ],
)
def test_wrong_sizes_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphArchitecture(**wrong)
