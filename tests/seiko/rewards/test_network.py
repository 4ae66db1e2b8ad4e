from __future__ import annotations

import pytest
import torch

from seiko.rewards import CNN, MLP, Identity, Network, OneHot, ReverseComplement, orbit
from seiko.rewards.network import dense, dense_parameters

NETWORKS = [
    MLP(feature=OneHot(vocabulary=4), hidden=(8, 5)),
    CNN(vocabulary=4, width=3, filters=6, hidden=5),
    CNN(vocabulary=4, width=4, filters=6, hidden=5, pooling="max"),
    CNN(vocabulary=4, width=3, filters=6, hidden=5, embedding=2),
]


@pytest.mark.parametrize("network", NETWORKS)
def test_members_do_not_see_each_other(network: Network) -> None:
    """The batched product must give each member what it gives alone."""
    x = torch.randint(0, 4, (7, 6), generator=torch.Generator().manual_seed(0))
    prepared = network.prepare(orbit(ReverseComplement(), x))
    parameters = network.init(prepared, 3, torch.Generator().manual_seed(1))
    together = network.body(parameters, prepared)
    assert together.shape[:2] == (3, 7)
    for j in range(3):
        alone = network.body({name: value[j : j + 1] for name, value in parameters.items()}, prepared)
        torch.testing.assert_close(alone[0], together[j])
    assert not torch.allclose(together[0], together[1])


def test_the_shared_product_is_the_batched_one() -> None:
    parameters = dense_parameters("a", 4, 3, 2, torch.Generator().manual_seed(0))
    x = torch.randn(5, 6, 4)
    torch.testing.assert_close(dense(parameters, "a", x, shared=True), dense(parameters, "a", x.expand(2, -1, -1, -1)))


@pytest.mark.parametrize("pooling", ["softmax", "max"])
def test_a_shifted_motif_is_the_same_hit(pooling: str) -> None:
    network = CNN(vocabulary=4, width=3, filters=4, pooling=pooling)
    x = torch.full((2, 9), 4)  # masks everywhere but for a word in the middle, at two places
    x[0, 3:6] = x[1, 4:7] = torch.tensor([0, 2, 1])
    prepared = network.prepare(orbit(None, x))
    body = network.body(network.init(prepared, 2, torch.Generator().manual_seed(0)), prepared)
    torch.testing.assert_close(body[:, 0], body[:, 1])


def test_vectors_go_in() -> None:
    network = MLP(feature=Identity(), hidden=(3,))
    prepared = network.prepare(orbit(None, torch.randn(4, 2, 2)))
    assert prepared.shape == (4, 1, 4)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"hidden must be positive widths, got \(\)"):
        MLP(feature=Identity(), hidden=())
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\), got 1"):
        MLP(feature=Identity(), dropout=1.0)
    with pytest.raises(ValueError, match="filters must be positive, got 0"):
        CNN(vocabulary=4, filters=0)
