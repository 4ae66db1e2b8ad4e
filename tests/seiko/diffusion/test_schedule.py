from __future__ import annotations

import pytest
import torch

from seiko.diffusion import BetaSchedule, CosineSchedule, Schedule

SCHEDULES = [
    CosineSchedule(),
    CosineSchedule(end=0.02),
    BetaSchedule(),
    BetaSchedule.stable_diffusion(),
    BetaSchedule(kind="squared_cosine", spacing="trailing"),
    BetaSchedule(kind="squared_cosine", stop=56),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_scales_preserve_the_variance_and_the_signal_fades(schedule: Schedule) -> None:
    assert isinstance(schedule, Schedule)
    times = schedule.times(10)
    alpha, sigma = schedule.alpha(times), schedule.sigma(times)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones(11, dtype=torch.float64))
    assert times.shape == (11,)
    assert bool((times.diff() > 0).all())
    assert bool((alpha.diff() < 0).all())


def test_cosine_runs_from_its_end_to_pure_noise() -> None:
    schedule = CosineSchedule(end=0.02)
    times = schedule.times(4)
    assert float(times[0]) == pytest.approx(0.02)
    assert float(schedule.alpha(times[-1])) == pytest.approx(0, abs=1e-12)


def test_beta_scales_are_the_cumulative_product() -> None:
    schedule = BetaSchedule(beta_start=0.1, beta_end=0.3, num_train_steps=3)
    signal = torch.tensor([0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7], dtype=torch.float64)
    t = torch.tensor([1 / 3, 2 / 3, 1], dtype=torch.float64)
    torch.testing.assert_close(schedule.alpha(t) ** 2, signal, atol=1e-7, rtol=0)
    assert schedule.training_step(t).tolist() == [0, 1, 2]


def test_where_a_beta_schedule_ends() -> None:
    zero = torch.zeros((), dtype=torch.float64)
    assert float(BetaSchedule(end_at_data=True).sigma(zero)) == 0
    stable_diffusion = BetaSchedule.stable_diffusion()
    assert float(stable_diffusion.alpha(zero) ** 2) == pytest.approx(1 - 0.00085, abs=1e-6)


def test_stable_diffusion_visits_the_steps_with_an_offset() -> None:
    times = BetaSchedule.stable_diffusion().times(50)
    assert BetaSchedule().training_step(times[1:]).tolist() == list(range(1, 1000, 20))


@pytest.mark.parametrize("end", [-0.1, 1.0])
def test_end_outside_of_the_unit_interval_is_refused(end: float) -> None:
    with pytest.raises(ValueError, match=r"end must be a time in \[0, 1\)"):
        CosineSchedule(end=end)


def test_numbers_of_steps_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        CosineSchedule().times(0)
    with pytest.raises(ValueError, match="at most 1000"):
        BetaSchedule().times(1001)
    with pytest.raises(ValueError, match="starts beyond the last of 1000 training steps"):
        BetaSchedule.stable_diffusion().times(1000)


def test_trailing_starts_from_the_noisiest_step() -> None:
    schedule = BetaSchedule(spacing="trailing")
    assert schedule.training_step(schedule.times(4)[1:]).tolist() == [249, 499, 749, 999]
    assert schedule.training_step(schedule.times(3)[1:]).tolist() == [332, 666, 999]


def test_a_chain_may_stop_while_there_is_noise() -> None:
    schedule = BetaSchedule(kind="squared_cosine", stop=56)
    times = schedule.times(20)
    assert schedule.training_step(times).tolist()[::10] == [56, 528, 999]
    assert float(schedule.sigma(times[0])) == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="stop must be a training step from 0 to 998, got 999"):
        BetaSchedule(stop=999)
    with pytest.raises(ValueError, match="at most 943"):
        schedule.times(944)
