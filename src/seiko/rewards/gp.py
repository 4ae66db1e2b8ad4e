"""Gaussian process: the belief that knows, for every kernel, how much it does not know.

    t_i = f(x_i) + noise_i,    f ~ GP(m, s^2 k),    noise_i ~ N(0, sigma^2 + known_i^2)

Exact up to `exact_up_to` labels, variational at inducing points above. `seiko.rewards.kernels` says what is alike;
hyperparameters come from GPyTorch's marginal likelihood, after which everything is a product with two cached matrices
(`seiko.rewards.gp_belief`). Labels of a skewed law may be fitted as a power of themselves (`seiko.rewards.warping`),
found by the same likelihood.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import FitReport
from seiko.rewards.calibration import calibration
from seiko.rewards.gp_belief import GaussianProcessBelief
from seiko.rewards.gp_posterior import Solution, solve_exact, solve_variational
from seiko.rewards.kernels import Kernel
from seiko.rewards.rescaling import Rescale, Rescaling, honest
from seiko.rewards.split import uniforms
from seiko.rewards.standardise import Standardised, standardise
from seiko.rewards.symmetry import Symmetry
from seiko.rewards.warping import Warp, warped

if TYPE_CHECKING:
    from seiko.rewards.marginal_likelihood import Tuned

__all__ = ["GaussianProcess"]

_ROWS = 8192  # states a block


@dataclass(frozen=True, kw_only=True)
class GaussianProcess:
    """Condition a Gaussian process on the labels. Needs the extra `gp` (GPyTorch).

    Args:
        kernel: What is alike.
        symmetry: Transformations that leave the reward unchanged, and so every function of the prior.
        exact_up_to: Most labels that are conditioned on exactly; the time grows with their cube.
        inducing: Labelled states, drawn by the seed, that carry the posterior of more labels than that.
        tuned_on: At most this many labels, drawn by the seed, choose among the starts; all of them are fitted.
        polished_on: At most this many, those among them, move the best of the starts on.
        restarts: Starts of the hyperparameters beside the kernel's own.
        mean: m, what is believed far from all labels. ``"labels"``: their mean; ``"likelihood"``: found with the
            hyperparameters. Designs that were chosen for their labels say little of all others, and being alike they
            count for few there.
        powers: Transforms of the labels, of which their likelihood chooses: 1 leaves them as they are, less draws in a
            long upper tail. The first is tried from all starts, each other from what was found for it.
        features: Random features of a draw (a kernel may use more, `Linear` uses its own).
        rescale: Multiply std by a factor fitted on leave-one-out predictions; `"coverage"` makes mean ± 1.96 std hold
            95 % of the labels left out.

    Raises:
        ValueError: If a number is out of range.

    References:
        Rasmussen, Williams, "Gaussian processes for machine learning", 2006, Algorithm 2.1 and Section 5.4; Gardner et
        al., "GPyTorch", 2018, https://arxiv.org/abs/1809.11165
    """

    kernel: Kernel
    symmetry: Symmetry | None = None
    exact_up_to: int = 2000
    inducing: int = 512
    tuned_on: int = 512
    polished_on: int = 1024
    restarts: int = 2
    mean: Literal["labels", "likelihood"] = "labels"
    powers: tuple[float, ...] = (1.0,)
    features: int = 1024
    rescale: Rescale = True

    def __post_init__(self) -> None:
        for name, least in (
            ("exact_up_to", 0),
            ("inducing", 1),
            ("tuned_on", 1),
            ("polished_on", 0),
            ("restarts", 0),
            ("features", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not self.powers or not all(0 <= power <= 2 for power in self.powers):
            raise ValueError(f"powers must be numbers from 0 to 2, 1 for labels as they are, got {self.powers}")

    def fit(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int
    ) -> GaussianProcessBelief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`.

        Raises:
            ImportError: If GPyTorch is not installed; the message names the extra.
        """
        start = time.perf_counter()
        x = x.detach()
        best, labels, warp = self._tuned(x, standardise(x, y, noise), seed)
        if warp is None:
            labels = replace(labels, y=labels.y - best.mean, mean=labels.mean + labels.scale * best.mean)
        else:
            labels, warp = replace(labels, y=labels.y - best.mean), warp.moved(best.mean)
        label_noise = best.noise + torch.nan_to_num(labels.noise, nan=0.0).square()
        exact = len(x) <= max(self.exact_up_to, self.inducing)  # where all labels carry it, nothing is approximate
        z = x if exact else x[self._subset(x, self.inducing, seed)]
        at_z = _double(best.covariance.inputs(z))
        solution = _solve(best, at_z, None if exact else x, labels, label_noise)
        report = self._report(solution, labels, warp, label_noise, best.noise, start)
        columns = torch.cat([best.signal * solution.weights[:, None], best.signal * solution.root], dim=1)
        return GaussianProcessBelief(
            report=report,
            scale=labels.scale,
            mean=labels.mean,
            covariance=best.covariance,
            logs=best.logs,
            signal=best.signal,
            noise=best.noise,
            inducing=z,
            solution=solution,
            product=best.covariance.towards(best.logs, at_z, columns),
            features=self.features,
            warp=warp,
        )

    def _tuned(self, x: Tensor, told: Standardised, seed: int) -> tuple[Tuned, Standardised, Warp | None]:
        """Return the hyperparameters of largest likelihood, with the labels that they are of."""
        try:
            from seiko.rewards.marginal_likelihood import tune
        except ModuleNotFoundError as error:
            raise ImportError("GaussianProcess needs GPyTorch: pip install 'seiko[gp]'") from error

        constant, some = self.mean == "likelihood", self._subset(x, self.tuned_on, seed)
        best: tuple[float, Tuned, Standardised, Warp | None] | None = None
        for covariance in self.kernel.bind(self.symmetry):
            inputs, first = _double(covariance.inputs(x[some])), None
            for labels, warp in (warped(told, power) for power in self.powers):
                t, noise, restarts = labels.y[some], labels.noise[some], self.restarts if first is None else 0
                found = tune(covariance, inputs, t, noise, restarts, seed, first, constant)
                first = found if first is None else first
                evidence = found.log_evidence + (0.0 if warp is None else float(warp.log_slope(told.y[some]).mean()))
                if best is None or evidence > best[0]:
                    best = evidence, found, labels, warp
        assert best is not None
        _, found, labels, warp = best
        if self.tuned_on < min(self.polished_on, len(x)):
            # of few labels hardly two are neighbours, and neighbours are what the noise is known by
            more = self._subset(x, self.polished_on, seed)
            inputs = _double(found.covariance.inputs(x[more]))
            found = tune(found.covariance, inputs, labels.y[more], labels.noise[more], 0, seed, found, constant)
        return found, labels, warp

    def _subset(self, x: Tensor, size: int, seed: int) -> Tensor:
        return uniforms(seed, 3, 1, len(x))[0].argsort()[:size].sort().values.to(x.device)

    def _report(
        self,
        solution: Solution,
        labels: Standardised,
        warp: Warp | None,
        label_noise: Tensor,
        noise: float,
        start: float,
    ) -> FitReport:
        mean, epistemic = solution.leave_one_out()
        factor, held_out = Rescaling(epistemic=1.0, label=1.0), None
        y = labels.y if warp is None else warp.inverse(labels.y)
        width = 1.0 if warp is None else warp.width(y)
        if len(labels.y) >= 5:
            factor = honest(self.rescale, labels.y - mean, epistemic, label_noise)
            std = (factor.epistemic**2 * epistemic + factor.label**2 * label_noise).sqrt()
            if warp is not None:
                mean, std = warp.moments(mean, std)
            held_out = calibration(
                labels.mean + labels.scale * mean, labels.scale * std, labels.mean + labels.scale * y
            )
        return FitReport(
            labels=len(labels.y),
            held_out=held_out,
            residual_std=labels.scale * factor.label * noise**0.5 * width,
            std_scale=factor.epistemic,
            seconds=time.perf_counter() - start,
        )


def _double(inputs: Any) -> Any:
    """Return inputs in double precision, tokens as they are."""
    if isinstance(inputs, Sequence):
        return tuple(_double(part) for part in inputs)
    return inputs.to(torch.float64) if inputs.is_floating_point() else inputs


@torch.no_grad()
def _solve(tuned: Tuned, at_z: Any, x: Tensor | None, labels: Standardised, label_noise: Tensor) -> Solution:
    """Condition on all labels: those of z, unless z only carries those of x."""
    gram = tuned.signal * tuned.covariance(tuned.logs, at_z, at_z).to(torch.float64)
    if x is None:
        return solve_exact(gram, labels.y, label_noise)
    parts = [_double(tuned.covariance.inputs(part)) for part in torch.split(x, _ROWS)]
    cross = torch.cat([tuned.covariance(tuned.logs, part, at_z).to(torch.float64) for part in parts])
    diagonal = torch.cat([tuned.covariance.diagonal(tuned.logs, part).to(torch.float64) for part in parts])
    return solve_variational(gram, tuned.signal * cross, tuned.signal * diagonal, labels.y, label_noise)
