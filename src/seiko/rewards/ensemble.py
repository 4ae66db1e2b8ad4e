"""A bootstrap ensemble: the spread of networks fitted to resampled labels is the uncertainty.

    mean(x) = mean_j f_j(x),   std(x) = a * std_j f_j(x)

Members share one batched fit. Each sees its own Poisson(1) bootstrap counts and holds out its own labels for early
stopping, all from a hash of (seed, member, index of the label). The raw spread is too small (it covers .14 to .46 of
labels where .95 is asked for), so a is fitted to out-of-bag residuals: each label is predicted by the members that
neither trained nor stopped on it. The members are spread about their mean by the same a.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import Calibration, FitReport, Posterior
from seiko.rewards.calibration import calibration
from seiko.rewards.network import Network, Parameters
from seiko.rewards.rescaling import Rescale, honest
from seiko.rewards.split import bootstrap_counts, held_out_mask
from seiko.rewards.standardise import Standardised, standardise
from seiko.rewards.symmetry import Symmetry, orbit
from seiko.rewards.training import Schedule, label_weights, predict, train

__all__ = ["Ensemble", "EnsembleBelief"]

_ROWS = 512  # states a block: its activations stay in the cache, which halves the time


@dataclass(frozen=True, kw_only=True, eq=False)
class EnsembleBelief:
    """A fitted `Ensemble`.

    Args:
        report: What the fit saw.
        scale: Standard deviation of the fitted labels, oracle's units.
        mean: Mean of the fitted labels, oracle's units.
        network: Body of the members.
        parameters: Of all members, each `[members, ...]`.
        symmetry: Transformations that leave the reward unchanged.
        std_scale: a.
        member: Index of the member that is this belief (a draw); None for all of them.
    """

    report: FitReport
    scale: float
    mean: float
    network: Network
    parameters: Parameters = field(repr=False)
    symmetry: Symmetry | None
    std_scale: float
    member: int | None = None

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean, rescaled spread and the members, oracle's units; the gradient reaches a relaxed x."""
        raw = torch.cat([self._members(part) for part in torch.split(x, _ROWS)], dim=1)
        rows = self.mean + self.scale * raw
        mean = rows.mean(0)
        rows = mean + self.std_scale * (rows - mean)
        if self.member is not None:
            return Posterior(mean=rows[self.member], std=torch.zeros_like(mean))
        # The unbiased variance, with a guard: the root of 0 has no gradient.
        variance = rows.var(0, correction=1) if len(rows) > 1 else torch.zeros_like(mean)
        return Posterior(mean=mean, std=variance.clamp_min(1e-24 * self.scale**2).sqrt(), members=rows)

    def _members(self, x: Tensor) -> Float[Tensor, "members n"]:
        return predict(self.network, self.parameters, self.network.prepare(orbit(self.symmetry, x))).mean(-1)

    def draw(self, generator: torch.Generator) -> EnsembleBelief:
        """Return one member as a belief with std 0 (Thompson sampling)."""
        if self.member is not None:
            return self
        members = len(next(iter(self.parameters.values())))
        chosen = int(torch.randint(members, (), generator=generator))
        return EnsembleBelief(
            report=self.report,
            scale=self.scale,
            mean=self.mean,
            network=self.network,
            parameters=self.parameters,
            symmetry=self.symmetry,
            std_scale=self.std_scale,
            member=chosen,
        )


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Fit a bootstrap ensemble of small networks.

    Args:
        network: Body of the members.
        members: Number of members.
        symmetry: Transformations that leave the reward unchanged: labels are augmented, predictions averaged (or
            pooled, if the network pools) over the orbit.
        held_out: Share of labels that each member holds out for early stopping; below ten labels none.
        rescale: Fit the factor of the spread on out-of-bag residuals; `"coverage"` makes mean ± 1.96 std hold 95 % of
            them, False leaves it at 1.
        schedule: Optimiser settings.

    Raises:
        ValueError: If `members` is below 2 or `held_out` not in [0, 1).

    References:
        Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
        ensembles", 2017, https://arxiv.org/abs/1612.01474; Breiman, "Out-of-bag estimation", 1996.
    """

    network: Network
    members: int = 12
    symmetry: Symmetry | None = None
    held_out: float = 0.1
    rescale: Rescale = True
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError(f"members must be at least 2, one has no spread, got {self.members}")
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out must be a share in [0, 1), got {self.held_out}")

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> EnsembleBelief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`."""
        start = time.perf_counter()
        labels = standardise(x, y, noise)
        n = len(labels.y)
        counts = bootstrap_counts(n, self.members, seed)
        held_out = held_out_mask(n, self.members, self.held_out, seed)
        prepared = self.network.prepare(orbit(self.symmetry, x.detach())).to(torch.float32)
        parameters = train(
            self.network,
            prepared,
            labels.y.to(torch.float32),
            counts * label_weights(labels.noise),
            held_out,
            self.schedule,
            torch.Generator().manual_seed(seed),
        )
        with torch.no_grad():
            raw = predict(self.network, parameters, prepared).mean(-1).to(torch.float64)
        factor, residual_std, report = self._judge(raw, (counts == 0) & ~held_out, labels)
        return EnsembleBelief(
            report=FitReport(
                labels=n,
                held_out=report,
                residual_std=labels.scale * residual_std,
                std_scale=factor,
                seconds=time.perf_counter() - start,
            ),
            scale=labels.scale,
            mean=labels.mean,
            network=self.network,
            parameters=parameters,
            symmetry=self.symmetry,
            std_scale=factor,
        )

    def _judge(
        self, raw: Float[Tensor, "members n"], unseen: Tensor, labels: Standardised
    ) -> tuple[float, float, Calibration | None]:
        """Return a, the residual std in standard units and the calibration, on labels that members never saw."""
        members = unseen.sum(0)
        judged = members >= 2  # a spread needs two members
        if int(judged.sum()) < 5:
            residual = (raw.mean(0) - labels.y).square().mean().sqrt()
            return 1.0, float(residual.clamp_min(1e-3)), None
        values, mask, count = raw[:, judged], unseen[:, judged].to(raw.dtype), members[judged]
        mean = (values * mask).sum(0) / count
        epistemic = ((values - mean).square() * mask).sum(0) / (count - 1)
        residual = labels.y[judged] - mean
        own = labels.noise[judged].square()
        # One scale for labels of unknown noise; a known noise is at least partly explained by itself.
        typical = residual.square().median().clamp_min(1e-6)
        label = typical + torch.where(torch.isnan(own), 0.0, own)
        factor = honest(self.rescale, residual, epistemic, label)
        residual_std = factor.label * float(typical.sqrt())
        std = (factor.epistemic**2 * epistemic + factor.label**2 * label).sqrt()
        report = calibration(
            labels.mean + labels.scale * mean, labels.scale * std, labels.mean + labels.scale * labels.y[judged]
        )
        return factor.epistemic, residual_std, report
