from __future__ import annotations

import pytest
import torch

from seiko.rewards import LastLayer, OneHot, ReverseComplement, SpacedPairs, spearman
from seiko.rewards.spaced_pairs import PairPresence

VOCABULARY, LENGTH = 12, 20
MOTIFS = (((3, 7, 1, 9), (0, 2, 5, 6)), ((0, 4, 8, 2), (0, 1, 4, 8)))


def ehrlich_like(x: torch.Tensor) -> torch.Tensor:
    """Return the product over motifs of the best share present anywhere."""
    value = torch.ones(len(x))
    for letters, offsets in MOTIFS:
        starts = range(LENGTH - offsets[-1])
        shares = [
            torch.stack([x[:, s + o] == a for a, o in zip(letters, offsets, strict=True)]).float().mean(0)
            for s in starts
        ]
        value *= torch.stack(shares).amax(0)
    return value


def planted(n: int, seed: int) -> torch.Tensor:
    """Return random sequences with parts of the motifs planted at random places."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, VOCABULARY, (n, LENGTH), generator=generator)
    for letters, offsets in MOTIFS:
        start = torch.randint(0, LENGTH - offsets[-1], (n,), generator=generator)
        for a, o in zip(letters, offsets, strict=True):
            hit = torch.rand(n, generator=generator) < 0.6
            x[hit, start[hit] + o] = a
    return x


def test_presence_by_hand() -> None:
    found = PairPresence(vocabulary=3, span=2)(torch.tensor([[0, 1, 2, 0, 1]]))
    pairs = found.view(2, 3, 3) > 0
    assert pairs[0].nonzero().tolist() == [[0, 1], [1, 2], [2, 0]]  # 0-1 stands twice and counts once
    assert pairs[1].nonzero().tolist() == [[0, 2], [1, 0], [2, 1]]
    assert float(found.norm()) == pytest.approx(1.0)


def test_a_mask_is_in_no_pair() -> None:
    feature = PairPresence(vocabulary=3, span=2)
    assert float(feature(torch.tensor([[3, 0, 3, 3]])).abs().max()) == 0.0
    found = feature(torch.tensor([[3, 0, 1, 3]]))
    assert (found > 0).sum() == 1


def test_both_strands_count() -> None:
    feature = PairPresence(vocabulary=4, span=3, symmetry=ReverseComplement())
    x = torch.tensor([[0, 1, 1, 3, 2]])
    torch.testing.assert_close(feature(x), feature((3 - x).flip(1)))


def test_it_finds_spaced_motifs() -> None:
    x, test = planted(400, 0), planted(1000, 1)
    belief = LastLayer(features=SpacedPairs(vocabulary=VOCABULARY)).fit(x, ehrlich_like(x), None, 0)
    plain = LastLayer(features=OneHot(vocabulary=VOCABULARY)).fit(x, ehrlich_like(x), None, 0)
    truth = ehrlich_like(test)
    found = spearman(belief.posterior(test).mean, truth)
    assert found > 0.75
    assert found > spearman(plain.posterior(test).mean, truth) + 0.3


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="spans must be positive"):
        SpacedPairs(vocabulary=4, spans=(0,))
    with pytest.raises(ValueError, match="at least 2 letters, got length 1"):
        LastLayer(features=SpacedPairs(vocabulary=4)).fit(torch.zeros(3, 1).long(), torch.rand(3), None, 0)
