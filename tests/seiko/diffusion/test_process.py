from __future__ import annotations

import pytest
import torch

from seiko.diffusion import DDIM, BetaSchedule, CosineSchedule, MaskedDiffusion, Noise, Process

COSINE = CosineSchedule(end=0.02)


def test_both_are_processes() -> None:
    assert isinstance(DDIM(schedule=BetaSchedule(), num_steps=5), Process)
    assert isinstance(MaskedDiffusion(vocabulary=4, num_steps=5), Process)


def test_only_eta_one_is_memoryless() -> None:
    processes = [DDIM(schedule=BetaSchedule(), num_steps=5, eta=eta) for eta in (0.0, 0.5, 1.0)]
    assert [process.memoryless for process in processes] == [False, False, True]
    assert MaskedDiffusion(vocabulary=4, num_steps=5).memoryless


def test_the_first_step_forgets_the_start_at_eta_one() -> None:
    prediction = torch.tensor([[0.3], [0.3]])
    x_t = torch.tensor([[-2.0], [2.0]])
    means = {
        eta: DDIM(schedule=COSINE, num_steps=4, eta=eta, predicts="data").transition(prediction, x_t, 4).mean[:, 0]
        for eta in (0.5, 1.0)
    }
    torch.testing.assert_close(means[1.0][0], means[1.0][1])
    assert float((means[0.5][1] - means[0.5][0]).abs()) > 0.5


def test_a_perfect_prediction_keeps_the_marginals() -> None:
    # x_t = alpha_t x_0 + sigma_t eps must go to alpha_s x_0 + sigma_s eps' with unit variance of eps', whatever eta
    x_0, eps = torch.full((20_000, 1), 1.7), Noise.seeded(0, 20_000).normal((1,))
    for eta in (0.0, 0.5, 1.0):
        process = DDIM(schedule=COSINE, num_steps=6, eta=eta, predicts="data")
        t, s = process.times[3], process.times[2]
        x_t = float(COSINE.alpha(t)) * x_0 + float(COSINE.sigma(t)) * eps
        x_s = process.transition(x_0, x_t, 3).sample(Noise.seeded(1, 20_000))
        noise = (x_s - float(COSINE.alpha(s)) * x_0) / float(COSINE.sigma(s))
        assert float(noise.mean()) == pytest.approx(0, abs=0.03)
        assert float(noise.std()) == pytest.approx(1, abs=0.03)


def test_the_three_predictions_are_one() -> None:
    schedule = BetaSchedule()
    processes = {name: DDIM(schedule=schedule, num_steps=10, predicts=name) for name in ("noise", "data", "velocity")}
    t = processes["data"].times[5]
    alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
    x_0, eps = torch.randn(3, 2), torch.randn(3, 2)
    x_t = alpha * x_0 + sigma * eps
    predictions = {"noise": eps, "data": x_0, "velocity": alpha * eps - sigma * x_0}
    means = [processes[name].transition(prediction, x_t, 5).mean for name, prediction in predictions.items()]
    torch.testing.assert_close(means[0], means[1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(means[0], means[2], atol=1e-5, rtol=1e-5)


def test_one_step_a_sample_equals_one_step_a_batch() -> None:
    process = DDIM(schedule=COSINE, num_steps=6, predicts="data")
    prediction, x_t = torch.randn(3, 2, 2), torch.randn(3, 2, 2)
    together = process.transition(prediction, x_t, torch.tensor([6, 3, 1]))
    for row, k in enumerate([6, 3, 1]):
        alone = process.transition(prediction[row : row + 1], x_t[row : row + 1], k)
        torch.testing.assert_close(together.mean[row : row + 1], alone.mean)
        torch.testing.assert_close(together.std[row : row + 1], alone.std)


def test_clip_bounds_the_predicted_data() -> None:
    clipped = DDIM(schedule=COSINE, num_steps=4, predicts="data", clip=1.0)
    free = DDIM(schedule=COSINE, num_steps=4, predicts="data")
    x_t, far, one = torch.zeros(1, 1), torch.full((1, 1), 3.0), torch.ones(1, 1)
    alpha_s = float(COSINE.alpha(clipped.times[3]))
    assert float(free.transition(far, x_t, 4).mean - clipped.transition(far, x_t, 4).mean) == pytest.approx(2 * alpha_s)
    assert torch.equal(free.transition(one, x_t, 4).mean, clipped.transition(one, x_t, 4).mean)


def test_a_schedule_that_ends_at_the_data_has_no_density_there() -> None:
    law = DDIM(schedule=BetaSchedule(), num_steps=4).transition(torch.zeros(1, 1), torch.zeros(1, 1), 1)
    with pytest.raises(ValueError, match="std 0"):
        law.log_prob(torch.zeros(1, 1))


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_eta_outside_of_the_unit_interval_is_refused(eta: float) -> None:
    with pytest.raises(ValueError, match=r"eta must lie in \[0, 1\], got"):
        DDIM(schedule=COSINE, num_steps=4, eta=eta, predicts="data")


def test_a_noise_prediction_from_pure_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="predicts must be 'data' or 'velocity'"):
        DDIM(schedule=COSINE, num_steps=4, predicts="noise")


def test_wrong_sizes_of_a_masked_process_are_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary must have at least 2 letters, got 1"):
        MaskedDiffusion(vocabulary=1, num_steps=3)
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        MaskedDiffusion(vocabulary=4, num_steps=0)


@pytest.mark.parametrize(("length", "steps"), [(7, 7), (7, 3), (7, 1), (3, 5)])
def test_masks_are_gone_at_the_end_and_no_step_is_wasted(length: int, steps: int) -> None:
    process = MaskedDiffusion(vocabulary=4, num_steps=steps)
    x = process.prior((length,), Noise.seeded(0, 2))
    assert (x == process.mask_token).all()
    counts = []
    for k in range(steps, 0, -1):
        law = process.transition(torch.zeros(2, length, 4), x, k)
        counts.append(int(law.count[0]))
        x = law.sample(Noise.seeded(k, 2))
    assert (x != process.mask_token).all()
    assert sum(counts) == length
    assert max(counts) == -(-length // steps)


def test_a_partly_masked_start_is_filled_whatever_its_masks() -> None:
    process = MaskedDiffusion(vocabulary=4, num_steps=6)
    x = torch.tensor([[0, 1, 2, 3, 0, 4], [4, 4, 4, 4, 4, 4], [1, 1, 1, 1, 1, 1]])
    start = x.clone()
    for k in range(6, 0, -1):
        x = process.transition(torch.zeros(3, 6, 4), x, k).sample(Noise.seeded(k, 3))
    assert (x != 4).all()
    assert (x[start != 4] == start[start != 4]).all()
