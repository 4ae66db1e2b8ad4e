"""Learning from comparisons: against numerical integration, against exact regression, and on a ranking to be found."""

from __future__ import annotations

import math

import pytest
import torch

from seiko.acquisition import UCB, Thompson
from seiko.rewards import RBF, Choices, GaussianProcess, Identity, PreferenceProcess, PreferenceRewardModel, spearman
from seiko.rewards.laplace import Scores, find_mode, solve_laplace

MODEL = PreferenceProcess(kernel=RBF(feature=Identity()))


def choices_of(reward: torch.Tensor, answers: int, seed: int = 0, shown: int = 2) -> Choices:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(answers):
        rows = torch.randperm(len(reward), generator=generator)[:shown]
        gumbel = -(-torch.rand(shown, generator=generator, dtype=torch.float64).log()).log()
        best = int((reward[rows] + gumbel).argmax())
        found.append((int(rows[best]), [int(row) for i, row in enumerate(rows) if i != best], False))
    return Choices.of(found)


def integrated(
    gram: torch.Tensor, scores: Scores, choices: Choices, tau: float
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Return log evidence, mean and covariance of two rewards by summing over a fine grid."""
    axis = torch.linspace(-9.0, 9.0, 1201, dtype=torch.float64)
    f = torch.cartesian_prod(axis, axis)
    prior = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), gram).log_prob(f)  # type: ignore[no-untyped-call]
    log = prior + choices.log_likelihood(f, tau).sum(-1)
    for row, t, v in zip(scores.rows, scores.t, scores.variance, strict=True):
        log = log + torch.distributions.Normal(f[:, row], v.sqrt()).log_prob(t)  # type: ignore[no-untyped-call]
    log = log + 2 * math.log(18.0 / 1200)
    weight = log.softmax(0)
    mean = weight @ f
    return float(log.logsumexp(0)), mean, (f - mean).T @ (weight[:, None] * (f - mean))


def scores_of(*pairs: tuple[int, float]) -> Scores:
    rows = torch.tensor([row for row, _ in pairs], dtype=torch.long)
    t = torch.tensor([value for _, value in pairs], dtype=torch.float64)
    return Scores(rows, t, torch.full_like(t, 0.3))


@pytest.mark.parametrize("scores", [(), ((0, 0.4),)])
@pytest.mark.parametrize("wins", [1, 4])
def test_laplace_is_near_the_integral(scores: tuple[tuple[int, float], ...], wins: int) -> None:
    gram = torch.tensor([[1.0, 0.4], [0.4, 1.0]], dtype=torch.float64)
    choices = Choices.of([(0, [1], False)] * wins + [(1, [0], False)])
    found = scores_of(*scores)
    mode = find_mode(gram, found, choices, 0.8)
    solution = solve_laplace(gram, mode)
    log_evidence, mean, covariance = integrated(gram, found, choices, 0.8)
    assert mode.log_evidence == pytest.approx(log_evidence, abs=0.03)
    assert torch.allclose(gram @ solution.weights, mean, atol=0.06)
    variance = gram - (gram @ solution.root) @ (gram @ solution.root).T
    assert torch.allclose(variance, covariance, atol=0.05)
    assert torch.allclose(torch.linalg.solve(gram, mode.f), mode.gradient, atol=1e-6)  # it is the mode


def test_scores_alone_are_exact_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 2, generator=generator, dtype=torch.float64)
    gram = torch.exp(-0.5 * torch.cdist(x, x).square()) + 1e-9 * torch.eye(12, dtype=torch.float64)
    t = torch.randn(12, generator=generator, dtype=torch.float64)
    scores = Scores(torch.arange(12), t, torch.full((12,), 0.2, dtype=torch.float64))
    solution = solve_laplace(gram, find_mode(gram, scores, Choices.of([]), 1.0))
    noisy = gram + 0.2 * torch.eye(12, dtype=torch.float64)
    assert torch.allclose(solution.weights, torch.linalg.solve(noisy, t), atol=1e-8)
    assert torch.allclose(solution.root @ solution.root.T, torch.linalg.inv(noisy), atol=1e-8)
    log_evidence = torch.distributions.MultivariateNormal(torch.zeros(12, dtype=torch.float64), noisy).log_prob(t)  # type: ignore[no-untyped-call]
    mode = find_mode(gram, scores, Choices.of([]), 1.0)
    assert mode.log_evidence == pytest.approx(float(log_evidence), abs=1e-8)


def test_a_ranking_is_found_from_comparisons_alone() -> None:
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    reward = 3.0 * x[:, 0].double()
    belief = MODEL.fit_with(x, torch.full((40,), torch.nan), None, choices_of(reward, 150), 0)
    fresh = torch.randn(100, 2, generator=torch.Generator().manual_seed(2))
    posterior = belief.posterior(fresh)
    assert spearman(posterior.mean.double(), fresh[:, 0].double()) > 0.9
    few = MODEL.fit_with(x, torch.full((40,), torch.nan), None, choices_of(reward, 10), 0)
    assert float((posterior.std / belief.scale).mean()) < float((few.posterior(fresh).std / few.scale).mean())
    assert belief.report.labels == 40
    # in units of the raters' noise: 3 a unit of the first coordinate
    slope = torch.linalg.lstsq(fresh[:, :1].double(), posterior.mean[:, None].double()).solution
    assert 1.5 < float(slope) < 4.5


def test_comparisons_help_scores() -> None:
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(3))
    reward = 10.0 + 2.0 * torch.sin(2 * x[:, 0].double())
    y = torch.full((60,), torch.nan, dtype=torch.float64)
    y[:6] = reward[:6]
    fresh = torch.randn(200, 2, generator=torch.Generator().manual_seed(4)).clamp(-1.5, 1.5)
    truth = 10.0 + 2.0 * torch.sin(2 * fresh[:, 0].double())
    answers = choices_of(3.0 * reward, 200, shown=3)
    alone = MODEL.fit(x[:6], y[:6], None, 0).posterior(fresh).mean.double()
    both = MODEL.fit_with(x, y, None, answers, 0).posterior(fresh).mean.double()
    assert float((both - truth).square().mean()) < 0.5 * float((alone - truth).square().mean())


def test_it_agrees_with_the_gaussian_process_on_scores() -> None:
    pytest.importorskip("gpytorch")
    x = torch.randn(40, 1, generator=torch.Generator().manual_seed(5))
    y = torch.sin(2 * x[:, 0].double()) * 4.0 + 1.0
    fresh = torch.linspace(-1.5, 1.5, 30)[:, None]
    ours = MODEL.fit(x, y, None, 0).posterior(fresh)
    other = GaussianProcess(kernel=RBF(feature=Identity())).fit(x, y, None, 0).posterior(fresh)
    assert torch.allclose(ours.mean.double(), other.mean.double(), atol=0.25)


def test_draws_have_the_posterior_s_mean_and_spread() -> None:
    x = torch.randn(15, 1, generator=torch.Generator().manual_seed(6))
    belief = MODEL.fit_with(x, torch.full((15,), torch.nan), None, choices_of(2.0 * x[:, 0].double(), 60), 0)
    posterior = belief.posterior(x)
    draws = torch.stack([belief.draw(torch.Generator().manual_seed(s)).posterior(x).mean for s in range(120)])
    assert torch.allclose(draws.mean(0), posterior.mean, atol=0.25 * float(posterior.std.max()))
    assert torch.allclose(draws.std(0), posterior.std, rtol=0.35, atol=0.1 * float(posterior.std.max()))


def test_the_contract_and_every_acquisition() -> None:
    assert isinstance(MODEL, PreferenceRewardModel)
    assert not isinstance(GaussianProcess(kernel=RBF(feature=Identity())), PreferenceRewardModel)
    x = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    choices = choices_of(x[:, 0].double(), 12)
    a, b = (MODEL.fit_with(x, torch.full((10,), torch.nan), None, choices, 3) for _ in range(2))
    assert torch.equal(a.posterior(x).mean, b.posterior(x).mean)
    for acquisition in (UCB(), Thompson()):
        fresh = x.clone().requires_grad_()
        acquisition(a, torch.Generator().manual_seed(0))(fresh).sum().backward()  # type: ignore[no-untyped-call]
        assert fresh.grad is not None
        assert bool((fresh.grad != 0).any())


def test_nothing_to_learn_from_is_refused() -> None:
    x = torch.zeros(3, 1)
    with pytest.raises(ValueError, match="neither scores nor comparisons"):
        MODEL.fit_with(x, torch.full((3,), torch.nan), None, Choices.of([]), 0)
    with pytest.raises(ValueError, match="names state 5, there are 3"):
        MODEL.fit_with(x, torch.full((3,), torch.nan), None, Choices.of([(0, [5], False)]), 0)
