from __future__ import annotations

import pytest
import torch

from seiko.rewards import MLP, Identity, Schedule, orbit
from seiko.rewards.training import label_weights, predict, train

NETWORK = MLP(feature=Identity(), hidden=(32,))


def problem(n: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, generator=generator)
    return NETWORK.prepare(orbit(None, x)), torch.sin(2 * x[:, 0]) + torch.randn(n, generator=generator)


def held_out_error(
    parameters: dict[str, torch.Tensor], prepared: torch.Tensor, t: torch.Tensor, held: torch.Tensor
) -> float:
    squared = (predict(NETWORK, parameters, prepared)[0, :, 0] - t).square()
    return float(squared[held[0]].mean())


def fit(steps: int, check_every: int, held: torch.Tensor) -> dict[str, torch.Tensor]:
    prepared, t = problem()
    schedule = Schedule(steps=steps, learning_rate=0.03, weight_decay=0.0, check_every=check_every)
    return train(NETWORK, prepared, t, torch.ones(1, 60), held, schedule, torch.Generator().manual_seed(1))


def test_the_best_parameters_are_kept_and_not_the_last() -> None:
    prepared, t = problem()
    held = torch.zeros(1, 60, dtype=torch.bool)
    held[0, ::3] = True
    watched = held_out_error(fit(400, 5, held), prepared, t, held)
    last = held_out_error(fit(400, 400, held), prepared, t, held)
    assert watched < 0.8 * last  # noise of variance 1 is overfitted by then


def test_held_out_labels_do_not_train() -> None:
    prepared, t = problem()
    held = torch.zeros(1, 60, dtype=torch.bool)
    held[0, :20] = True
    schedule = Schedule(steps=50, check_every=50)
    weights = torch.ones(1, 60)
    a = train(NETWORK, prepared, t, weights, held, schedule, torch.Generator().manual_seed(1))
    changed = torch.where(held[0], t + 100.0, t)
    b = train(NETWORK, prepared, changed, weights, held, schedule, torch.Generator().manual_seed(1))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_nothing_held_out_keeps_the_last() -> None:
    prepared, t = problem()
    parameters = fit(300, 10, torch.zeros(1, 60, dtype=torch.bool))
    error = (predict(NETWORK, parameters, prepared)[0, :, 0] - t).square().mean()
    assert float(error) < 0.7 * float(t.var())
    assert not any(value.requires_grad for value in parameters.values())


def test_dropout_acts_in_training_alone() -> None:
    prepared, t = problem()
    network = MLP(feature=Identity(), hidden=(32,), dropout=0.5)
    held = torch.zeros(1, 60, dtype=torch.bool)
    schedule = Schedule(steps=20)
    a = train(network, prepared, t, torch.ones(1, 60), held, schedule, torch.Generator().manual_seed(1))
    b = train(NETWORK, prepared, t, torch.ones(1, 60), held, schedule, torch.Generator().manual_seed(1))
    assert not all(torch.equal(a[name], b[name]) for name in a)
    assert torch.equal(predict(network, a, prepared), predict(network, a, prepared))


def test_label_weights() -> None:
    assert label_weights(torch.full((3,), torch.nan)).tolist() == [1.0, 1.0, 1.0]
    weights = label_weights(torch.tensor([0.1, 1.0, 3.0, torch.nan], dtype=torch.float64))
    assert float(weights.mean()) == pytest.approx(1.0)
    assert weights[0] > weights[1] > weights[2]
    assert weights[3] > weights[0]  # unknown counts as none
    assert float(weights[0] / weights[1]) == pytest.approx(1.1 / 0.11)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="steps must be positive, got 0"):
        Schedule(steps=0)
    with pytest.raises(ValueError, match="weight_decay must be at least 0, got -1"):
        Schedule(weight_decay=-1)
