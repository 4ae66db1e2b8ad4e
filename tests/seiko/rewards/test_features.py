from __future__ import annotations

import pytest
import torch

from seiko.rewards import Feature, FeatureSource, Identity, OneHot, ReverseComplement, SpacedPairs, Symmetrised, Windows


def test_one_hot_drops_the_mask() -> None:
    phi = OneHot(vocabulary=3)(torch.tensor([[0, 2, 3]]))
    assert phi.tolist() == [[1, 0, 0, 0, 0, 1, 0, 0, 0]]
    relaxed = torch.eye(4)[None, [0, 2, 3]]
    assert torch.equal(OneHot(vocabulary=3)(relaxed), phi)
    assert torch.equal(OneHot(vocabulary=3)(relaxed[..., :3]), phi)


def test_wrong_states_are_named() -> None:
    with pytest.raises(ValueError, match=r"tokens must lie in 0\.\.3"):
        OneHot(vocabulary=3)(torch.tensor([[0, 4]]))
    with pytest.raises(ValueError, match="one column more for the mask"):
        OneHot(vocabulary=3)(torch.zeros(1, 2, 7))
    with pytest.raises(ValueError, match=r"tokens must be \[n, L\]"):
        OneHot(vocabulary=3)(torch.zeros(2, dtype=torch.long))


def test_identity_flattens() -> None:
    image = torch.arange(24.0, dtype=torch.float64).view(2, 3, 2, 2)
    assert torch.equal(Identity()(image), image.view(2, 12))


def test_symmetrised_is_the_mean_over_the_orbit() -> None:
    x = torch.tensor([[0, 1, 1], [2, 2, 3]])
    feature = Symmetrised(feature=OneHot(vocabulary=4), symmetry=ReverseComplement())
    other = (3 - x).flip(1)
    expected = (OneHot(vocabulary=4)(x) + OneHot(vocabulary=4)(other)) / 2
    assert torch.equal(feature(x), expected)
    assert torch.equal(feature(other), expected)


def test_what_is_a_feature_and_what_a_source() -> None:
    assert isinstance(OneHot(vocabulary=4), Feature)
    assert not isinstance(OneHot(vocabulary=4), FeatureSource)
    for source in (Windows(vocabulary=4), SpacedPairs(vocabulary=4)):
        assert isinstance(source, FeatureSource)
