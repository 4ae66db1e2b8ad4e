from __future__ import annotations

import itertools
import math

import pytest
import torch

from seiko.diffusion import GaussianTransition, MaskedTransition, Noise, Transition

V, L, B = 3, 5, 64
MASK = V


def masked_law(count: int = 2, seed: int = 0, x_t: torch.Tensor | None = None) -> MaskedTransition:
    generator = torch.Generator().manual_seed(seed)
    if x_t is None:
        x_t = torch.tensor([MASK, 1, MASK, MASK, 0]).repeat(B, 1)
    logits = torch.randn(len(x_t), L, V, generator=generator)
    return MaskedTransition(logits, x_t, torch.full((len(x_t),), count))


def test_both_are_transitions() -> None:
    assert isinstance(masked_law(), Transition)
    assert isinstance(GaussianTransition(torch.zeros(1, 1), torch.ones(1, 1)), Transition)


def test_gaussian_draws_have_its_moments() -> None:
    law = GaussianTransition(torch.tensor([[2.0, -1.0]]).expand(50_000, 2), torch.tensor(0.5))
    x = law.sample(Noise.seeded(0, 50_000))
    torch.testing.assert_close(x.mean(0), torch.tensor([2.0, -1.0]), atol=0.01, rtol=0)
    torch.testing.assert_close(x.std(0), torch.tensor([0.5, 0.5]), atol=0.01, rtol=0)


def test_gaussian_rsample_draws_the_same_with_a_gradient() -> None:
    mean = torch.zeros(3, 2, requires_grad=True)
    law, noise = GaussianTransition(mean, torch.tensor(0.5)), Noise.seeded(0, 3)
    assert torch.equal(law.sample(noise), law.rsample(noise))
    assert not law.sample(noise).requires_grad
    law.rsample(noise).sum().backward()
    assert torch.equal(mean.grad, torch.ones(3, 2))


def test_gaussian_kl_is_summed_not_averaged() -> None:
    p = GaussianTransition(torch.zeros(1, 4, 8, 8), torch.tensor(0.1))
    q = GaussianTransition(torch.full((1, 4, 8, 8), 0.1), torch.tensor(0.1))
    assert float(p.kl(q)) == pytest.approx(256 * 0.5, rel=1e-5)


def test_a_deterministic_gaussian_step_can_be_drawn_but_not_scored() -> None:
    law = GaussianTransition(torch.ones(2, 3), torch.zeros(1, 1))
    assert torch.equal(law.sample(Noise.seeded(0, 2)), torch.ones(2, 3))
    with pytest.raises(ValueError, match="log_prob of a transition with std 0"):
        law.log_prob(torch.ones(2, 3))
    with pytest.raises(ValueError, match="kl of a transition with std 0"):
        law.kl(law)


def test_gaussian_kl_refuses_different_stds() -> None:
    p, q = (GaussianTransition(torch.ones(2, 3), torch.tensor(std)) for std in (1.0, 2.0))
    with pytest.raises(ValueError, match="the same std"):
        p.kl(q)


def test_masked_draw_reveals_the_count_and_copies_the_rest() -> None:
    law = masked_law(count=2)
    x_s = law.sample(Noise.seeded(0, B))
    assert (x_s[:, [1, 4]] == torch.tensor([1, 0])).all()
    assert ((x_s == MASK).sum(-1) == 1).all()
    # each of the three sets occurs
    assert (x_s[:, [0, 2, 3]] == MASK).any(0).all()


def test_masked_rsample_draws_the_same_with_a_gradient() -> None:
    law, noise = masked_law(), Noise.seeded(1, B)
    law.logits.requires_grad_()
    soft = law.rsample(noise)
    assert torch.equal(soft.argmax(-1), law.sample(noise))
    torch.testing.assert_close(soft.detach(), torch.nn.functional.one_hot(law.sample(noise), V + 1).float())
    soft[..., 0].sum().backward()
    revealed = law.masked & (law.sample(noise) != MASK)
    assert (law.logits.grad[revealed] != 0).any()
    assert (law.logits.grad[~revealed] == 0).all()


def test_masked_law_of_relaxed_states_is_that_of_the_letters() -> None:
    law = masked_law()
    soft = MaskedTransition(law.logits, torch.nn.functional.one_hot(law.x_t, V + 1).float(), law.count)
    x_s = law.sample(Noise.seeded(0, B))
    assert torch.equal(soft.sample(Noise.seeded(0, B)), x_s)
    assert torch.equal(soft.log_prob(x_s), law.log_prob(x_s))
    assert torch.equal(soft.kl(masked_law(seed=1)), law.kl(masked_law(seed=1)))


