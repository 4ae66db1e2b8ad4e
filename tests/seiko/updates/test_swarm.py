from __future__ import annotations

import math

import pytest
import torch

from seiko.diffusion import GaussianTransition, MaskedTransition, Noise
from seiko.updates.swarm import Swarm, take

LOG_WEIGHT = torch.log(torch.tensor([0.7, 0.1, 0.1, 0.1], dtype=torch.float64))


def swarm(populations: int = 1, *, keeps_path: bool = False) -> Swarm:
    x = torch.arange(4.0 * populations)[:, None]
    return Swarm.at(x, Noise.seeded(0, len(x)), 4, keeps_path)


def test_equal_weights_are_not_resampled() -> None:
    particles = swarm()
    assert particles.weigh(torch.full((4,), 3.0), 2, threshold=0.99) is None
    assert particles.x[:, 0].tolist() == [0, 1, 2, 3]
    assert particles.effective() == 4


def test_a_particle_is_taken_as_often_as_its_weight_says() -> None:
    taken = torch.zeros(4, dtype=torch.float64)
    for k in range(2000):
        rows = swarm().weigh(LOG_WEIGHT, k, threshold=0.9)
        assert rows is not None
        counts = torch.bincount(rows, minlength=4)
        assert int(counts[0]) in (2, 3)  # systematic: 4 * 0.7 = 2.8, rounded down or up
        taken += counts
    torch.testing.assert_close(taken / 8000, LOG_WEIGHT.exp(), atol=0.01, rtol=0)


def test_the_mean_weight_goes_into_log_z_once() -> None:
    particles = swarm()
    particles.weigh(torch.tensor([2.0, 0.0, 0.0, 0.0]), 2, threshold=0.0)
    assert particles.log_z.tolist() == [0]
    particles.weigh(torch.tensor([3.0, 0.0, 0.0, 0.0]), 1, threshold=1.0)
    first = math.log((math.exp(3) + 3) / 4)
    assert float(particles.log_z) == pytest.approx(first)
    assert particles.log_weight.tolist() == [0] * 4
    # a potential that goes away again takes its weight back
    particles.weigh(torch.zeros(4), 0, threshold=math.inf)
    assert float(particles.log_z) < first


def test_populations_are_resampled_apart() -> None:
    particles = swarm(2)
    rows = particles.weigh(torch.cat([torch.zeros(4), LOG_WEIGHT.float() * 3]), 1, threshold=0.5)
    assert rows is not None
    assert rows[:4].tolist() == [0, 1, 2, 3]
    assert bool((rows[4:] >= 4).all())
    assert particles.log_z[0] == 0
    assert particles.log_z[1] != 0
    assert particles.log_weight[:4].tolist() == [0] * 4
    assert torch.equal(particles.family, rows)


def test_paths_are_taken_with_their_ends() -> None:
    particles = swarm(keeps_path=True)
    law = GaussianTransition(particles.x * 10, torch.tensor(1e-6))
    particles.advance(law, law, 1)
    particles.weigh(LOG_WEIGHT, 0, threshold=math.inf)
    torch.testing.assert_close(particles.path[1], particles.path[0] * 10, atol=1e-4, rtol=0)
    assert torch.equal(particles.path[1], particles.x)


def test_a_proposal_is_corrected_for() -> None:
    particles = swarm()
    base, proposal = (GaussianTransition(torch.full((4, 1), mean), torch.tensor(1.0)) for mean in (0.0, 1.0))
    particles.advance(base, proposal, 1)
    torch.testing.assert_close(
        particles.log_weight, (base.log_prob(particles.x) - proposal.log_prob(particles.x)).double()
    )


def test_families_count_descents() -> None:
    particles = swarm(2)
    particles.family = torch.tensor([0, 0, 0, 0, 4, 4, 5, 5])
    assert particles.effective() == 1 + 2


def test_a_potential_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(FloatingPointError, match="not a number ahead of step 2"):
        swarm().weigh(torch.tensor([0.0, math.nan, 0.0, 0.0]), 2, threshold=0.5)


def test_the_rows_of_a_law_are_taken_and_what_is_shared_stays() -> None:
    rows = torch.tensor([2, 2, 0])
    gaussian = take(GaussianTransition(torch.arange(3.0)[:, None], torch.tensor([[0.5]])), rows)
    assert gaussian.mean[:, 0].tolist() == [2, 2, 0]
    assert gaussian.std.tolist() == [[0.5]]
    x_t = torch.tensor([[0, 3], [1, 3], [2, 3]])
    masked = take(MaskedTransition(torch.randn(3, 2, 3), x_t, torch.tensor([1, 0, 1])), rows)
    assert masked.x_t[:, 0].tolist() == [2, 2, 0]
    assert masked.count.tolist() == [1, 1, 1]
