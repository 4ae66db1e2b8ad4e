from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from seiko.acquisition import UCB, Acquisition, BootstrapMax, Feasible, Foreseeing, Greedy, Objective, Thompson
from seiko.rewards import (
    CNN,
    SGLD,
    Ensemble,
    Feasibility,
    FeasibilityBelief,
    FitReport,
    GaussianProcess,
    Hamming,
    LastLayer,
    OneHot,
    Posterior,
    RewardModel,
    Schedule,
)


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


NETWORK = CNN(vocabulary=4, width=3)
BELIEFS: list[RewardModel] = [
    Ensemble(network=NETWORK, members=4, schedule=Schedule(steps=20)),
    LastLayer(features=OneHot(vocabulary=4)),
    GaussianProcess(kernel=Hamming(vocabulary=4), restarts=0),
    SGLD(network=NETWORK, chains=2, steps=20, schedule=Schedule(steps=20)),
]


@pytest.mark.parametrize("model", BELIEFS, ids=lambda model: type(model).__name__)
def test_thompson_follows_one_draw_of_any_belief(model: RewardModel) -> None:
    x = torch.randint(0, 4, (40, 5), generator=torch.Generator().manual_seed(0))
    belief = model.fit(x, (x == 1).sum(1).double(), None, 0)
    first, again, other = (Thompson()(belief, torch.Generator().manual_seed(seed)) for seed in (0, 0, 5))
    assert isinstance(first, Objective)
    assert torch.equal(first(x), first(x))
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))
    z = torch.rand(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(first, z, eps=1e-7, atol=1e-5)


@dataclass(frozen=True)
class Half:
    """An objective that is x itself."""

    def __call__(self, x: Tensor) -> Tensor:
        return x[:, 0]


def test_infeasible_designs_are_worth_the_reference() -> None:
    belief = FeasibilityBelief(labels=3, infeasible=1, rate=0.25)
    objective = Feasible(objective=Half(), feasibility=belief, reference=-2.0)
    assert isinstance(objective, Objective)
    x = torch.tensor([[2.0], [-1.0], [-2.0], [-4.0]])
    # -2 + (2 + 2)/4, -2 + (-1 + 2)/4, the reference itself, and one below it as it is
    assert objective(x).tolist() == [-1.0, -1.75, -2.0, -4.0]
    shifted = Feasible(objective=Half(), feasibility=belief, reference=98.0)
    assert torch.equal(shifted(x + 100.0), objective(x) + 100.0)  # no offset of the reward matters


@pytest.mark.parametrize("model", [LastLayer(features=OneHot(vocabulary=4)), BELIEFS[-2]], ids=["layer", "process"])
def test_a_bound_foresees_what_labels_leave_uncertain(model: RewardModel) -> None:
    x = torch.randint(0, 4, (60, 5), generator=torch.Generator().manual_seed(0))
    y = (x == 1).sum(1).double() + torch.randn(60, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    belief = model.fit(x[:30], y[:30], None, 0)
    bound = UCB(c=2.0)(belief, torch.Generator())
    assert isinstance(bound, Foreseeing)
    z = x[30:]
    foreseen = bound.foresee(z)
    assert foreseen is not None
    torch.testing.assert_close(foreseen.value, bound(z).double(), rtol=1e-4, atol=1e-4)
    mean = belief.posterior(z).mean.double()
    for row in (4, 11):
        before = foreseen.value
        foreseen.label(row)
        assert bool((foreseen.value <= before + 1e-12).all())
        assert float((before - foreseen.value)[row]) > 0
        assert bool((foreseen.value >= mean - 1e-6).all())  # the mean is not moved
    feasible = Feasible(
        objective=bound, feasibility=FeasibilityBelief(labels=3, infeasible=1, rate=0.25), reference=-2.0
    )
    share = feasible.foresee(z)
    assert share is not None
    share.label(4)
    share.label(11)
    torch.testing.assert_close(share.value, -2.0 + 0.25 * (foreseen.value + 2.0))


def test_nothing_is_foreseen_where_errors_are_not_known_together() -> None:
    bound = UCB()(Table(), torch.Generator())
    assert isinstance(bound, Foreseeing)
    assert bound.foresee(X) is None
    feasibility = FeasibilityBelief(labels=3, infeasible=1, rate=0.25)
    assert Feasible(objective=bound, feasibility=feasibility, reference=0.0).foresee(X) is None
    assert Feasible(objective=Half(), feasibility=feasibility, reference=0.0).foresee(X) is None


def test_feasibility_has_a_gradient() -> None:
    x = torch.randint(0, 4, (60, 4), generator=torch.Generator().manual_seed(0))
    features = OneHot(vocabulary=4)
    feasibility = Feasibility(features=features).fit(x, x[:, 0] != 3, 0)
    reward = LastLayer(features=features).fit(x, (x == 1).sum(1).double(), None, 0)
    objective = Feasible(objective=UCB()(reward, torch.Generator()), feasibility=feasibility, reference=0.0)
    z = torch.rand(3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(objective, z, eps=1e-7, atol=1e-5)
    tokens = torch.tensor([[1, 1, 1, 1], [3, 1, 1, 1]])
    plain, weighted = objective.objective(tokens), objective(tokens)
    assert float(weighted[0] - weighted[1]) > float(plain[0] - plain[1]) + 0.3
