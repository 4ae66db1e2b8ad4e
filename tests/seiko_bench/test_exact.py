"""The exact law against brute force over all paths, and the closed forms against numbers made by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seiko.models import FullFineTuning, MaskedLMSource, ModelPolicy
from seiko.models.toy import EnumerableToy, GaussianToy, LogitTable
from seiko_bench.exact import (
    alpha_for,
    correlation,
    coverage,
    designs,
    frequencies,
    kl,
    law,
    path_kl,
    regret_bound,
    tilted,
    total_variation,
    value,
)


def toy(length: int, vocabulary: int, seed: int = 0, num_steps: int | None = None) -> EnumerableToy:
    """Return a toy whose conditionals belong to no joint law; the current version is not the pretrained one."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((vocabulary + 1) ** length, length, vocabulary, generator=generator)
    versions = FullFineTuning().attach(LogitTable(logits))
    with torch.no_grad():
        versions.parameters()[0].add_(torch.randn(logits.shape, generator=generator))
    return EnumerableToy(versions, length, vocabulary, num_steps or length)


def by_paths(model: EnumerableToy) -> Tensor:
    """Return the law as the mean over all orders of revealing of the product of the letters' probabilities."""
    found = []
    for design in itertools.product(range(model.vocabulary), repeat=model.length):
        total = 0.0
        for order in itertools.permutations(range(model.length)):
            x, probability = torch.full((1, model.length), model.vocabulary), 1.0
            for j in order:
                probability *= float(model.predict(x, 1)[0, j].detach().double().softmax(-1)[design[j]])
                x[0, j] = design[j]
            total += probability
        found.append(total / math.factorial(model.length))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize(("length", "vocabulary"), [(1, 3), (3, 3), (4, 2)])
