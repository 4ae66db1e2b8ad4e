"""Stochastic gradient Langevin dynamics: networks drawn from their posterior, for Thompson sampling.

    theta <- theta - (eps/2) M grad U(theta) + sqrt(eps T M) xi,    xi ~ N(0, I)
    U(theta) = sum_i (f(x_i) - t_i)^2 / (2 sigma_i^2) + sum_j theta_j^2 / (2 s_j^2)

U is the *full* negative log posterior, a sum over all labels (a batch of b is weighted n/b), and the noise has the
variance of the step: only then is exp(-U/T) the law that the chain keeps. At T = 1 that is the posterior. A fixed noise
of scale 1e-8, as in published code, is T = 1e-16/eps: every chain sits at its mode, and Thompson sampling is greedy.
M = diag(s^2) only rescales the coordinates; eps is a share of the largest stable step 4 / lambda_max(M^1/2 U'' M^1/2).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import Calibration, FitReport
from seiko.rewards.calibration import calibration
from seiko.rewards.ensemble import EnsembleBelief
from seiko.rewards.network import Network, Parameters, dense_parameters
from seiko.rewards.rescaling import Rescale, honest
from seiko.rewards.split import held_out_mask
from seiko.rewards.standardise import Standardised, standardise
from seiko.rewards.symmetry import Symmetry, orbit
from seiko.rewards.training import Schedule, label_weights, predict, train

__all__ = ["SGLD", "langevin", "largest_curvature"]

Potential = Callable[[Parameters], Tensor]

_LEAST_NOISE = 0.03  # standard deviation of a label about its mean, standard units
_POWER_STEPS = 12


def langevin(
    potential: Potential,
    start: Parameters,
    prior_std: Mapping[str, float],
    *,
    step_size: float,
    steps: int,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Iterator[dict[str, Tensor]]:
    """Yield the parameters after each step.

    Args:
        potential: U of the parameters; of several chains its sum, each depending on its own parameters alone. It may
            draw a new batch at each call.
        start: Where the chains begin; not changed.
        prior_std: s of each tensor; the preconditioner M is its square.
        step_size: eps.
        steps: Number of steps.
        generator: Draws the noise.
        temperature: T; 1 samples the posterior, 0 is gradient descent.

    References:
        Welling et al., "Bayesian learning via stochastic gradient Langevin dynamics", 2011.
    """
    theta = {name: value.detach().clone() for name, value in start.items()}
    for _ in range(steps):
        leaves = {name: value.detach().requires_grad_() for name, value in theta.items()}
        gradients = torch.autograd.grad(potential(leaves), list(leaves.values()))
        theta = {}
        for (name, value), gradient in zip(leaves.items(), gradients, strict=True):
            scaled = step_size * prior_std[name] ** 2
            xi = torch.randn(value.shape, generator=generator, dtype=value.dtype)
            theta[name] = value.detach() - 0.5 * scaled * gradient + (scaled * temperature) ** 0.5 * xi
        yield theta


def largest_curvature(
    potential: Potential, at: Parameters, prior_std: Mapping[str, float], generator: torch.Generator
) -> float:
    """Return lambda_max of M^1/2 U'' M^1/2 by power iteration, in the stiffest of the chains."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in at.items()}
    values, scales = list(leaves.values()), [prior_std[name] for name in leaves]
    gradients = torch.autograd.grad(potential(leaves), values, create_graph=True)
    direction = [torch.randn(v.shape, generator=generator, dtype=v.dtype) for v in values]
    size = 0.0
    for _ in range(_POWER_STEPS):
        norm = float(sum(d.square().sum() for d in direction)) ** 0.5
        direction = [d / max(norm, 1e-30) for d in direction]
        along = sum(((g * s) * d).sum() for g, s, d in zip(gradients, scales, direction, strict=True))
        assert isinstance(along, Tensor)
        products = torch.autograd.grad(along, values, retain_graph=True)
        direction = [p * s for p, s in zip(products, scales, strict=True)]
        size = float(sum(d.square().sum() for d in direction)) ** 0.5
    return size


