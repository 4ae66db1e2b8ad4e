from __future__ import annotations

import functools
import itertools
import math

import pytest
import torch
from torch import Tensor

from seiko import config
from seiko.rewards import (
    RBF,
    GaussianProcess,
    Hamming,
    Identity,
    Linear,
    OneHot,
    ReverseComplement,
    Spectrum,
    Sum,
    Tanimoto,
    WindowKernel,
)
from seiko.rewards.kernels import Kernel

BOTH = ReverseComplement()


def gram(kernel: Kernel, a: Tensor, b: Tensor, symmetric: bool = False, **logs: list[float]) -> Tensor:
    covariance = kernel.bind(BOTH if symmetric else None)[0]
    left, right = covariance.inputs(a), covariance.inputs(b)
    values = {name: torch.tensor(value, dtype=torch.float64) for name, value in logs.items()}
    return covariance(values, left, right).double()


def tokens(n: int, seed: int = 0, length: int = 5) -> Tensor:
    return torch.randint(0, 4, (n, length), generator=torch.Generator().manual_seed(seed))


def test_squared_exponential_by_hand() -> None:
    a, b = torch.tensor([[0.0, 0.0]]).double(), torch.tensor([[3.0, 1.0], [0.0, 0.0]]).double()
    found = gram(RBF(ard=True), a, b, length=[math.log(3.0), math.log(0.5)])
    assert found.tolist()[0] == pytest.approx([math.exp(-0.5 * (1.0 + 4.0)), 1.0])
    assert gram(RBF(), a, b, length=[0.0]).tolist()[0] == pytest.approx([math.exp(-5.0), 1.0])


def test_length_scales_start_at_the_spread_of_the_labelled_states() -> None:
    points = torch.tensor([[0.0, 5.0, 1.0], [2.0, 5.0, 3.0], [4.0, 5.0, 5.0]])
    (each,), (one,) = RBF(ard=True).bind(None), RBF().bind(None)
    variance = torch.tensor([8 / 3, 16 / 9, 8 / 3], dtype=torch.float64)  # a coordinate that never varied has the mean
    torch.testing.assert_close(each.start(each.inputs(points))["length"], (3 * variance).sqrt().log())
    torch.testing.assert_close(one.start(one.inputs(points))["length"], (3 * variance[1:2]).sqrt().log())


def test_hamming_by_hand() -> None:
    a, b = torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 2], [0, 3, 2], [1, 3, 2], [0, 1, 4]])
    theta = [0.5, 1.0, 2.0]
    found = gram(Hamming(vocabulary=4), a, b, theta=[math.log(t) for t in theta])
    assert found.tolist()[0] == pytest.approx(
        [1.0, math.exp(-1.0), math.exp(-1.5), math.exp(-1.0)], rel=1e-5
    )  # a mask is half a mismatch
    shared = gram(Hamming(vocabulary=4, ard=False), a, b, theta=[math.log(0.5)])
    assert shared.tolist()[0][2] == pytest.approx(math.exp(-1.0), rel=1e-5)


