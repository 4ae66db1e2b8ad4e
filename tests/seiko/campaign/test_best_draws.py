"""The best of n draws follows its closed form, F^n, and its nats are within the bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seiko.campaign import Campaign, Recipe, run
from seiko.campaign.best_draws import BestOf, best_of_nats
from seiko.campaign.prompts import Conditioner
from seiko.campaign.sampler import ModelSampler, draw_many
from seiko.designs import Design
from seiko.diffusion import Noise
from seiko.models import EnumerableToy
from seiko.oracles import Oracle

LAW = torch.tensor([[4.0, 1.0, 2.0], [1.0, 3.0, 1.0], [2.0, 5.0, 1.0]])


def number(x: Tensor) -> Tensor:
    """Return 3 a + b of designs ab: all nine differ, and no letter alone decides."""
    return (3 * x[:, 0] + x[:, 1]).double()


def closed(n: int) -> Tensor:
    """Return the law of the largest of n draws: the differences of F^n."""
    below = torch.cat([torch.zeros(1), (LAW / LAW.sum()).flatten().cumsum(0)]).double()
    return (below**n).diff()


@pytest.fixture
def sampler() -> ModelSampler:
    return ModelSampler(EnumerableToy.from_law(LAW))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_it_follows_the_law_of_the_largest_of_n(sampler: ModelSampler, n: int) -> None:
    drawn = draw_many(BestOf(sampler, number, n), 0, 20_000)
    shares = torch.bincount(number(drawn).long(), minlength=9) / len(drawn)
    assert shares.tolist() == pytest.approx(closed(n).tolist(), abs=0.012)  # three standard errors


@pytest.mark.parametrize("n", [2, 4, 16])
def test_its_nats_are_within_the_bound(n: int) -> None:
    law, best = closed(1), closed(n)
    kl = float((best * (best / law).log()).sum())
    assert 0 < kl <= best_of_nats(n) == pytest.approx(math.log(n) - (n - 1) / n)


def test_a_look_adds_the_bound_to_the_paths_that_were_kept(sampler: ModelSampler) -> None:
    noise = Noise.seeded(0, 400)
    look = BestOf(sampler, number, 4).look(noise)
    assert torch.equal(look.x_0, BestOf(sampler, number, 4).draw(noise))
    assert look.kl_pretrained == pytest.approx(best_of_nats(4))  # the paths are the pretrained model's own
    assert look.kls is None


def test_one_draw_is_the_sampler_itself(sampler: ModelSampler) -> None:
    noise = Noise.seeded(0, 50)
    assert torch.equal(BestOf(sampler, number, 1).draw(noise), sampler.draw(noise))


def test_an_invalid_design_is_never_the_best(sampler: ModelSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    export = EnumerableToy.export

    def with_invalid(model: EnumerableToy, x: Tensor) -> list[object]:
        return [
            type(design)(content="", kind="invalid") if int(value) == 8 else design
            for design, value in zip(export(model, x), number(x), strict=True)
        ]

    monkeypatch.setattr(EnumerableToy, "export", with_invalid)
    best = number(draw_many(BestOf(sampler, number, 8), 0, 2000))
    share = float((best == 8).float().mean())
    assert share <= 3 * float(closed(1)[8]) ** 8 + 0.001  # all eight would have to be
    assert float((best == 7).float().mean()) > 0.8


@pytest.mark.parametrize("n", [0, -3])
def test_a_number_of_draws_is_positive(sampler: ModelSampler, n: int) -> None:
    with pytest.raises(ValueError, match=f"positive number of draws, got {n}"):
        BestOf(sampler, number, n)


def test_several_prompts_are_refused(sampler: ModelSampler) -> None:
    several = ModelSampler(sampler.model, Conditioner(("a cat", "a dog"), torch.zeros(2, 1)))
    with pytest.raises(ValueError, match="got 2 prompts: draw for one at a time"):
        BestOf(several, number, 2)


def test_a_run_draws_the_best_by_its_last_objective(
    tiny: Callable[..., Recipe], oracle: Oracle, tmp_path: Path
) -> None:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        run(campaign, oracle)
        plain, best = (campaign.sample(300, best_of=n) for n in (1, 4))
        objective = campaign.objective()
        assert objective is not None

        def mean(designs: Sequence[Design]) -> float:
            return float(objective(campaign.model.ingest(designs)).mean())

        assert mean(best) > mean(plain) + 0.01
        assert campaign.sample(20, best_of=4) == best[:20]
        with pytest.raises(ValueError, match="best_of 4 needs a belief, and round 0 had none"):
            campaign.sample(20, best_of=4, round=0)
        assert campaign.sample(20) == plain[:20]
