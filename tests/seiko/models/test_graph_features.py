from __future__ import annotations

import pytest
import torch

from seiko.models import GraphCodec, GraphFeatures

pytest.importorskip("rdkit")

from seiko.models.graph_molecule import atom_classes

CODEC = GraphCodec()
FEATURES = GraphFeatures()


def states(*smiles: str) -> torch.Tensor:
    atoms, bonds = zip(*(atom_classes(CODEC, text) for text in smiles), strict=True)
    return CODEC.embed(torch.tensor(atoms), torch.tensor(bonds))


def counts(*smiles: str) -> torch.Tensor:
    """Return the counts under the roots."""
    return (FEATURES(states(*smiles)) + 0.5) ** 2 - 0.25


def test_the_order_of_the_places_does_not_matter() -> None:
    x = states("CC(=O)Nc1ccco1", "C1CC2CC1O2", "C#CCF")
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(FEATURES(CODEC.permute(x, order)), FEATURES(x), atol=1e-4, rtol=1e-4)
    noisy = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(FEATURES(CODEC.permute(noisy, order)), FEATURES(noisy), atol=1e-3, rtol=1e-3)


def test_atoms_bonds_and_walks_are_counted() -> None:
    (found,) = counts("CC(=O)F")
    assert found[:4].round().tolist() == [2, 0, 1, 1]  # C, N, O, F
    bonds = found[4 : 4 + 48].reshape(4, 3, 4).round()  # from, order, to: each bond at both ends
    assert bonds[0, 0, 0] == 2  # C-C
    assert bonds[0, 1, 2] == bonds[2, 1, 0] == 1  # C=O
    assert bonds[0, 0, 3] == bonds[3, 0, 0] == 1  # C-F
    assert bonds.sum() == 6
    triangle, square, chain = counts("C1CC1", "C1CCC1", "CCCC")[:, -4:].round()
    assert triangle[0] == 6  # closed walks of three bonds: three starts, two directions
    assert square[0] == chain[0] == 0
    assert square[1] - 2 * (4 * 3) == 8  # of four: around the ring, beside those that go back on themselves


def test_isomers_differ() -> None:
    x = FEATURES(states("CCCO", "CC(C)O", "COCC", "C1CC1", "CC=C"))
    assert float((torch.cdist(x, x) + torch.eye(5)).min()) > 0.3


def test_every_place_and_pair_has_a_gradient() -> None:
    x = states("CC(=O)Nc1ccco1").requires_grad_()
    (gradient,) = torch.autograd.grad(FEATURES(x).sum(), x)
    assert bool(gradient.isfinite().all())
    atoms, bonds = CODEC.split(gradient)
    assert bool((atoms.abs().sum(-1) > 0).all())
    assert bool((bonds.abs().sum(-1) > 0).all())
