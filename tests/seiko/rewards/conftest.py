"""A small landscape with a known answer, and models that are fitted to it in a moment."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from seiko.rewards import (
    CNN,
    MLP,
    SGLD,
    Ensemble,
    GaussianProcess,
    Hamming,
    LastLayer,
    Learned,
    OneHot,
    ReverseComplement,
    RewardModel,
    Schedule,
    Spectrum,
    Windows,
)
from seiko.rewards.spaced_pairs import SpacedPairs

LENGTH = 6
QUICK = Schedule(steps=60, batch_size=64)


@dataclass(frozen=True)
class Landscape:
    """All 4,096 DNA 6-mers and a value that both strands agree on: how much of GATA is there, at best?"""

    x: Tensor
    y: Tensor

    def some(self, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        chosen = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(seed))[:n]
        return self.x[chosen], self.y[chosen]


@pytest.fixture(scope="session")
def landscape() -> Landscape:
    x = torch.cartesian_prod(*[torch.arange(4)] * LENGTH)
    motif = torch.tensor([2, 0, 3, 0])
    hits = torch.stack([(s.unfold(1, 4, 1) == motif).sum(-1).amax(1) for s in (x, (3 - x).flip(1))]).amax(0)
    return Landscape(x, hits.to(torch.float64) / 4 + 0.02 * (x[:, 0] + (3 - x)[:, -1]))


def model(name: str) -> RewardModel:
    both = ReverseComplement()
    one_hot = OneHot(vocabulary=4)
    models: dict[str, RewardModel] = {
        "mlp": Ensemble(network=MLP(feature=one_hot, hidden=(16,)), members=4, symmetry=both, schedule=QUICK),
        "cnn": Ensemble(network=CNN(vocabulary=4, width=4, filters=4), members=4, symmetry=both, schedule=QUICK),
        "one_hot": LastLayer(features=one_hot, symmetry=both),
        "windows": LastLayer(features=Windows(vocabulary=4, widths=(2, 4), sharpness=(1.0,)), symmetry=both),
        "pairs": LastLayer(features=SpacedPairs(vocabulary=4, spans=(3,)), symmetry=both),
        "hamming": GaussianProcess(kernel=Hamming(vocabulary=4), symmetry=both, restarts=0),
        "spectrum": GaussianProcess(
            kernel=Spectrum(vocabulary=4, widths=(2, 4), sharpness=(1.0,)), symmetry=both, exact_up_to=200
        ),
        "sgld": SGLD(network=CNN(vocabulary=4, width=4), chains=4, steps=40, symmetry=both, schedule=QUICK),
        "learned": LastLayer(
            features=Learned(network=CNN(vocabulary=4, width=4), members=2, schedule=QUICK), symmetry=both
        ),
    }
    return models[name]


NAMES = ("mlp", "cnn", "one_hot", "windows", "pairs", "hamming", "spectrum", "sgld", "learned")


@pytest.fixture(params=NAMES)
def reward_model(request: pytest.FixtureRequest) -> RewardModel:
    return model(request.param)