def test_the_law_is_that_of_all_paths(length: int, vocabulary: int) -> None:
    model = toy(length, vocabulary)
    found = law(ModelPolicy(model), block=7)
    assert float(found.sum()) == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(found, by_paths(model), rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(found, law(ModelPolicy(model)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("num_steps", [3, 5])
def test_versions_and_path_kl_agree_with_the_toy(num_steps: int) -> None:
    model = toy(3, 4, num_steps=num_steps)
    current, pretrained = ModelPolicy(model), ModelPolicy(model, "pretrained")
    for version in ("current", "pretrained"):
        torch.testing.assert_close(
            law(ModelPolicy(model, version)).float(), model.law(version).detach(), rtol=1e-5, atol=0
        )
    nats = path_kl(current, pretrained)
    assert nats == pytest.approx(float(model.path_kl("current", "pretrained").detach()), rel=1e-5)
    assert nats > kl(law(current), law(pretrained)) + 0.01, "conditionals of no joint law: the path costs more"


def test_the_order_of_designs_is_that_of_a_joint_law() -> None:
    joint = torch.rand(4, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 0.1
    model = EnumerableToy.from_law(joint)
    expected = (joint / joint.sum()).flatten()
    torch.testing.assert_close(law(ModelPolicy(model)), expected, rtol=1e-5, atol=0)
    assert torch.equal(designs(3, 4), model.designs)


def test_what_has_no_exact_law_is_refused() -> None:
    with pytest.raises(ValueError, match="num_steps must be at least 3, got 2; load the model with num_steps=None"):
        law(ModelPolicy(toy(3, 2, num_steps=2)))
    with pytest.raises(ValueError, match=r"3\^3 partly masked states are too many to visit: at most 26"):
        law(ModelPolicy(toy(3, 2)), largest=26)
    assert len(law(ModelPolicy(toy(3, 2)), largest=27)) == 8
    with pytest.raises(TypeError, match="states are not letters"):
        law(ModelPolicy(GaussianToy.exact(dimensions=2)))


def test_the_optimum_is_that_of_the_problem() -> None:
    generator = torch.Generator().manual_seed(1)
    objective, a, b = (torch.rand(50, generator=generator, dtype=torch.float64) for _ in range(3))
    a, b = a / a.sum(), b / b.sum()
    found = tilted(a, objective, 0.1, b, 0.05)
    torch.testing.assert_close(found, EnumerableToy.tilted(objective, [(a, 0.1), (b, 0.05)])[0])
    best = float(found @ objective) - 0.1 * kl(found, a) - 0.05 * kl(found, b)
    for seed in range(20):
        other = found * torch.exp(0.1 * torch.randn(50, generator=generator.manual_seed(seed), dtype=torch.float64))
        other = other / other.sum()
        assert float(other @ objective) - 0.1 * kl(other, a) - 0.05 * kl(other, b) < best
    assert value(tilted(a, objective, 0.1), objective, a, 0.1) > max(
        value(a, objective, a, 0.1), value(b, objective, a, 0.1)
    )


def test_an_anchor_without_weight_has_no_say_even_where_it_has_no_mass() -> None:
    objective, nowhere = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    even = torch.tensor([0.5, 0.5])
    assert torch.equal(tilted(nowhere, objective, 0.0, even, 1.0), tilted(even, objective, 1.0))
    assert torch.equal(tilted(even, objective, 1.0, nowhere, 0.0), tilted(even, objective, 1.0))
    with pytest.raises(ValueError, match="not both 0, got 0 and 0"):
        tilted(even, objective, 0, even, 0)
    with pytest.raises(ValueError, match=r"beta = 0.5 needs the previous law"):
        tilted(even, objective, 1.0, None, 0.5)


def test_alpha_for_a_distance() -> None:
    generator = torch.Generator().manual_seed(2)
    pretrained, reward = torch.rand(2, 300, generator=generator, dtype=torch.float64)
    pretrained = pretrained / pretrained.sum()
    for nats in (0.5, 2.0):
        alpha = alpha_for(pretrained, reward, nats)
        assert kl(tilted(pretrained, reward, alpha), pretrained) == pytest.approx(nats, abs=1e-6)
    farthest = -float(pretrained[reward.argmax()].log())
    with pytest.raises(ValueError, match="nats must lie between"):
        alpha_for(pretrained, reward, farthest + 0.01)


def test_distances_by_hand() -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0]).double(), torch.tensor([0.25, 0.25, 0.5]).double()
    assert total_variation(p, q) == 0.5
    assert kl(p, q) == pytest.approx(math.log(2))
    assert kl(p, p) == 0
    assert kl(q, p) == math.inf
    assert value(p, torch.tensor([1.0, 2.0, 9.0]).double(), q, 0.1) == pytest.approx(1.5 - 0.1 * math.log(2))


def test_coverage_correlation_and_bound_by_hand() -> None:
    mean, reward = torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([0.5, 1.5, 4.0]).double()
    bound = torch.tensor([0.5, 0.4, 3.0]).double()
    assert coverage(mean, bound, reward) == pytest.approx(2 / 3)
    assert coverage(mean, bound, reward, torch.tensor([0.1, 0.7, 0.2]).double()) == pytest.approx(0.3)
    assert correlation(mean, 3 * mean) == pytest.approx(1)
    assert correlation(mean, torch.ones(3).double()) is None
    assert regret_bound([0.1, 0.3], 0.5, 4.0) == pytest.approx((2 * 0.4 + 0.5 * 4.0) / 2)
    with pytest.raises(ValueError, match="one number a round, got none"):
        regret_bound([], 0.5, 4.0)


def test_frequencies_count_designs_in_their_order() -> None:
    x = torch.tensor([[0, 1], [1, 2], [1, 2], [2, 2]])
    expected = torch.zeros(9).double()
    expected[[1, 5, 8]] = torch.tensor([0.25, 0.5, 0.25]).double()
    assert torch.equal(frequencies(x, 3), expected)


@pytest.mark.slow
def test_the_shipped_prior_on_tf_bind_8(data_dir: Path) -> None:
    from seiko.oracles import TFBind8

    p = law(ModelPolicy(MaskedLMSource(name="seiko:tfbind8").load(), "pretrained"))
    assert float(p.sum()) == pytest.approx(1, abs=1e-9)
    reward = torch.from_numpy(TFBind8().table.copy()).double()
    alpha = alpha_for(p, reward, 4.0)
    assert alpha == pytest.approx(0.0544, abs=1e-4)
    assert value(tilted(p, reward, alpha), reward, p, alpha) == pytest.approx(0.6675, abs=1e-3)
