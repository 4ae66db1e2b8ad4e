from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import GaussianTransition, Noise, Policy, path_kl, rollout
from seiko.models import GaussianToy, ModelPolicy
from seiko.updates import Anchor, Guidance, NotMemorylessWarning, Problem

BY_GRADIENT = Guidance(letters="gradient")


def one(setting: Any, alpha: float = 0.5) -> Problem[Any]:
    return Problem(setting.objective, (Anchor(setting.pretrained, alpha),))


class Bare(ModelPolicy[Any]):
    """A policy whose laws do not say what they predict."""

    def transition(self, x_t: torch.Tensor, k: Any, conditioning: Any = None) -> GaussianTransition:
        law = super().transition(x_t, k)
        return GaussianTransition(law.mean, law.std)


def test_too_few_completions_are_refused() -> None:
    with pytest.raises(ValueError, match="completions must be at least 1, got 0"):
        Guidance(completions=0)


def test_a_guided_policy_is_a_policy_that_cannot_move(setting: Any) -> None:
    policy = Guidance().guide(setting.pretrained, one(setting))
    assert isinstance(policy, Policy)
    assert policy.parameters() == []
    assert (policy.num_steps, policy.memoryless) == (3, True)


def test_the_draw_is_the_rollout_of_the_guided_policy_with_its_path_kl(setting: Any) -> None:
    noise, problem = Noise.seeded(0, 32), one(setting)
    drawn = Guidance().draw(setting.pretrained, problem, None, noise)
    trajectory = rollout(Guidance().guide(setting.pretrained, problem), None, noise)
    assert torch.equal(drawn.x_0, trajectory.x_0)
    assert torch.equal(drawn.objective, setting.objective(drawn.x_0))
    assert drawn.kl == pytest.approx(float(path_kl(trajectory, setting.pretrained).mean()))
    assert drawn.mean > float(setting.objective(rollout(setting.pretrained, None, noise).x_0).mean())
    assert (drawn.effective_samples, drawn.log_z) == (32, None)


def test_a_design_is_the_same_whatever_the_batch(setting: Any) -> None:
    noise, problem = Noise.seeded(0, 24), one(setting)
    whole = Guidance().draw(setting.pretrained, problem, None, noise).x_0
    parts = [Guidance().draw(setting.pretrained, problem, None, noise[i : i + 5]).x_0 for i in range(0, 24, 5)]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_a_flat_objective_guides_nowhere(setting: Any) -> None:
    flat = Problem(lambda x: setting.objective(x) * 0 + 3.0, (Anchor(setting.pretrained, 0.5),))
    drawn = Guidance(completions=4000).draw(setting.pretrained, flat, None, Noise.seeded(0, 64))
    assert drawn.kl == pytest.approx(0, abs=0.01)


def test_the_mean_is_shifted_by_the_gradient_at_the_next_prediction(gaussian: Any) -> None:
    x_t = torch.randn(4, 1)
    policy = Guidance().guide(gaussian.pretrained, one(gaussian, 0.25))
    for k in (3, 2, 1):
        law, plain = policy.transition(x_t, k), gaussian.pretrained.transition(x_t, k)
        slope = 1.0 if k == 1 else float(gaussian.toy.versions._anchors["pretrained"]["slope"][k - 2])
        torch.testing.assert_close(law.mean, plain.mean + plain.std**2 / 0.25 * 2 * slope)
        assert torch.equal(law.std, plain.std)


def test_the_last_letter_has_the_exact_tilted_law(masked: Any) -> None:
    # with one position masked the completions are draws of x_0 itself: nothing is left to approximate but their number
    toy, temperature = masked.toy, 0.5
    x_t = torch.tensor([[0, 3, 2]])
    plain = torch.softmax(masked.pretrained.transition(x_t, 1).logits[0, 1], -1)
    filled = x_t.repeat(3, 1)
    filled[:, 1] = torch.arange(3)
    expected = plain * torch.exp(masked.objective(filled) / temperature)
    law = Guidance(completions=20_000).guide(masked.pretrained, one(masked, temperature)).transition(x_t, 1)
    torch.testing.assert_close(torch.softmax(law.logits[0, 1], -1), expected / expected.sum(), atol=0.015, rtol=0)
    # the first-order form is exact there too: an objective of one-hot states is linear in each letter
    first = BY_GRADIENT.guide(masked.pretrained, one(masked, temperature)).transition(x_t, 1)
    torch.testing.assert_close(torch.softmax(first.logits[0, 1], -1), expected / expected.sum())
    assert toy.vocabulary == 3


def test_revealed_positions_and_partly_masked_starts_are_kept(masked: Any) -> None:
    start = torch.tensor([[0, 3, 2], [3, 3, 1]]).repeat(10, 1)
    for guidance in (Guidance(), BY_GRADIENT):
        x_0 = guidance.draw(masked.pretrained, one(masked), None, Noise.seeded(0, 20), start).x_0
        kept = start != 3
        assert torch.equal(x_0[kept], start[kept])
        assert bool((x_0 != 3).all())


def test_a_second_anchor_is_refused_with_the_way_out(setting: Any) -> None:
    with pytest.raises(ValueError, match=r"takes one anchor.*got coefficients \[0.5, 0.1\]: set beta = 0, or fold"):
        Guidance().draw(setting.pretrained, setting.problem(0.5, 0.1), None, Noise.seeded(0, 4))
    Guidance().draw(setting.pretrained, setting.problem(0.5, 0.0), None, Noise.seeded(0, 4))


def test_a_process_with_a_memory_is_warned_of() -> None:
    policy = ModelPolicy(GaussianToy.exact(num_steps=3, eta=0.5), "pretrained")
    problem = Problem(lambda x: x[:, 0], (Anchor(policy, 0.5),))
    with pytest.warns(NotMemorylessWarning, match="falls short of the tilted one"):
        Guidance().draw(policy, problem, None, Noise.seeded(0, 4))


def test_what_cannot_be_guided_is_refused_with_the_way_out(gaussian: Any) -> None:
    with pytest.raises(TypeError, match="not GaussianTransition: use an update"):
        Guidance().guide(Bare(gaussian.toy), one(gaussian)).transition(torch.zeros(2, 1), 1)
    with pytest.raises(TypeError, match="one step for the whole batch"):
        Guidance().guide(gaussian.pretrained, one(gaussian)).transition(torch.zeros(2, 1), torch.tensor([1, 2]))


def test_an_objective_without_a_gradient_is_refused_where_one_is_needed(gaussian: Any, masked: Any) -> None:
    for setting, guidance in ((gaussian, Guidance()), (masked, BY_GRADIENT)):
        problem = Problem(lambda x: x.flatten(1)[:, 0].detach(), (Anchor(setting.pretrained, 0.5),))
        with pytest.raises(TypeError, match="the objective has no gradient"):
            guidance.draw(setting.pretrained, problem, None, Noise.seeded(0, 4))
    by_value = Problem(lambda x: (x[:, 0] == 1).double(), (Anchor(masked.pretrained, 0.5),))
    Guidance().draw(masked.pretrained, by_value, None, Noise.seeded(0, 4))