def test_impossible_states_have_no_probability() -> None:
    law = masked_law(count=1, x_t=torch.tensor([[MASK, 1, MASK, MASK, 0]]))
    one, two, none = [2, 1, MASK, MASK, 0], [2, 1, MASK, 0, 0], [MASK, 1, MASK, MASK, 0]
    changed, hidden = [2, 0, MASK, MASK, 0], [2, MASK, MASK, MASK, 0]
    scores = [float(law.log_prob(torch.tensor([x]))) for x in (one, two, none, changed, hidden)]
    assert scores[0] > -torch.inf
    assert scores[1:] == [-torch.inf] * 4


def test_a_masked_step_without_masks_is_certain() -> None:
    law = masked_law(count=0, x_t=torch.tensor([[0, 1, 2, 0, 1]]))
    assert torch.equal(law.sample(Noise.seeded(0, 1)), law.x_t)
    assert float(law.log_prob(law.x_t)) == 0
    assert float(law.kl(law)) == 0


def test_logits_of_revealed_positions_do_not_matter() -> None:
    law, other = masked_law(), masked_law()
    other.logits[:, [1, 4]] = 100 * torch.randn(B, 2, V)
    x_s = law.sample(Noise.seeded(0, B))
    assert torch.equal(other.sample(Noise.seeded(0, B)), x_s)
    assert torch.equal(other.log_prob(x_s), law.log_prob(x_s))
    assert torch.equal(other.kl(law), torch.zeros(B))


def test_masked_gradients_stay_finite_where_a_state_is_impossible() -> None:
    law = masked_law(count=1)
    law.logits.requires_grad_()
    score = law.log_prob(torch.zeros(B, L, dtype=torch.int64))
    assert torch.isinf(score).all()
    law.log_prob(law.sample(Noise.seeded(0, B))).sum().backward()
    assert torch.isfinite(law.logits.grad).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_likelihood_for_learning_is_the_mean_over_the_sets_revealed(count: int) -> None:
    law, x_0 = masked_law(count=count, x_t=torch.tensor([[MASK, 1, MASK, MASK, 0]])), torch.tensor([[2, 1, 0, 1, 0]])
    scores = []
    for chosen in itertools.combinations([0, 2, 3], count):
        x_s = law.x_t.clone()
        x_s[:, list(chosen)] = x_0[:, list(chosen)]
        scores.append(law.log_prob(x_s) + math.log(math.comb(3, count)))  # without the probability of the set
    torch.testing.assert_close(law.log_likelihood(x_s, x_0), torch.stack(scores).mean(0))


def test_the_likelihood_for_learning_of_a_gaussian_step_is_its_own() -> None:
    law, x_s = GaussianTransition(torch.zeros(2, 3), torch.tensor(0.5)), torch.randn(2, 3)
    assert torch.equal(law.log_likelihood(x_s, torch.zeros(2, 3)), law.log_prob(x_s))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_masked_draws_are_those_of_the_whole_noise(count: int) -> None:
    law, noise = masked_law(count), Noise.seeded(7, B)
    gumbel = noise.fold_in(2).gumbel((L, V))  # the noise of every position, revealed or not
    letters = (law.logits + gumbel).argmax(-1)
    x_s = law.sample(noise)
    revealed = (law.x_t == MASK) & (x_s != MASK)
    assert torch.equal(revealed.sum(-1), law.count)
    assert torch.equal(x_s, torch.where(revealed, letters, law.x_t))
    assert torch.equal(x_s, law.rsample(noise).argmax(-1))


def test_a_step_is_complete_where_it_reveals_all_that_is_left() -> None:
    assert masked_law(3).complete.all()
    assert not masked_law(2).complete.any()
    x_t = torch.tensor([[MASK, 1, 0, 0, 0], [MASK, MASK, 0, 0, 0]])
    logits = torch.zeros(2, L, V)
    assert MaskedTransition(logits, x_t, torch.tensor([1, 2])).complete.tolist() == [True, True]
    assert MaskedTransition(logits, x_t, torch.tensor([1, 1])).complete.tolist() == [True, False]
    relaxed = torch.nn.functional.one_hot(x_t, V + 1).float()
    assert MaskedTransition(logits, relaxed, torch.tensor([1, 1])).complete.tolist() == [True, False]
    assert MaskedTransition(logits, x_t.clamp(max=2), torch.tensor([0, 0])).complete.all()
