from __future__ import annotations

import pytest
import torch
from scipy import stats

from seiko.diffusion import Noise

# First outputs of SplitMix64 seeded with 1234567, as published with its reference implementation.
SPLITMIX64 = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]


def test_a_stream_is_splitmix64() -> None:
    expected = torch.tensor([((z >> 11) + 0.5) * 2.0**-53 for z in SPLITMIX64], dtype=torch.float64)
    assert torch.equal(Noise(torch.tensor([1234567])).uniform((5,))[0], expected)


def test_a_sample_is_the_same_in_every_batch() -> None:
    noise = Noise.seeded(3, 64)
    assert torch.equal(noise.normal((5,))[10:20], noise[10:20].normal((5,)))
    assert torch.equal(noise.normal((5,))[10:20], Noise.seeded(3, range(10, 20)).normal((5,)))
    assert torch.equal(noise.fold_in(7).uniform((2,))[40:41], Noise.seeded(3, [40]).fold_in(7).uniform((2,)))


def test_drawing_is_pure() -> None:
    noise = Noise.seeded(0, 4)
    assert torch.equal(noise.uniform((3,)), noise.uniform((3,)))


def test_seeds_samples_and_folds_give_unrelated_streams() -> None:
    noise = Noise.seeded(0, 1000)
    others = [Noise.seeded(1, 1000), Noise.seeded(-1, 1000), noise.fold_in(0), noise.fold_in(-1), noise.fold_in(1)]
    keys = torch.cat([noise.keys, *[other.keys for other in others]])
    assert len(keys.unique()) == len(keys)
    u = noise.uniform((1,))[:, 0]
    for other in others:
        assert abs(float(torch.corrcoef(torch.stack([u, other.uniform((1,))[:, 0]]))[0, 1])) < 0.15


def test_fold_in_takes_one_integer_a_sample() -> None:
    noise = Noise.seeded(0, 3)
    together = noise.fold_in(torch.tensor([5, 6, 7]))
    assert torch.equal(together.keys[1:2], noise[1:2].fold_in(6).keys)


@pytest.mark.parametrize("seed", [0, -5, 2**63, 2**64 + 1])
def test_any_integer_is_a_seed(seed: int) -> None:
    assert bool(torch.isfinite(Noise.seeded(seed, 2).normal((3,))).all())


def test_the_three_laws() -> None:
    noise = Noise.seeded(0, 200)
    draws = {
        "uniform": noise.uniform((100,)),
        "norm": noise.normal((100,), torch.float64),
        "gumbel_r": noise.gumbel((100,), torch.float64),
    }
    for law, numbers in draws.items():
        assert stats.kstest(numbers.flatten().numpy(), law).pvalue > 1e-3, law
    u = draws["uniform"]
    assert float(u.min()) > 0
    assert float(u.max()) < 1


def test_argmax_with_gumbel_is_a_categorical_draw() -> None:
    p = torch.tensor([0.1, 0.2, 0.7])
    drawn = (p.log() + Noise.seeded(0, 20_000).gumbel((3,))).argmax(-1)
    torch.testing.assert_close(torch.bincount(drawn) / 20_000, p, atol=0.015, rtol=0)


def test_shape_and_dtype() -> None:
    noise = Noise.seeded(0, 2)
    assert len(noise) == 2
    assert noise.normal((3, 4)).shape == (2, 3, 4)
    assert noise.normal((3, 4)).dtype == torch.float32
    assert noise.uniform().shape == (2,)
    assert noise.uniform().dtype == torch.float64


def test_numbers_can_be_asked_for_by_their_place() -> None:
    noise = Noise.seeded(4, 3)
    u, g = noise.uniform((4, 5)).flatten(1), noise.gumbel((4, 5)).flatten(1)
    same = torch.tensor([[19, 0, 7]])
    assert torch.equal(noise.uniform_at(same), u[:, [19, 0, 7]])
    assert torch.equal(noise.gumbel_at(same), g[:, [19, 0, 7]])
    own = torch.tensor([[0, 1], [5, 5], [19, 2]])
    assert torch.equal(noise.uniform_at(own), u.gather(1, own))
    assert torch.equal(noise.gumbel_at(own), g.gather(1, own))
    assert noise.gumbel_at(same).dtype == torch.float32
    assert torch.equal(noise.gumbel_at(same, torch.float64), noise.gumbel((20,), torch.float64)[:, [19, 0, 7]])
    assert noise[torch.zeros(0, dtype=torch.int64)].gumbel_at(same).shape == (0, 3)
