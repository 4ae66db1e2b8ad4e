from __future__ import annotations

import pytest
import torch

from seiko.rewards import ReverseComplement, orbit


def test_reverse_complement_of_tokens() -> None:
    x = torch.tensor([[0, 1, 2, 3, 3], [4, 0, 0, 1, 2]])  # ACGTT and a mask
    images = ReverseComplement().orbit(x)
    assert images.tolist() == [[[0, 1, 2, 3, 3], [0, 0, 1, 2, 3]], [[4, 0, 0, 1, 2], [1, 2, 3, 3, 4]]]


@pytest.mark.parametrize("columns", [4, 5])
def test_relaxed_states_go_the_same_way(columns: int) -> None:
    x = torch.randint(0, columns, (7, 6), generator=torch.Generator().manual_seed(0))
    relaxed = torch.nn.functional.one_hot(x, columns).float()
    symmetry = ReverseComplement()
    assert torch.equal(symmetry.orbit(relaxed).argmax(-1), symmetry.orbit(x))
    assert torch.equal(symmetry.orbit(symmetry.orbit(x)[:, 1])[:, 1], x)


def test_no_symmetry_is_an_orbit_of_one() -> None:
    x = torch.zeros(3, 4)
    assert orbit(None, x).shape == (3, 1, 4)


def test_complement_must_undo_itself() -> None:
    with pytest.raises(ValueError, match=r"undoes itself, got \(1, 2, 0\)"):
        ReverseComplement(complement=(1, 2, 0))
    with pytest.raises(ValueError, match="V of at least 4"):
        ReverseComplement().orbit(torch.zeros(2, 3, 3))
