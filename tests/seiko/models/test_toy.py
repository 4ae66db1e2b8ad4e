from __future__ import annotations

import pytest
import torch

from seiko.designs import Design
from seiko.diffusion import Noise, rollout
from seiko.models import EnumerableToy, GaussianToy, ModelPolicy

DRAWS = 20_000


def joint(*shape: int, seed: int = 0) -> torch.Tensor:
    law = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1
    return law / law.sum()


def test_gaussian_draws_have_the_law_by_recursion() -> None:
    toy = GaussianToy.exact(mean=1.0, std=0.5, dimensions=2, num_steps=6, eta=0.5)
    with torch.no_grad():
        toy.versions.parameters()[1].add_(torch.tensor([0.2, -0.1]))
        mean, variance = toy.law()
    x_0 = rollout(ModelPolicy(toy), None, Noise.seeded(0, DRAWS)).x_0
    torch.testing.assert_close(x_0.mean(0), mean, atol=0.015, rtol=0)
    torch.testing.assert_close(x_0.var(0), variance, atol=0, rtol=0.03)


def test_the_exact_gaussian_chain_tends_to_the_data() -> None:
    errors = []
    for num_steps in (4, 16, 64):
        toy = GaussianToy.exact(mean=1.0, std=0.5, num_steps=num_steps, end=0.005)
        with torch.no_grad():
            mean, variance = toy.law()
        assert float(mean) == pytest.approx(1.0, abs=0.01)
        errors.append(abs(float(variance) - 0.25))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03


def test_gaussian_tilt_is_the_product_of_densities() -> None:
    anchors = [(torch.tensor([0.0]), torch.tensor([1.0]), 0.3), (torch.tensor([1.0]), torch.tensor([0.25]), 0.1)]
    mean, variance = GaussianToy.tilted(torch.tensor([0.8]), anchors)
    x = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    log_p = 0.8 * x / 0.4
    for centre, spread, coefficient in anchors:
        log_p = log_p - coefficient / 0.4 * (x - float(centre)) ** 2 / (2 * float(spread))
    p = torch.softmax(log_p, 0)
    assert float(mean) == pytest.approx(float((p * x).sum()), abs=1e-5)
    assert float(variance) == pytest.approx(float((p * x**2).sum() - (p * x).sum() ** 2), abs=1e-5)


def test_a_vector_is_written_and_read_back_exactly() -> None:
    toy = GaussianToy.exact(dimensions=3)
    x = torch.randn(5, 3)
    designs = toy.export(x)
    assert {design.kind for design in designs} == {"vector"}
    assert torch.equal(toy.ingest(designs), x)
    assert toy.ingest([]).shape == (0, 3)
    assert toy.distance(x, x[:2]).shape == (5, 2)
    with pytest.raises(ValueError, match="'1 2' must be 3 finite numbers"):
        toy.ingest([Design(content="1 2", kind="vector")])
    with pytest.raises(ValueError, match="must be 3 finite numbers"):
        toy.ingest([Design(content="1 2 nan", kind="vector")])
    with pytest.raises(ValueError, match="is of kind 'dna'"):
        toy.ingest([Design(content="1 2 3")])


def test_a_std_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="std must be positive, got 0"):
        GaussianToy.exact(std=0.0)


@pytest.mark.parametrize("shape", [(2, 2), (3, 3, 3), (2, 2, 2, 2)])
def test_one_position_a_step_gives_back_the_joint_law(shape: tuple[int, ...]) -> None:
    law = joint(*shape)
    torch.testing.assert_close(EnumerableToy.from_law(law).law("pretrained"), law.flatten().float())


@pytest.mark.parametrize("num_steps", [1, 2, 3, 5])
def test_enumerated_draws_have_the_law_by_the_programme(num_steps: int) -> None:
    toy = EnumerableToy.from_law(joint(3, 3, 3), num_steps=num_steps)
    with torch.no_grad():
        logits = toy.versions.parameters()[0]
        logits.add_(torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)))
        law = toy.law()
    assert float(law.sum()) == pytest.approx(1, abs=1e-5)
    x_0 = rollout(ModelPolicy(toy), None, Noise.seeded(0, DRAWS)).x_0
    drawn = torch.bincount((x_0 * torch.tensor([9, 3, 1])).sum(-1), minlength=27) / DRAWS
    assert 0.5 * float((drawn - law).abs().sum()) < 0.03


