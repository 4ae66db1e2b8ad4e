"""Each selection on pools that can be checked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seiko.acquisition import UCB, Foreseeing
from seiko.campaign import Diverse, Everything, Mixed, OneByOne, Pool, Selection, TopAcquisition
from seiko.rewards import RBF, GaussianProcess


def line(points: list[float], score: list[float] | None = None) -> Pool:
    """Return a pool of points on a line; their distance is the usual one."""
    x = torch.tensor(points)[:, None]
    return Pool(x, None if score is None else torch.tensor(score), torch.cdist)


def hamming(x: Tensor, z: Tensor) -> Tensor:
    return (x[:, None] != z[None]).float().sum(-1)


def spread(x: Tensor) -> float:
    distances = hamming(x, x)
    return float(distances.sum() / (len(x) * (len(x) - 1)))


def test_top_takes_the_largest_scores_best_first_and_the_first_of_equals() -> None:
    assert TopAcquisition()(line([0, 1, 2, 3, 4], [0.1, 0.9, 0.5, 0.9, -1.0]), 3) == [1, 3, 2]


@pytest.mark.parametrize("selection", [TopAcquisition(), OneByOne(), Diverse(shortlist=1.0), Mixed(), Everything()])
def test_before_the_first_fit_draws_are_taken_in_order(selection: Selection) -> None:
    assert selection(line([5, 1, 4, 2]), 3) == [0, 1, 2]


@pytest.mark.parametrize("selection", [TopAcquisition(), OneByOne(), Diverse(), Mixed(), Everything()])
def test_a_small_pool_is_taken_whole(selection: Selection) -> None:
    assert sorted(selection(line([5, 1], [0.0, 1.0]), 3)) == [0, 1]


def test_everything_ignores_the_scores() -> None:
    assert Everything()(line([5, 1, 4], [0.0, 2.0, 1.0]), 2) == [0, 1]
    assert not Everything().iid
    assert Everything(paper=True).iid
    assert not TopAcquisition().iid
    assert not OneByOne().iid
    assert not Diverse().iid
    assert not Mixed().iid


def test_diverse_is_greedy_max_min_by_hand() -> None:
    # Shortlist 2 * 3 of 7: the point 100 has the worst score and is left out. From the best, 4, the farthest is 10;
    # then 0, with its nearest chosen point 4 away, beats 7 (3), 1 (3) and 5 (1).
    pool = line([4.0, 5.0, 10.0, 0.0, 7.0, 1.0, 100.0], [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0])
    assert Diverse(shortlist=2.0)(pool, 3) == [0, 2, 3]
    assert Diverse(shortlist=1.0)(pool, 3) == [0, 1, 2]
    assert Diverse(shortlist=100.0)(pool, 2) == [0, 6]


def test_diverse_never_takes_a_row_twice_even_among_equals() -> None:
    assert sorted(Diverse()(line([1.0] * 9, [0.0] * 9), 3)) == [0, 1, 2]


def test_diverse_spreads_more_than_top() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(4, (300, 8), generator=generator)
    score = (x == x[0]).float().sum(-1) + 0.1 * torch.rand(300, generator=generator)  # the best are all alike
    pool = Pool(x, score, hamming)
    top, diverse = (x[selection(pool, 20)] for selection in (TopAcquisition(), Diverse()))
    assert spread(diverse) > spread(top) + 0.5


def test_a_shortlist_shorter_than_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shortlist must be at least 1, got 0\.5"):
        Diverse(shortlist=0.5)


def test_mixed_takes_half_by_score_and_half_as_drawn() -> None:
    score = [0.1, 0.9, 0.2, 0.3, 0.8, 0.7]
    pool = line([0, 1, 2, 3, 4, 5], score)
    assert Mixed()(pool, 4) == [1, 4, 0, 2]
    assert Mixed(drawn=0.25)(pool, 4) == [1, 4, 5, 0]
    assert sorted(Mixed()(pool, 6)) == list(range(6))


@pytest.mark.parametrize("drawn", [0.0, 1.0, -0.5])
def test_a_share_drawn_is_a_part(drawn: float) -> None:
    with pytest.raises(ValueError, match=f"drawn must lie between 0 and 1, got {drawn}"):
        Mixed(drawn=drawn)


def optimistic(points: list[float], c: float) -> Pool:
    """Return a pool of points on a line under UCB; labels near 0 have 1, those near 1 have 0, of 5 nothing is known."""
    pytest.importorskip("gpytorch")
    x = torch.tensor([[-0.2], [0.0], [0.2], [0.8], [1.0], [1.2]], dtype=torch.float64)
    y = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    model = GaussianProcess(kernel=RBF(), restarts=0, rescale=False)
    score = UCB(c=c)(model.fit(x, y, None, 0), torch.Generator())
    assert isinstance(score, Foreseeing)
    pool = torch.tensor(points, dtype=torch.float64)[:, None]
    return Pool(pool, score(pool), torch.cdist, lambda: score.foresee(pool))


def test_one_by_one_does_not_spend_a_batch_on_one_guess() -> None:
    pool = optimistic([5.0, 5.01, 5.02, 0.05, 0.9], c=2.0)
    assert set(TopAcquisition()(pool, 2)) < {0, 1, 2}
    chosen = OneByOne()(pool, 2)
    assert chosen[0] == TopAcquisition()(pool, 1)[0]
    assert chosen[1] == 3  # a label at one of three neighbours tells of all


def test_one_by_one_without_optimism_is_the_top() -> None:
    pool = optimistic([5.0, 5.01, 0.1, 0.9, 0.3], c=0.0)
    assert OneByOne()(pool, 4) == TopAcquisition()(pool, 4)
    unknown = line([0.0, 1.0, 2.0], [0.5, 2.0, 1.0])
    assert OneByOne()(unknown, 2) == [1, 2]
