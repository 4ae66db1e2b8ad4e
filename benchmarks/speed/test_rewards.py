"""Time reward models: refits on 2,000 labels and posteriors of all 65,536 DNA 8-mers.

    pytest benchmarks/speed --benchmark-only [--benchmark-json speed.json]

Targets on one idle core: a refit of the ensemble under 5 s, a posterior of ensemble and last layer under 1 s. Times are
printed and not asserted, since they are the machine's. The labels are synthetic, so nothing has to be downloaded.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.rewards import (
    CNN,
    MLP,
    Ensemble,
    GaussianProcess,
    LastLayer,
    OneHot,
    ReverseComplement,
    RewardModel,
    Spectrum,
    Windows,
)

pytest.importorskip("pytest_benchmark")

STRANDS = ReverseComplement()
MODELS: dict[str, RewardModel] = {
    "ensemble-mlp": Ensemble(network=MLP(feature=OneHot(vocabulary=4)), symmetry=STRANDS),
    "ensemble-cnn": Ensemble(network=CNN(vocabulary=4), symmetry=STRANDS),
    "last-layer-windows": LastLayer(features=Windows(vocabulary=4), symmetry=STRANDS),
    "gp-spectrum": GaussianProcess(kernel=Spectrum(vocabulary=4), symmetry=STRANDS),
}


@pytest.fixture(scope="module")
def space() -> tuple[Tensor, Tensor]:
    """Return all 8-mers and how much of GATTA the better strand holds, with noise."""
    torch.set_num_threads(1)  # two threads beside another busy process stall
    x = torch.cartesian_prod(*[torch.arange(4)] * 8)
    motif = torch.tensor([2, 0, 3, 3, 0])
    hits = torch.stack([(s.unfold(1, 5, 1) == motif).sum(-1).amax(1) for s in (x, (3 - x).flip(1))]).amax(0)
    return x, hits / 5 + 0.1 * torch.randn(len(x), generator=torch.Generator().manual_seed(0))


def some(space: tuple[Tensor, Tensor], n: int) -> tuple[Tensor, Tensor]:
    """Return n of them, drawn at random."""
    x, y = space
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))[:n]
    return x[chosen], y[chosen]


@pytest.mark.parametrize("name", MODELS)
def test_refit_on_2000_labels(name: str, space: tuple[Tensor, Tensor], benchmark: Any) -> None:
    """A refit at the end of a long campaign."""
    x, y = some(space, 2000)
    belief = benchmark.pedantic(MODELS[name].fit, (x, y, None, 0), rounds=1)
    assert belief.report.labels == 2000


@pytest.mark.parametrize("name", MODELS)
def test_posterior_of_65536_designs_after_500_labels(name: str, space: tuple[Tensor, Tensor], benchmark: Any) -> None:
    """The whole space, as exact evaluation asks for."""
    x, y = some(space, 500)
    belief = MODELS[name].fit(x, y, None, 0)
    with torch.no_grad():
        posterior = benchmark.pedantic(belief.posterior, (space[0],), rounds=3)
    assert len(posterior.mean) == len(space[0])


@pytest.mark.parametrize("name", MODELS)
def test_posterior_of_a_batch(name: str, space: tuple[Tensor, Tensor], benchmark: Any) -> None:
    """512 designs, as one step of an update asks for."""
    x, y = some(space, 500)
    belief = MODELS[name].fit(x, y, None, 0)
    with torch.no_grad():
        posterior = benchmark(belief.posterior, space[0][:512])
    assert len(posterior.mean) == 512
