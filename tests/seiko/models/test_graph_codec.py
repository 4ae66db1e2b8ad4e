from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.models import GraphCodec

CODEC = GraphCodec()


def graphs(count: int = 50, codec: GraphCodec = CODEC) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random classes, without bonds at absent places."""
    generator = torch.Generator().manual_seed(0)
    atoms = torch.randint(0, codec.atom_classes, (count, codec.places), generator=generator)
    bonds = torch.randint(0, codec.bond_classes, (count, codec.pairs), generator=generator)
    i, j = codec.ends
    return atoms, bonds * ((atoms[:, i] > 0) & (atoms[:, j] > 0))


def test_qm9_has_189_coordinates() -> None:
    assert CODEC.dimensions == 9 * 5 + 36 * 4 == 189
    assert CODEC.embed(*graphs()).shape == (50, 189)


def test_the_nearest_classes_of_a_clean_state_are_its_own() -> None:
    atoms, bonds = graphs()
    x = CODEC.embed(atoms, bonds)
    for noisy in (x, x + 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))):
        found = CODEC.quantise(noisy)
        assert torch.equal(found[0], atoms)
        assert torch.equal(found[1], bonds)


def test_a_bond_counts_once() -> None:
    atoms, bonds = graphs(1)
    other = bonds.clone()
    other[0, 7] = (other[0, 7] + 1) % 4
    gap = CODEC.embed(atoms, other) - CODEC.embed(atoms, bonds)
    assert gap.square().sum().item() == pytest.approx(2 * CODEC.scale**2)
    assert torch.count_nonzero(gap) == 2


def test_a_bond_with_an_absent_end_is_none() -> None:
    codec = GraphCodec(places=3)
    x = codec.embed(torch.tensor([[1, 0, 2]]), torch.tensor([[1, 2, 3]]))  # pairs 01, 02, 12
    assert codec.quantise(x)[1].tolist() == [[0, 2, 0]]


def test_join_is_the_inverse_of_split() -> None:
    x = torch.arange(2.0 * 189).reshape(2, 189)
    assert torch.equal(CODEC.join(*CODEC.split(x)), x)


def test_softening_takes_the_noise_and_leaves_what_is_clean() -> None:
    x = CODEC.embed(*graphs())
    torch.testing.assert_close(CODEC.soften(x), x, atol=1e-5, rtol=0)
    noisy = x + 0.23 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    assert float((CODEC.soften(noisy) - x).norm()) < 0.5 * float((noisy - x).norm())


def test_the_gradient_runs_through_softening() -> None:
    x = CODEC.embed(*graphs(3)).requires_grad_()
    (gradient,) = torch.autograd.grad(CODEC.split(CODEC.soften(x))[0][..., 3].sum(), x)
    assert float(gradient.abs().max()) > 0.01


def test_a_permutation_moves_places_and_pairs_together() -> None:
    codec = GraphCodec(places=4)
    atoms, bonds = graphs(5, codec)
    order = torch.tensor([2, 0, 3, 1])
    full = torch.zeros(5, 4, 4, dtype=torch.int64)
    i, j = codec.ends
    full[:, i, j] = full[:, j, i] = bonds
    moved = codec.quantise(codec.permute(codec.embed(atoms, bonds), order))
    assert torch.equal(moved[0], atoms[:, order])
    assert torch.equal(moved[1], full[:, order][:, :, order][:, i, j])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"places": 1}, "places must be at least 2 atoms, got 1"),
        ({"elements": ()}, "elements must be different symbols"),
        ({"elements": ("C", "C")}, "elements must be different symbols"),
        ({"scale": 0.0}, "scale must be positive, got 0.0"),
    ],
)
def test_wrong_layouts_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphCodec(**wrong)
