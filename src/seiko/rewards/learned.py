"""Learned features: the last hidden layer of a network that was fitted first.

The classic neural-linear model: train, freeze, regress in closed form on top. The network has seen the labels, so the
regression is judged and rescaled on the labels that the network held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.features import Candidate
from seiko.rewards.network import Network, Parameters
from seiko.rewards.split import held_out_mask
from seiko.rewards.symmetry import Symmetry, orbit
from seiko.rewards.training import Schedule, label_weights, train

__all__ = ["HiddenLayer", "Learned"]


@dataclass(frozen=True, kw_only=True, eq=False)
class HiddenLayer:
    """The last hidden layers of fitted networks, side by side, averaged over the orbit, with a constant.

    Args:
        network: Body.
        parameters: Of all members.
        symmetry: Transformations that leave the reward unchanged.
    """

    network: Network
    parameters: Parameters = field(repr=False)
    symmetry: Symmetry | None

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, members * width + 1]`."""
        body = self.network.body(self.parameters, self.network.prepare(orbit(self.symmetry, x))).mean(2)
        phi = body.transpose(0, 1).flatten(1)
        return torch.cat([phi, torch.ones_like(phi[:, :1])], dim=1)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Propose the last hidden layer of networks fitted to the labels.

    Args:
        network: Body.
        members: Networks of different initial weights whose layers are put side by side.
        held_out: Share of labels held out: they stop the networks and judge the regression.
        schedule: Optimiser settings.

    References:
        Snoek et al., "Scalable Bayesian optimization using deep neural networks", 2015,
        https://arxiv.org/abs/1502.05700
    """

    network: Network
    members: int = 4
    held_out: float = 0.1
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.members < 1:
            raise ValueError(f"members must be positive, got {self.members}")
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out must be a share in [0, 1), got {self.held_out}")

    def candidates(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"], symmetry: Symmetry | None, seed: int
    ) -> Sequence[Candidate]:
        """Fit the networks and return their hidden layers as the one candidate."""
        # All networks hold out the same labels: those judge the regression on all layers together.
        held_out = held_out_mask(len(y), 1, self.held_out, seed).expand(self.members, -1)
        weights = label_weights(noise).expand(self.members, -1)
        prepared = self.network.prepare(orbit(symmetry, x.detach())).to(torch.float32)
        generator = torch.Generator().manual_seed(seed)
        parameters = train(self.network, prepared, y.to(torch.float32), weights, held_out, self.schedule, generator)
        feature = HiddenLayer(network=self.network, parameters=parameters, symmetry=symmetry)
        return [Candidate(feature=feature, unseen=held_out[0] if bool(held_out.any()) else None)]
