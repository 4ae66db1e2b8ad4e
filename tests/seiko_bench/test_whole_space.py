"""What is exact must agree with what is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from seiko.campaign import Campaign, run
from seiko_bench.theory import Variant
from seiko_bench.theory_ground import small
from seiko_bench.whole_space import whole_space


def test_the_whole_space_agrees_with_draws(tmp_path: Path) -> None:
    ground = small(tmp_path)
    recipe = Variant(own_strength=True).recipe(ground, 0, True)
    with Campaign.open(tmp_path / "run", recipe, modules=("seiko_bench.theory_parts",)) as campaign:
        run(campaign)
        found = whole_space(campaign, ground)
        x = campaign.sample_states(4000, seed=1)
        belief = campaign.belief()
        assert belief is not None
        seen = belief.posterior(ground.designs)
    drawn = ground.look_up(x)
    assert found["exact_mean"] == pytest.approx(float(drawn.mean()), abs=4 * float(drawn.std()) / 4000**0.5)
    held = ((seen.mean - ground.reward).abs() <= 1.96 * seen.std).double().mean()
    assert found["coverage_space"] == pytest.approx(float(held), abs=1e-6)
    at_prior = float(ground.pretrained @ ground.reward)
    gain = found["exact_mean"] - ground.alpha * found["exact_kl"] - at_prior
    assert found["share"] == pytest.approx(gain / (ground.value(ground.optimum) - at_prior))
    assert -1 <= found["correlation"] <= 1
