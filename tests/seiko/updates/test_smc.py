from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import Noise, rollout
from seiko.updates import SMC, Anchor, Guidance, Problem


def one(setting: Any, alpha: float = 0.5) -> Problem[Any]:
    return Problem(setting.objective, (Anchor(setting.pretrained, alpha),))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"particles": 1}, "particles must be at least 2, got 1"),
        ({"threshold": 1.5}, r"threshold must lie in \[0, 1\], got 1.5"),
        ({"ladder": -1.0}, "ladder must be at least 0, got -1"),
        ({"completions": 0}, "completions must be at least 1, got 0"),
        ({"moves": -1}, "moves must be at least 0, got -1"),
        ({"rates": (0.5, 0.2)}, r"rates must be \(low, high\) in \(0, 1\], got"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SMC(**wrong)


@pytest.mark.parametrize("streams", [0, 5, 9])
def test_streams_that_do_not_fill_populations_are_refused_with_the_way_out(setting: Any, streams: int) -> None:
    with pytest.raises(ValueError, match=f"must be a multiple of it, got {streams}; draw more and keep some"):
        SMC(particles=4).draw(setting.pretrained, one(setting), None, Noise.seeded(0, streams))


@pytest.mark.parametrize("smc", [SMC(particles=8), SMC(particles=8, moves=2), SMC(particles=8, guidance=Guidance())])
def test_a_population_is_the_same_whatever_else_is_drawn(setting: Any, smc: SMC) -> None:
    noise, problem = Noise.seeded(0, 32), one(setting)
    whole = smc.draw(setting.pretrained, problem, None, noise).x_0
    parts = [smc.draw(setting.pretrained, problem, None, noise[i : i + 8]).x_0 for i in range(0, 32, 8)]
    torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.equal(smc.draw(setting.pretrained, problem, None, Noise.seeded(1, 32)).x_0, whole)


def test_a_flat_objective_draws_as_the_pretrained_policy_does(setting: Any) -> None:
    flat = Problem(lambda x: setting.objective(x) * 0 + 3.0, (Anchor(setting.pretrained, 0.5),))
    noise = Noise.seeded(0, 32)
    drawn = SMC(particles=8).draw(setting.pretrained, flat, None, noise)
    assert torch.equal(drawn.x_0, rollout(setting.pretrained, None, noise).x_0)
    assert drawn.log_z == pytest.approx(6.0)
    assert drawn.kl == pytest.approx(0, abs=1e-6)
    assert drawn.effective_samples == 32


def test_what_is_reported_is_of_what_is_returned(setting: Any) -> None:
    for smc in (SMC(particles=16), SMC(particles=16, moves=3)):
        drawn = smc.draw(setting.pretrained, one(setting), None, Noise.seeded(0, 64))
        torch.testing.assert_close(drawn.objective, setting.objective(drawn.x_0))
        assert drawn.log_z is not None
        assert 0 < drawn.kl == pytest.approx(drawn.mean / 0.5 - drawn.log_z, abs=0.3)
        alone = smc.draw(setting.pretrained, one(setting), None, Noise.seeded(0, 16))
        assert alone.kl == pytest.approx(alone.mean / 0.5 - alone.log_z, abs=1e-4)  # type: ignore[operator]
        assert 4 <= drawn.effective_samples < 64


def test_moves_bring_variety_back(masked: Any) -> None:
    def kinds(moves: int) -> int:
        smc = SMC(particles=64, moves=moves)
        drawn = smc.draw(masked.pretrained, one(masked, 1.0), None, Noise.seeded(0, 64))
        return len(torch.unique(drawn.x_0, dim=0))

    assert kinds(6) > kinds(0)


def test_kept_positions_stay_through_resampling_and_moves(masked: Any) -> None:
    start = torch.tensor([[0, 3, 3]] * 16 + [[3, 2, 3]] * 16)
    x_0 = SMC(particles=16, moves=4).draw(masked.pretrained, one(masked), None, Noise.seeded(0, 32), start).x_0
    assert bool((x_0[:16, 0] == 0).all())
    assert bool((x_0[16:, 1] == 2).all())
    assert bool((x_0 != 3).all())


def test_a_mixture_of_starts_keeps_the_positions_of_each_ones_own_ancestor(masked: Any) -> None:
    start = torch.tensor([[0, 3, 3], [3, 2, 3]]).repeat(16, 1)
    x_0 = SMC(particles=32, moves=4).draw(masked.pretrained, one(masked), None, Noise.seeded(0, 32), start).x_0
    assert bool(((x_0[:, 0] == 0) | (x_0[:, 1] == 2)).all())


def test_conditioning_must_be_shared_by_a_population(setting: Any) -> None:
    shared = torch.tensor([1.0] * 4 + [2.0] * 4)[:, None]
    SMC(particles=4).draw(setting.pretrained, one(setting), shared, Noise.seeded(0, 8))
    with pytest.raises(ValueError, match="conditioning must be the same for all particles of a population"):
        SMC(particles=8).draw(setting.pretrained, one(setting), shared, Noise.seeded(0, 8))


def test_a_second_anchor_is_refused_with_the_way_out(setting: Any) -> None:
    with pytest.raises(ValueError, match="set beta = 0, or fold"):
        SMC(particles=4).draw(setting.pretrained, setting.problem(0.5, 0.1), None, Noise.seeded(0, 4))


def test_a_reward_that_is_not_a_number_is_refused(setting: Any) -> None:
    broken = Problem(lambda x: setting.objective(x) * float("nan"), (Anchor(setting.pretrained, 0.5),))
    with pytest.raises(FloatingPointError, match="the objective is not a number"):
        SMC(particles=4).draw(setting.pretrained, broken, None, Noise.seeded(0, 4))
