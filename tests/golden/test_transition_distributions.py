"""Scores and KLs of both transitions against torch.distributions and against enumeration."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from seiko.diffusion import GaussianTransition, MaskedTransition

V, MASK = 3, 3
X_T = [MASK, 1, MASK, MASK]


def test_gaussian() -> None:
    torch.manual_seed(0)
    mean, other, x_s, std = torch.randn(5, 2, 3), torch.randn(5, 2, 3), torch.randn(5, 2, 3), torch.rand(5, 1, 1) + 0.1
    p, q = GaussianTransition(mean, std), GaussianTransition(other, std)
    theirs, their_q = (Independent(Normal(m, std.expand_as(m)), 2) for m in (mean, other))
    torch.testing.assert_close(p.log_prob(x_s), theirs.log_prob(x_s))
    torch.testing.assert_close(p.kl(q), kl_divergence(theirs, their_q))


def outcomes(logits: torch.Tensor, count: int) -> dict[tuple[int, ...], float]:
    """Write down the law: a uniformly chosen set of `count` masked positions, each by its Categorical."""
    hidden = [j for j, letter in enumerate(X_T) if letter == MASK]
    law: dict[tuple[int, ...], float] = {}
    for chosen in itertools.combinations(hidden, count):
        for letters in itertools.product(range(V), repeat=count):
            x_s = list(X_T)
            log_p = -math.log(math.comb(len(hidden), count))
            for j, letter in zip(chosen, letters, strict=True):
                x_s[j] = letter
                log_p += float(Categorical(logits=logits[j]).log_prob(torch.tensor(letter)))
            law[tuple(x_s)] = log_p
    return law


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_masked(count: int) -> None:
    torch.manual_seed(count)
    logits, other = torch.randn(2, 1, 4, V, dtype=torch.float64)
    x_t, reveal = torch.tensor([X_T]), torch.tensor([count])
    p, q = MaskedTransition(logits, x_t, reveal), MaskedTransition(other, x_t, reveal)
    expected, expected_q = outcomes(logits[0], count), outcomes(other[0], count)
    for x_s in itertools.product(range(V + 1), repeat=4):
        assert float(p.log_prob(torch.tensor([x_s]))) == pytest.approx(expected.get(x_s, -math.inf), abs=1e-12)
    assert sum(math.exp(log_p) for log_p in expected.values()) == pytest.approx(1)
    kl = sum(math.exp(log_p) * (log_p - expected_q[x_s]) for x_s, log_p in expected.items())
    assert float(p.kl(q)) == pytest.approx(kl, abs=1e-12)


def test_masked_kl_of_one_position_is_the_categorical_kl() -> None:
    logits, other = torch.randn(2, 1, 4, V)
    x_t = torch.tensor([[0, 1, MASK, 2]])
    p, q = (MaskedTransition(these, x_t, torch.tensor([1])) for these in (logits, other))
    expected = kl_divergence(Categorical(logits=logits[0, 2]), Categorical(logits=other[0, 2]))
    torch.testing.assert_close(p.kl(q)[0], expected)
