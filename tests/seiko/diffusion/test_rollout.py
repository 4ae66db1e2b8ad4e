from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import GradientWindow, Noise, Policy, draw, path_kl, rollout, step_kls
from seiko.models import EnumerableToy, GaussianToy, ModelPolicy

STEPS = 5


@pytest.fixture
def gaussian() -> GaussianToy:
    """A toy whose current version differs from its pretrained one in slopes and offsets."""
    toy = GaussianToy.exact(mean=0.5, std=0.7, dimensions=2, num_steps=STEPS)
    slope, offset = toy.versions.parameters()
    with torch.no_grad():
        slope.mul_(0.8)
        offset.add_(0.1)
    return toy


@pytest.fixture
def masked() -> EnumerableToy:
    toy = EnumerableToy.from_law(torch.rand(3, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.1)
    with torch.no_grad():
        toy.versions.parameters()[0].mul_(1.5)
    return toy


@pytest.mark.parametrize("name", ["gaussian", "masked"])
def test_a_sample_is_the_same_whatever_the_batch(name: str, request: pytest.FixtureRequest) -> None:
    policy = ModelPolicy(request.getfixturevalue(name))
    noise = Noise.seeded(0, 64)
    whole = rollout(policy, None, noise).x_0
    for size in (1, 7):
        parts = torch.cat([rollout(policy, None, noise[i : i + size]).x_0 for i in range(0, 64, size)])
        assert torch.equal(parts, whole)


def test_a_trajectory_holds_each_state_with_its_law(gaussian: GaussianToy) -> None:
    policy = ModelPolicy(gaussian)
    assert isinstance(policy, Policy)
    noise = Noise.seeded(0, 3)
    trajectory = rollout(policy, None, noise)
    assert len(trajectory.states) == STEPS + 1
    assert [k for k, *_ in trajectory.steps()] == [5, 4, 3, 2, 1]
    for k, x_t, x_s, law in trajectory.steps():
        assert torch.equal(law.mean, policy.transition(x_t, k).mean)
        assert torch.equal(law.sample(noise.fold_in(k)), x_s)
    assert torch.equal(trajectory.states[-1], trajectory.x_0)


def test_a_start_replaces_the_prior(masked: EnumerableToy) -> None:
    start = torch.tensor([[1, 3, 2], [3, 3, 0]])
    x_0 = rollout(ModelPolicy(masked), None, Noise.seeded(0, 2), start=start).x_0
    assert (x_0 < 3).all()
    assert x_0[0, [0, 2]].tolist() == [1, 2]
    assert x_0[1, 2] == 0


@pytest.mark.parametrize("name", ["gaussian", "masked"])
def test_the_window_says_where_graphs_are_kept(name: str, request: pytest.FixtureRequest) -> None:
    policy = ModelPolicy(request.getfixturevalue(name))
    noise = Noise.seeded(0, 4)
    plain = rollout(policy, None, noise)
    assert not any(state.requires_grad for state in plain.states)
    windowed = rollout(policy, None, noise, gradient=GradientWindow(2))
    assert [state.requires_grad for state in windowed.states] == [False] * (policy.num_steps - 1) + [True] * 2
    end = windowed.x_0 if name == "gaussian" else windowed.x_0.argmax(-1)
    assert torch.equal(end.detach(), plain.x_0)


def test_a_negative_window_is_refused() -> None:
    with pytest.raises(ValueError, match="last must be a number of steps of at least 0, got -1"):
        GradientWindow(-1)


@pytest.mark.parametrize("window", [2, STEPS])
def test_the_gradient_of_the_path_kl_runs_through_the_reference_input(gaussian: GaussianToy, window: int) -> None:
    policy, reference = ModelPolicy(gaussian), ModelPolicy(gaussian, "pretrained")
    noise = Noise.seeded(0, 16)
    trajectory = rollout(policy, None, noise, gradient=GradientWindow(window))
    ours = torch.autograd.grad(path_kl(trajectory, reference).mean(), policy.parameters())

    def by_hand(through_reference: bool) -> tuple[torch.Tensor, ...]:
        x, total = policy.prior(noise.fold_in(0)), torch.zeros(16)
        for k in range(STEPS, 0, -1):
            x = x.detach() if k == window else x
            law = policy.transition(x, k)
            other = reference.transition(x if through_reference else x.detach(), k)
            total = total + (law.kl(other) if k <= window else 0)
            x = law.rsample(noise.fold_in(k))
        return torch.autograd.grad(total.mean(), policy.parameters())

    full, cut = by_hand(True), by_hand(False)
    for name, mine, theirs, wrong in zip(("slope", "offset"), ours, full, cut, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(mine, wrong, atol=1e-3, rtol=1e-2), name


def test_outside_of_the_window_the_kl_has_no_graph(gaussian: GaussianToy) -> None:
    trajectory = rollout(ModelPolicy(gaussian), None, Noise.seeded(0, 4), gradient=GradientWindow(2))
    kls = step_kls(trajectory, ModelPolicy(gaussian, "pretrained"))
    assert [kl.requires_grad for kl in kls] == [False, False, False, True, True]
    # not even where the reference's own weights could move
    moving = step_kls(trajectory, ModelPolicy(gaussian))
    assert [kl.requires_grad for kl in moving] == [False, False, False, True, True]


@pytest.mark.parametrize("name", ["gaussian", "masked"])
def test_the_path_kl_estimates_the_exact_one(name: str, request: pytest.FixtureRequest) -> None:
    toy = request.getfixturevalue(name)
    kl = path_kl(rollout(ModelPolicy(toy), None, Noise.seeded(0, 20_000)), ModelPolicy(toy, "pretrained"))
    error = float(kl.std()) / 20_000**0.5
    assert float(kl.mean()) == pytest.approx(float(toy.path_kl("current", "pretrained").detach()), abs=4 * error)
    assert float(kl.mean()) > 20 * error


def test_the_path_kl_to_oneself_is_zero(masked: EnumerableToy) -> None:
    policy = ModelPolicy(masked)
    assert float(path_kl(rollout(policy, None, Noise.seeded(0, 10)), policy).abs().max()) == 0


class Counting:
    """A policy that counts how often it is asked of each sample; the conditioning names them."""

    def __init__(self, toy: Any, samples: int) -> None:
        self.policy, self.asked = ModelPolicy[Any](toy), torch.zeros(samples, dtype=torch.int64)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    def transition(self, x_t: torch.Tensor, k: int, conditioning: torch.Tensor) -> Any:
        assert len(conditioning) == len(x_t)
        self.asked[conditioning] += 1
        return self.policy.transition(x_t, k)


STARTS = [
    (None, [3, 3]),
    ([[1, 3, 2], [3, 0, 0]], [1, 1]),  # one is left in each: the first step reveals it
    ([[1, 3, 2], [3, 3, 0]], [1, 2]),  # as many steps as there are masks
    ([[3, 3, 3], [0, 1, 2]], [3, 1]),
    ([[3, 1, 2], [3, 3, 3], [3, 3, 0]], [1, 3, 2]),
    ([[0, 1, 2], [2, 2, 2]], [1, 1]),
]


@pytest.mark.parametrize(("start", "asked"), STARTS)
def test_a_draw_is_the_end_of_a_rollout_and_asks_nothing_of_what_is_finished(
    masked: EnumerableToy, start: list[list[int]] | None, asked: list[int]
) -> None:
    x, samples = None if start is None else torch.tensor(start), len(asked)
    for seed in range(20):
        policy = Counting(masked, samples)
        found = draw(policy, torch.arange(samples), Noise.seeded(seed, samples), start=x)
        assert torch.equal(found, rollout(ModelPolicy(masked), None, Noise.seeded(seed, samples), start=x).x_0)
        assert policy.asked.tolist() == asked


def test_a_draw_of_a_gaussian_model_takes_every_step(gaussian: GaussianToy) -> None:
    policy, start = Counting(gaussian, 8), torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    found = draw(policy, torch.arange(8), Noise.seeded(0, 8), start=start)
    assert torch.equal(found, rollout(ModelPolicy(gaussian), None, Noise.seeded(0, 8), start=start).x_0)
    assert policy.asked.tolist() == [STEPS] * 8
    assert not found.requires_grad