@dataclass(frozen=True, kw_only=True)
class SGLD:
    """Sample networks from their posterior by Langevin dynamics; every member of the belief is a posterior draw.

    Chains start at fits of their own (as an ensemble does), so that they need not cross between modes, which no chain
    of this length does. All hold out the same labels, which estimate sigma and judge the spread.

    Args:
        network: Body.
        chains: Independent chains.
        kept: Draws kept of each chain, evenly spaced over its second half.
        steps: Langevin steps.
        step: Share of the largest stable step, in (0, 1); the error of a variance is about as large in the stiffest
            direction and much smaller in all others.
        temperature: T; 1 samples the posterior.
        symmetry: Transformations that leave the reward unchanged.
        held_out: Share of labels held out.
        rescale: Multiply the spread by a factor fitted on the labels held out; `"coverage"` makes mean ± 1.96 std hold
            95 % of them.
        schedule: Optimiser of the chains' starts; its batch size is also that of the chains.

    Raises:
        ValueError: If a number is out of range.

    References:
        Welling et al., 2011; Russo et al., "A tutorial on Thompson sampling", 2018, https://arxiv.org/abs/1707.02038
    """

    network: Network
    chains: int = 8
    kept: int = 2
    steps: int = 400
    step: float = 0.2
    temperature: float = 1.0
    symmetry: Symmetry | None = None
    held_out: float = 0.1
    rescale: Rescale = True
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.chains < 1 or self.kept < 1 or self.chains * self.kept < 2:
            raise ValueError(f"chains times kept must be at least 2 draws, got {self.chains} and {self.kept}")
        if self.steps < 2 * self.kept:
            raise ValueError(f"steps must be at least twice the draws kept, got {self.steps} for {self.kept}")
        if not 0.0 < self.step < 1.0:
            raise ValueError(f"step must be a share of the largest stable step in (0, 1), got {self.step}")
        if self.temperature < 0:
            raise ValueError(f"temperature must be at least 0, got {self.temperature}")
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out must be a share in [0, 1), got {self.held_out}")

    def fit(self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int) -> EnsembleBelief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`."""
        begin = time.perf_counter()
        labels = standardise(x, y, noise)
        t, held_out = labels.y.to(torch.float32), held_out_mask(len(labels.y), 1, self.held_out, seed)[0]
        prepared = self.network.prepare(orbit(self.symmetry, x.detach())).to(torch.float32)
        generator = torch.Generator().manual_seed(seed)
        shared = held_out.expand(self.chains, -1)
        weights = label_weights(labels.noise).expand(self.chains, -1)
        start = train(self.network, prepared, t, weights, shared, self.schedule, generator)
        judged = held_out if bool(held_out.any()) else ~held_out
        with torch.no_grad():
            error = predict(self.network, start, prepared[judged]).mean(-1) - t[judged]
        sigma = max(float(error.square().mean().sqrt()), _LEAST_NOISE)
        precision = 1.0 / (sigma**2 + torch.nan_to_num(labels.noise, nan=0.0).square()).to(torch.float32)
        rows = (~held_out).nonzero()[:, 0]
        prior_std = self._prior_std(prepared, generator)
        batches = torch.Generator().manual_seed(seed + 1)

        def potential(theta: Parameters) -> Tensor:
            chosen = rows
            if len(rows) > self.schedule.batch_size:
                chosen = rows[torch.randperm(len(rows), generator=batches)[: self.schedule.batch_size]]
            off = predict(self.network, theta, prepared[chosen]).mean(-1) - t[chosen]
            misfit = 0.5 * len(rows) / len(chosen) * (precision[chosen] * off.square()).sum()
            return misfit + sum(0.5 * (value / prior_std[name]).square().sum() for name, value in theta.items())

        curvature = largest_curvature(potential, start, prior_std, generator)
        chain = langevin(
            potential,
            start,
            prior_std,
            step_size=self.step * 4.0 / curvature,
            steps=self.steps,
            generator=generator,
            temperature=self.temperature,
        )
        wanted = {self.steps - 1 - k * (self.steps // (2 * self.kept)) for k in range(self.kept)}
        draws = [theta for index, theta in enumerate(chain) if index in wanted]
        parameters = {name: torch.cat([draw[name] for draw in draws]) for name in start}
        with torch.no_grad():
            raw = predict(self.network, parameters, prepared).mean(-1).to(torch.float64)
        factor, residual_std, report = self._judge(raw, held_out, labels, sigma)
        return EnsembleBelief(
            report=FitReport(
                labels=len(labels.y),
                held_out=report,
                residual_std=labels.scale * residual_std,
                std_scale=factor,
                seconds=time.perf_counter() - begin,
            ),
            scale=labels.scale,
            mean=labels.mean,
            network=self.network,
            parameters=parameters,
            symmetry=self.symmetry,
            std_scale=factor,
        )

    def _prior_std(self, prepared: Tensor, generator: torch.Generator) -> dict[str, float]:
        """Return the scale of each tensor's initial weights: the prior over functions is that of untrained networks."""
        drawn = self.network.init(prepared, 8, generator)
        width = self.network.body(drawn, prepared[:1]).shape[-1]
        drawn |= dense_parameters("head", width, 1, 8, generator)
        return {name: float(value.square().mean().sqrt()) for name, value in drawn.items()}

    def _judge(
        self, raw: Float[Tensor, "members n"], held_out: Tensor, labels: Standardised, sigma: float
    ) -> tuple[float, float, Calibration | None]:
        """Return the factor of the spread, the residual std in standard units and the calibration, on labels unseen."""
        if int(held_out.sum()) < 5:
            return 1.0, sigma, None
        values, t = raw[:, held_out], labels.y[held_out]
        mean, epistemic, residual = values.mean(0), values.var(0), t - values.mean(0)
        # sigma held the chains' own error; what their mean leaves is smaller.
        typical = max(float(residual.square().mean() - epistemic.mean()), _LEAST_NOISE**2)
        label = typical + torch.nan_to_num(labels.noise[held_out], nan=0.0).square()
        factor = honest(self.rescale, residual, epistemic, label)
        std = (factor.epistemic**2 * epistemic + factor.label**2 * label).sqrt()
        report = calibration(labels.mean + labels.scale * mean, labels.scale * std, labels.mean + labels.scale * t)
        return factor.epistemic, factor.label * typical**0.5, report
