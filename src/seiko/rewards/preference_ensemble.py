"""A bootstrap ensemble of networks that learns from comparisons, beside scores or without any.

Member j minimises, over its own Poisson(1) bootstrap counts of answers and scores,

    sum_e c_je (-log P_e(f_j)) + sum_i c_ji w_i (f_j(x_i) - t_i)^2 / (2 v)

with P_e as in `seiko.rewards.choices` and v a tenth of the scores' variance. With scores the raters' scale tau is half
a standard deviation of the scores; without any it is 1 and gives the unit. An answer does not say where zero is, so
without scores each member is moved to mean 0 over the states that it was fitted to: members that differ by a constant
agree. The spread is multiplied by the factor under which the answers that members did not see are most likely,

    P(a > b) = sigmoid(m / sqrt(1 + pi s^2 / 8)),      m, s^2 mean and variance of (f_a - f_b) / tau over the members

and is never narrowed. Learns slower than `PreferenceProcess` from few answers, but does not care how many there are.

References:
    Christiano et al., "Deep reinforcement learning from human preferences", NeurIPS 2017, Section 2.2.3 (an ensemble
    under Bradley-Terry); MacKay, "The evidence framework applied to classification networks", 1992 (the integral).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import FitReport
from seiko.rewards.choices import Choices
from seiko.rewards.ensemble import EnsembleBelief
from seiko.rewards.network import Network, Parameters, dense_parameters
from seiko.rewards.preferences import scored
from seiko.rewards.split import bootstrap_counts
from seiko.rewards.symmetry import Symmetry, orbit
from seiko.rewards.training import Schedule, label_weights, predict

__all__ = ["PreferenceEnsemble"]

_MISFIT = 0.1  # of the scores' variance
_TAU = 0.5  # of the scores' standard deviation
_SPREADS: tuple[float, ...] = tuple(2.0 ** (k / 4.0) for k in range(13))


@dataclass(frozen=True, kw_only=True)
class PreferenceEnsemble:
    """Fit a bootstrap ensemble of small networks to comparisons and scores together.

    Args:
        network: Body of the members.
        members: Number of members.
        symmetry: Transformations that leave the reward unchanged.
        schedule: Optimiser settings; all answers and scores are in every step.

    Raises:
        ValueError: If `members` is below 2.
    """

    network: Network
    members: int = 12
    symmetry: Symmetry | None = None
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError(f"members must be at least 2, one has no spread, got {self.members}")

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> EnsembleBelief:
        """Fit scores alone; see `seiko.rewards.base.RewardModel.fit`."""
        return self.fit_with(x, y, noise, Choices.of([]), seed)

    def fit_with(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, choices: Choices, seed: int
    ) -> EnsembleBelief:
        """Fit scores and answers; see `seiko.rewards.base.PreferenceRewardModel.fit_with`."""
        begun = time.perf_counter()
        rows, labels = scored(x, y, noise, choices)
        tau = 1.0 if labels is None else _TAU
        prepared = self.network.prepare(orbit(self.symmetry, x.detach())).to(torch.float32)
        answers = bootstrap_counts(len(choices), self.members, seed).float()
        scores = bootstrap_counts(len(rows), self.members, seed + 1).float()
        if labels is not None:
            scores = scores * label_weights(labels.noise).float() / (2.0 * _MISFIT)
            t = labels.y.float()
        generator = torch.Generator().manual_seed(seed)
        parameters = self.network.init(prepared, self.members, generator)
        width = self.network.body(parameters, prepared[:1]).shape[-1]
        parameters |= dense_parameters("head", width, 1, self.members, generator, gain=0.5)
        for value in parameters.values():
            value.requires_grad_()
        rate, decay = self.schedule.learning_rate, self.schedule.weight_decay
        optimiser = torch.optim.AdamW(parameters.values(), lr=rate, weight_decay=decay)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.schedule.steps)
        for _ in range(self.schedule.steps):
            f = predict(self.network, parameters, prepared).mean(-1)
            loss = -(answers * choices.log_likelihood(f, tau)).sum()
            if labels is not None:
                loss = loss + (scores * (f[:, rows] - t).square()).sum()
            optimiser.zero_grad()
            (loss / (len(choices) + len(rows))).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            cosine.step()
        parameters = {name: value.detach() for name, value in parameters.items()}
        with torch.no_grad():
            raw = predict(self.network, parameters, prepared).mean(-1)
            unit = 1.0
            if labels is None:
                raw, unit = self._centre(parameters, raw)
            factor = _spread(raw.double() * unit / tau, choices, answers == 0)
            residual = 0.0 if labels is None else float((raw.mean(0)[rows] - t).square().mean().sqrt())
        return EnsembleBelief(
            report=FitReport(
                labels=len(x),
                held_out=None,
                residual_std=0.0 if labels is None else labels.scale * max(residual, 1e-3),
                std_scale=factor,
                seconds=time.perf_counter() - begun,
            ),
            scale=unit if labels is None else labels.scale,
            mean=0.0 if labels is None else labels.mean,
            network=self.network,
            parameters=parameters,
            symmetry=self.symmetry,
            std_scale=factor,
        )

    @staticmethod
    def _centre(parameters: Parameters, raw: Float[Tensor, "members n"]) -> tuple[Tensor, float]:
        """Move every member to mean 0, and all of them to unit spread; return the outputs then, and the unit."""
        parameters["head.bias"].sub_(raw.mean(1)[:, None, None])
        raw = raw - raw.mean(1, keepdim=True)
        unit = max(float(raw.mean(0).std(correction=0)), 1e-3)
        parameters["head"].div_(unit)
        parameters["head.bias"].div_(unit)
        return raw / unit, unit


def _spread(f: Float[Tensor, "members n"], choices: Choices, unseen: Tensor) -> float:
    """Return the factor of the spread under which answers are most likely to members that did not see them."""
    pairs = choices.share[:, 0] == 1.0
    judged = (unseen.sum(0) >= 2) & pairs
    if int(judged.sum()) < 5:
        return 1.0
    shown, mask = choices.shown[judged], unseen[:, judged].to(f)
    difference = f[:, shown[:, :1]] - f[:, shown.clamp_min(0)]  # winner less each that was shown
    count = mask.sum(0)[:, None]
    mean = (difference * mask[:, :, None]).sum(0) / count
    variance = ((difference - mean).square() * mask[:, :, None]).sum(0) / (count - 1)
    others = (shown >= 0) & (torch.arange(shown.shape[1]) > 0)

    def likelihood(factor: float) -> float:
        logit = mean / (1.0 + math.pi * factor**2 * variance / 8.0).sqrt()
        logs: Tensor = torch.nn.functional.logsigmoid(logit)[others]
        return float(logs.sum()) - 0.5 * math.log(factor) ** 2

    return max(_SPREADS, key=likelihood)
