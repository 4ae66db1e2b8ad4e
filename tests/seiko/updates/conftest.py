"""The smallest models of both kinds, and problems on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.models import EnumerableToy, GaussianToy, ModelPolicy
from seiko.updates import Anchor, Problem


@dataclass(frozen=True)
class Setting:
    """A toy, its three policies and an objective of its final states."""

    toy: Any
    objective: Callable[[Tensor], Tensor]

    @property
    def policy(self) -> ModelPolicy[Any]:
        return ModelPolicy(self.toy)

    @property
    def pretrained(self) -> ModelPolicy[Any]:
        return ModelPolicy(self.toy, "pretrained")

    @property
    def previous(self) -> ModelPolicy[Any]:
        return ModelPolicy(self.toy, "previous")

    def problem(self, alpha: float = 0.5, beta: float = 0.1) -> Problem[Any]:
        return Problem(self.objective, (Anchor(self.pretrained, alpha), Anchor(self.previous, beta)))

    def weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.policy.parameters()]


@pytest.fixture
def gaussian() -> Setting:
    toy = GaussianToy.exact(std=0.5, num_steps=3)
    return Setting(toy, lambda x: 2 * x[:, 0])


@pytest.fixture
def masked() -> Setting:
    law = torch.rand(3, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.1
    toy = EnumerableToy.from_law(law)
    rewards = torch.randn(27, generator=torch.Generator().manual_seed(1))
    return Setting(toy, lambda x: toy.lookup(rewards, x))


@pytest.fixture(params=["gaussian", "masked"])
def setting(request: pytest.FixtureRequest) -> Setting:
    found: Setting = request.getfixturevalue(request.param)
    return found
