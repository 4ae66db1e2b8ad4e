"""Replay: what is learnt from designs is their own law."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import EnumerableToy, GaussianToy, ModelPolicy
from seiko.updates import Replay
from seiko.updates.base import Anchor, Problem, adam


def problem_of(toy: Any) -> Problem[Any]:
    """Return a problem, which replay only reports."""
    return Problem(lambda x: x.flatten(1).sum(1).float(), (Anchor(ModelPolicy(toy, "pretrained"), 1.0),))


def follow(toy: Any, update: Any, rates: tuple[float, ...], steps: int) -> list[float]:
    """Take steps at one learning rate after the other; return the losses."""
    policy, problem, losses = ModelPolicy(toy), problem_of(toy), []
    state = update.init(policy)
    for stage, rate in enumerate(rates):
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        for step in range(steps):
            seen = update.step(state, policy, problem, None, Noise.seeded(stage, 4).fold_in(step))
            losses += [seen.extra["loss"], seen.extra["loss_after"]]
    return losses


def test_letters_take_the_law_of_the_designs() -> None:
    generator = torch.Generator().manual_seed(0)
    toy = EnumerableToy.from_law(torch.rand(3, 3, 3, generator=generator, dtype=torch.float64) + 0.1)
    count = torch.randint(0, 9, (27,), generator=generator)
    x, wanted = toy.designs.repeat_interleave(count, 0), count / count.sum()

    def distance() -> float:
        with torch.no_grad():
            return 0.5 * float((toy.law() - wanted).abs().sum())

    start = distance()
    losses = follow(toy, Replay(batch=512, epochs=20).with_designs(toy.process, x), (0.05, 0.01, 0.002), 10)
    print(f"total variation {start:.3f} -> {distance():.4f}, loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    assert distance() < 0.03 < start / 5
    entropy = -float(torch.special.xlogy(wanted, wanted).sum())
    assert sum(losses[-10:]) / 10 == pytest.approx(entropy, rel=0.05)  # nats a design: no code is shorter


def test_numbers_are_denoised_as_their_law_asks() -> None:
    toy, mean, variance = GaussianToy.exact(std=0.5, num_steps=4), 0.7, 0.2**2
    x = mean + variance**0.5 * torch.randn(4096, 1, generator=torch.Generator().manual_seed(0))
    follow(toy, Replay(batch=1024, epochs=20).with_designs(toy.process, x), (0.03, 0.01, 0.002), 10)
    for k in range(1, 4):  # the first state of the chain says nothing of x_0
        t = toy.process.times[k]
        alpha, sigma = toy.process.schedule.alpha(t), toy.process.schedule.sigma(t)
        spread = (alpha**2 * variance + sigma**2) ** 0.5
        x_t = alpha * mean + spread * torch.tensor([[-1.0], [0.0], [1.0]])
        wanted = mean + alpha * variance / spread**2 * (x_t - alpha * mean)  # E[x_0 | x_t]
        with torch.no_grad():
            found = ModelPolicy(toy).transition(x_t, k).x_0
        print(f"step {k}: {found.flatten().tolist()} of {wanted.flatten().tolist()}")
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.02)


def test_what_a_design_was_drawn_for_goes_with_it() -> None:
    toy, seen = GaussianToy.exact(std=0.5, num_steps=4), list[tuple[Any, Any]]()
    x, given = torch.arange(6.0)[:, None], 10 * torch.arange(6.0)[:, None]

    class Recording(ModelPolicy[Any]):
        def transition(self, x_t: Any, k: Any, conditioning: Any = None) -> Any:
            seen.append((conditioning.flatten(), k))
            return super().transition(x_t, k)

    update = Replay(batch=200).with_designs(toy.process, x, given)
    likelihood = update._likelihood(Recording(toy), Noise.seeded(0, 200)).detach()
    ((rows, k),) = seen
    assert set(rows.tolist()) == set(given.flatten().tolist())
    assert set(k.tolist()) == {1, 2, 3, 4}
    # x = 5 is ten standard deviations from all that the toy draws, x = 0 is what it draws most
    assert float(likelihood[rows == 50].mean()) < 10 * float(likelihood[rows == 0].mean())


def test_what_it_cannot_do_is_said() -> None:
    toy = GaussianToy.exact(std=0.5, num_steps=4)
    with pytest.raises(ValueError, match="a campaign gives it some"):
        Replay().init(ModelPolicy(toy))
    state = adam(ModelPolicy(toy), 1e-3)
    with pytest.raises(ValueError, match="a campaign gives it some"):
        Replay().step(state, ModelPolicy(toy), problem_of(toy), None, Noise.seeded(0, 2))
    with pytest.raises(ValueError, match="label some first"):
        Replay().with_designs(toy.process, torch.zeros(0, 1))
    with pytest.raises(ValueError, match="2 designs need as many rows of conditioning, got 3"):
        Replay().with_designs(toy.process, torch.zeros(2, 1), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="best must be at least 1, got 0"):
        Replay(best=0)
    with pytest.raises(ValueError, match="learning_rate must be positive, got 0"):
        Replay(learning_rate=0.0)
    with pytest.raises(ValueError, match=r"share must lie in \(0, 1\], got 1.5"):
        Replay(share=1.5)


def test_no_more_than_a_part_of_the_labels_is_learnt_from() -> None:
    assert [Replay(best=10, share=0.25).most(labelled) for labelled in (1, 8, 39, 41, 1000)] == [1, 2, 10, 10, 10]