def test_one_step_is_the_product_of_the_marginals() -> None:
    law = joint(3, 3)
    expected = (law.sum(1)[:, None] * law.sum(0)[None, :]).flatten().float()
    torch.testing.assert_close(EnumerableToy.from_law(law, num_steps=1).law("pretrained"), expected)


def test_relaxed_states_give_the_logits_of_the_letters_and_a_gradient() -> None:
    toy = EnumerableToy.from_law(joint(3, 3, 3))
    x_t = torch.tensor([[0, 3, 2], [3, 3, 3], [1, 2, 0]])
    soft = torch.nn.functional.one_hot(x_t, 4).float().requires_grad_()
    torch.testing.assert_close(toy.predict(soft, 1), toy.predict(x_t, 1))
    toy.predict(soft, 1)[:, 0, 0].sum().backward()
    assert float(soft.grad.abs().max()) > 0  # type: ignore[union-attr]
    mixed = 0.25 * soft.detach()[:1] + 0.75 * torch.nn.functional.one_hot(torch.tensor([[0, 1, 2]]), 4)
    expected = 0.25 * toy.predict(x_t[:1], 1) + 0.75 * toy.predict(torch.tensor([[0, 1, 2]]), 1)
    torch.testing.assert_close(toy.predict(mixed, 1), expected)


def test_lookup_reads_an_objective_vector() -> None:
    toy = EnumerableToy.from_law(joint(3, 3))
    values = torch.randn(9)
    assert torch.equal(toy.lookup(values, toy.designs), values)
    torch.testing.assert_close(toy.lookup(values, torch.nn.functional.one_hot(toy.designs, 4).float()), values)


def test_the_enumerated_tilt_has_the_best_value_of_all_laws() -> None:
    toy = EnumerableToy.from_law(joint(3, 3))
    first, second = joint(3, 3).flatten().float(), joint(3, 3, seed=1).flatten().float()
    rewards = torch.randn(9, generator=torch.Generator().manual_seed(0))
    best, value = toy.tilted(rewards, [(first, 0.3), (second, 0.2)])

    def worth(p: torch.Tensor) -> float:
        kls = [float((p * (p / q).log()).sum()) for q in (first, second)]
        return float(p @ rewards) - 0.3 * kls[0] - 0.2 * kls[1]

    assert worth(best) == pytest.approx(float(value), abs=1e-5)
    for seed in range(20):
        noise = torch.randn(9, generator=torch.Generator().manual_seed(seed))
        assert worth(torch.softmax(best.log() + 0.1 * noise, 0)) < float(value)


def test_path_kl_of_tables_that_are_joint_laws_is_the_kl_of_the_laws() -> None:
    toy = EnumerableToy.from_law(joint(3, 3, 3))
    toy.versions.load_state_dict({"logits": toy.conditionals(joint(3, 3, 3, seed=1)).float()})
    p, q = joint(3, 3, 3, seed=1).flatten(), joint(3, 3, 3).flatten()
    kl = float(toy.path_kl("current", "pretrained").detach())
    assert kl == pytest.approx(float((p * (p / q).log()).sum()), abs=1e-5)


def test_sequences_are_written_as_numbers() -> None:
    toy = EnumerableToy.from_law(joint(3, 3))
    assert toy.export(toy.designs[5:6]) == [Design(content="1 2", kind="tokens")]
    assert torch.equal(toy.ingest(toy.export(toy.designs)), toy.designs)
    assert toy.distance(toy.designs, toy.designs).diagonal().sum() == 0
    assert float(toy.distance(torch.tensor([[0, 1]]), torch.tensor([[0, 2]]))) == 1


@pytest.mark.parametrize("law", [torch.zeros(2, 2), torch.ones(2, 3)])
def test_a_law_that_is_not_positive_or_not_square_is_refused(law: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="law must be positive with 2 axes of one size"):
        EnumerableToy.from_law(law)
