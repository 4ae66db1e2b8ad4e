"""A moved model and a steered one draw through the same face; populations are whole whatever is asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seiko.campaign import sampler as sampler_module
from seiko.campaign.sampler import CHUNK, ModelSampler, Sampler, SteeredSampler, chunk, draw_many
from seiko.diffusion import Noise, path_kl, rollout
from seiko.models import MaskedLM, ModelPolicy
from seiko.updates import SMC, Guidance, SoftBestOf, Steering, fold

SMALL = SMC(particles=16)
ALL = pytest.mark.parametrize("steering", [Guidance(), SMALL, SoftBestOf()], ids=["guidance", "smc", "best-of"])


def count_a(x: Tensor) -> Tensor:
    return (x == 0).sum(-1).float()


def steered(model: MaskedLM, steering: Steering, alpha: float = 0.5) -> SteeredSampler:
    return SteeredSampler(model, steering, fold(count_a, ModelPolicy(model, "pretrained"), alpha))


def test_the_model_draws_as_it_is_now(model: MaskedLM) -> None:
    sampler, noise = ModelSampler(model), Noise.seeded(0, 50)
    before = sampler.draw(noise)
    assert torch.equal(before, rollout(ModelPolicy(model), None, noise).x_0)
    with torch.no_grad():
        for parameter in model.versions.parameters():
            parameter.add_(0.3)
    trajectory = rollout(ModelPolicy(model), None, noise)
    look = sampler.look(noise)
    assert torch.equal(look.x_0, trajectory.x_0)
    assert torch.equal(sampler.draw(noise), trajectory.x_0)
    with torch.no_grad():
        kl = float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean())
    assert kl > 0
    assert look.kl_pretrained == look.kl_previous == pytest.approx(kl)
    pretrained = ModelSampler(model, version="pretrained").look(noise)
    assert torch.equal(pretrained.x_0, before)
    assert pretrained.kl_pretrained == 0
    assert pretrained.kl_previous == 0  # nothing has been kept as previous but the start


def test_a_model_that_nothing_moves_is_asked_once_to_look_at_it(
    model: MaskedLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a model is no distance from itself")

    monkeypatch.setattr(sampler_module, "path_kl", refuse)
    look = ModelSampler(model, version="pretrained", previous="pretrained").look(Noise.seeded(0, 50))
    assert (look.kl_pretrained, look.kl_previous) == (0, 0)
    assert look.kls is not None
    assert look.kls.tolist() == [0.0] * 50
    with pytest.raises(AssertionError):
        ModelSampler(model).look(Noise.seeded(0, 50))


@ALL
def test_steering_draws_more_of_what_is_wanted_and_says_how_far_it_went(model: MaskedLM, steering: Steering) -> None:
    sampler, noise = steered(model, steering), Noise.seeded(0, 320)
    look = sampler.look(noise)
    assert torch.equal(look.x_0, sampler.draw(noise))
    assert count_a(look.x_0).mean() > count_a(ModelSampler(model).draw(noise)).mean() + 0.8
    assert 0.3 < look.kl_pretrained < 6
    assert look.kl_previous is None
    assert steered(model, steering, alpha=100.0).look(noise).kl_pretrained < 0.2  # of completions: their number


@ALL
def test_steering_keeps_what_it_starts_from(model: MaskedLM, steering: Steering) -> None:
    start = torch.full((5, 6), model.process.mask_token)
    start[:, 1:3] = 2
    x = steered(model, steering).draw(Noise.seeded(0, 5), start)
    assert x.shape == (5, 6)
    assert bool((x[:, 1:3] == 2).all())
    assert int(x.max()) <= 3


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40])
def test_any_number_is_drawn_in_whole_populations(model: MaskedLM, n: int) -> None:
    sampler = steered(model, SMALL)
    x = sampler.draw(Noise.seeded(3, n))
    assert x.shape == (n, 6)
    assert sampler.look(Noise.seeded(3, n)).x_0.shape == (n, 6)
    whole = n // 16 * 16  # a population depends on its own streams alone
    assert torch.equal(x[:whole], sampler.draw(Noise.seeded(3, 48))[:whole])


@pytest.mark.parametrize("steering", [None, SMALL], ids=["model", "smc"])
def test_few_draws_are_the_first_of_many(model: MaskedLM, steering: Steering | None) -> None:
    sampler: Sampler = ModelSampler(model) if steering is None else steered(model, steering)
    many = draw_many(sampler, 5, CHUNK + 30)
    assert many.shape == (CHUNK + 30, 6)
    for n in (1, 20, CHUNK):
        assert torch.equal(draw_many(sampler, 5, n), many[:n])
    assert not torch.equal(draw_many(sampler, 6, 20), many[:20])


@pytest.mark.parametrize(("particles", "expected"), [(16, 992), (1000, 1000), (3000, 3000)])
def test_a_chunk_is_whole_populations(model: MaskedLM, particles: int, expected: int) -> None:
    assert chunk(steered(model, SMC(particles=particles))) == expected
    assert chunk(ModelSampler(model)) == CHUNK