def test_tanimoto_by_hand() -> None:
    a = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    b = torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 1.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    found = gram(Tanimoto(), a, b)
    torch.testing.assert_close(found, torch.tensor([[1.0, 2 / 5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]).double())
    with pytest.raises(ValueError, match=r"counts of at least 0, got -2"):
        gram(Tanimoto(), -a, b)


def test_a_symmetry_averages_over_all_pairs_of_images() -> None:
    x, z = tokens(6), tokens(4, 1)
    theta = [math.log(t) for t in (0.3, 1.0, 2.0, 0.1, 0.7)]
    found = gram(Hamming(vocabulary=4), x, z, symmetric=True, theta=theta)
    expected = torch.zeros_like(found)
    for a, b in itertools.product((x, (3 - x).flip(1)), (z, (3 - z).flip(1))):
        expected += gram(Hamming(vocabulary=4), a, b, theta=theta) / 4
    torch.testing.assert_close(found, expected)
    covariance = Hamming(vocabulary=4).bind(BOTH)[0]
    logs = {"theta": torch.tensor(theta, dtype=torch.float64)}
    own = gram(Hamming(vocabulary=4), x, x, symmetric=True, theta=theta).diagonal()
    torch.testing.assert_close(covariance.diagonal(logs, covariance.inputs(x)).double(), own, atol=1e-5, rtol=0)


def test_a_sum_is_a_weighted_mean() -> None:
    x = tokens(5)
    parts = Spectrum(vocabulary=4, widths=(2,), sharpness=(0.5, 1.0)), Hamming(vocabulary=4, ard=False)
    covariances = Sum(kernels=parts).bind(None)
    assert len(covariances) == 2
    logs = {"weight": torch.tensor([math.log(3.0), 0.0]).double(), "1_theta": torch.zeros(1).double()}
    inputs = covariances[1].inputs(x)
    window = WindowKernel(vocabulary=4, widths=(2,), sharpness=1.0)(x, x)
    expected = 0.75 * window + 0.25 * gram(parts[1], x, x, theta=[0.0])
    torch.testing.assert_close(covariances[1](logs, inputs, inputs).double(), expected)
    torch.testing.assert_close(covariances[1].among(inputs)(logs).double(), expected)
    torch.testing.assert_close(covariances[1].diagonal(logs, inputs).double(), torch.ones(5).double())


@pytest.mark.parametrize("symmetric", [False, True])
def test_inner_products_are_taken_once_for_all_units(symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    (covariance,) = Linear(feature=OneHot(vocabulary=4)).bind(BOTH if symmetric else None)
    inputs = covariance.inputs(tokens(5)).double()
    units = [{"unit": torch.tensor([value], dtype=torch.float64)} for value in (-1.0, 0.0, 2.5)]
    expected = [covariance(unit, inputs, inputs) for unit in units]
    among = covariance.among(inputs)
    monkeypatch.delattr(Linear, "compare")
    for unit, values in zip(units, expected, strict=True):
        torch.testing.assert_close(among(unit), values)
    weighted = units[2]["unit"].requires_grad_()
    among(units[2]).sum().backward()
    assert weighted.grad is not None
    torch.testing.assert_close(weighted.grad, -expected[2].sum()[None])  # d/du exp(-u) = -exp(-u)


@pytest.mark.parametrize(
    "kernel",
    [
        RBF(feature=OneHot(vocabulary=4), ard=True),
        Hamming(vocabulary=4),
        Tanimoto(feature=OneHot(vocabulary=4)),
        Linear(feature=OneHot(vocabulary=4)),
        Spectrum(vocabulary=4, widths=(1, 3), sharpness=(0.7,)),
        Sum(kernels=(Spectrum(vocabulary=4, widths=(2,), sharpness=(1.0,)), Hamming(vocabulary=4))),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
@pytest.mark.parametrize("symmetric", [False, True])
def test_random_features_and_products_give_the_kernel_back(kernel: Kernel, symmetric: bool) -> None:
    x = tokens(12, 3)
    covariance = kernel.bind(BOTH if symmetric else None)[0]
    inputs = covariance.inputs(x)
    logs = covariance.start(inputs)
    expected = covariance(logs, inputs, inputs).double()
    phi = covariance.random_features(logs, inputs, 20_000, torch.Generator().manual_seed(0))
    found = phi(inputs).double()
    torch.testing.assert_close(found @ found.T, expected, atol=0.04, rtol=0)
    relaxed = covariance.inputs(torch.nn.functional.one_hot(x, 4).double())
    if not isinstance(kernel, Tanimoto):  # hashes of ones and of other counts differ only by rounding
        torch.testing.assert_close(phi(relaxed), found, atol=1e-4, rtol=0)
    matrix = torch.eye(12, dtype=torch.float64)[:, :5]
    product = covariance.towards(logs, inputs, matrix)
    torch.testing.assert_close(product(inputs).double(), expected[:, :5], atol=1e-5, rtol=0)
    torch.testing.assert_close(product(relaxed).double(), expected[:, :5], atol=1e-5, rtol=0)


def test_hashes_see_counts() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.full((10, 30), 0.5), generator=generator)
    counts[0] = 0
    covariance = Tanimoto().bind(None)[0]
    inputs = covariance.inputs(counts)
    found = covariance.random_features({}, inputs, 20_000, generator)(inputs)
    expected = covariance({}, inputs, inputs)
    torch.testing.assert_close(found @ found.T, expected, atol=0.04, rtol=0)


def test_the_cheap_transform_is_the_sum_over_all_words() -> None:
    kernel = WindowKernel(vocabulary=3, widths=(3,), sharpness=0.8)
    values = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    letters = torch.stack([torch.arange(64) // 4**k % 4 for k in range(3)], 1)
    matches = ((letters[:, None] == letters[None]) & (letters[:, None] < 3)).sum(-1)
    torch.testing.assert_close(kernel.spread(values, 3), (0.8 * (matches - 3)).exp() @ values)


def test_configurations_survive_json() -> None:
    kernel = Sum(kernels=(Spectrum(vocabulary=4), RBF(feature=Identity(), ard=True), Hamming(vocabulary=4), Tanimoto()))
    model = GaussianProcess(kernel=kernel, symmetry=BOTH)
    assert config.from_json(config.to_json(model)) == model


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="at least two kernels, got 1"):
        Sum(kernels=(Tanimoto(),))
    with pytest.raises(ValueError, match="vocabulary must be positive"):
        Hamming(vocabulary=0)
    with pytest.raises(ValueError, match=r"widths must be positive and not empty, got \(0,\)"):
        Spectrum(vocabulary=4, widths=(0,))


def by_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return sum min / sum max by the city-block distance, which asks nothing of the numbers."""
    total = a.sum(-1)[..., :, None] + b.sum(-1)[..., None, :]
    shared = (total - torch.cdist(a, b, p=1.0)) / 2
    return torch.where(total > 0, shared / (total - shared).clamp_min(1e-12), 1.0)


@pytest.mark.parametrize("top", [1, 6, 256, 300])
def test_tanimoto_level_by_level_is_tanimoto(top: int) -> None:
    generator = torch.Generator().manual_seed(top)
    a = torch.randint(0, top + 1, (7, 30), generator=generator).double()
    b = torch.randint(0, top + 1, (5, 30), generator=generator).double() * (torch.arange(30) % 3 > 0)
    a[0], b[0], a[:, 4] = 0, 0, 0
    a[1, 7] = top
    found = Tanimoto().compare({}, a, b)
    torch.testing.assert_close(found, by_distance(a, b))
    assert float(found[0, 0]) == 1
    stacked = Tanimoto().compare({}, torch.stack([a, a.flip(0)]), torch.stack([b, b]))
    torch.testing.assert_close(stacked, torch.stack([found, found.flip(0)]))
    torch.testing.assert_close(Tanimoto().compare({}, a, a).diagonal(), torch.ones(7).double())


def test_tanimoto_takes_what_are_no_whole_numbers_and_gives_a_gradient() -> None:
    compare = functools.partial(Tanimoto().compare, {})
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 4, 9, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(compare(a, b), by_distance(a, b))
    whole, other = torch.ones(2, 3, dtype=torch.float64, requires_grad=True), torch.tensor([[3.0, 2.0, 0.0]]).double()
    gradients = [torch.autograd.grad(k(whole, other).sum(), whole)[0] for k in (compare, by_distance)]
    torch.testing.assert_close(*gradients)
    assert gradients[0].sign().tolist() == [[1, 1, -1]] * 2
    assert compare(a[:0], b).shape == (0, 4)
