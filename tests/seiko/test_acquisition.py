from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from seiko.acquisition import UCB, Acquisition, BootstrapMax, Greedy, Objective
from seiko.rewards import CNN, Ensemble, FitReport, LastLayer, OneHot, Posterior, Schedule


@dataclass(frozen=True)
class Table:
    """A belief whose posterior is x itself: mean x_0, std x_1, members the columns."""

    with_members: bool = True
    scale: float = 1.0
    report: FitReport = field(
        default_factory=lambda: FitReport(labels=1, held_out=None, residual_std=1.0, std_scale=1.0, seconds=0.0)
    )

    def posterior(self, x: Tensor) -> Posterior:
        return Posterior(mean=x[:, 0], std=x[:, 1], members=x.T if self.with_members else None)

    def draw(self, generator: torch.Generator) -> Table:
        return self


X = torch.tensor([[1.0, 0.5, -3.0], [0.0, 2.0, 7.0]])


@pytest.mark.parametrize(
    ("acquisition", "expected"),
    [
        (Greedy(), [1.0, 0.0]),
        (UCB(), [1.5, 2.0]),
        (UCB(c=2.0), [2.0, 4.0]),
        (UCB(c=0.0), [1.0, 0.0]),
        (UCB(c=-1.0), [0.5, -2.0]),
        (BootstrapMax(), [1.0, 7.0]),
    ],
)
def test_values(acquisition: Acquisition, expected: list[float]) -> None:
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    objective = acquisition(Table(), generator)
    assert isinstance(objective, Objective)
    assert isinstance(acquisition, Acquisition)
    assert objective(X).tolist() == expected
    assert torch.equal(generator.get_state(), state)


def test_an_objective_is_frozen() -> None:
    with pytest.raises(AttributeError):
        UCB()(Table(), torch.Generator()).c = 3.0  # type: ignore[attr-defined]


def test_bootstrap_needs_members() -> None:
    with pytest.raises(TypeError, match="Table has none; choose UCB or an Ensemble"):
        BootstrapMax()(Table(with_members=False), torch.Generator())(X)
    with pytest.raises(ValueError, match="c must be a finite number"):
        UCB(c=float("nan"))


def test_gradients_agree_with_finite_differences() -> None:
    x = torch.randint(0, 4, (30, 5), generator=torch.Generator().manual_seed(0))
    y = (x == 1).sum(1).double()
    ensemble = Ensemble(network=CNN(vocabulary=4, width=3), members=3, schedule=Schedule(steps=20)).fit(x, y, None, 0)
    last_layer = LastLayer(features=OneHot(vocabulary=4)).fit(x, y, None, 0)
    z = torch.rand(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    generator = torch.Generator()
    for objective in (
        Greedy()(ensemble, generator),
        UCB(c=1.5)(ensemble, generator),
        BootstrapMax()(ensemble, generator),
        UCB(c=-1.0)(last_layer, generator),
    ):
        assert torch.autograd.gradcheck(objective, z, eps=1e-7, atol=1e-5)
