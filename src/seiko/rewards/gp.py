"""Gaussian process: the belief that knows, for every kernel, how much it does not know.

    t_i = f(x_i) + noise_i,    f ~ GP(m, s^2 k),    noise_i ~ N(0, sigma^2 + known_i^2)

Exact up to `exact_up_to` labels, variational at inducing points above. `seiko.rewards.kernels` says what is alike;
hyperparameters come from GPyTorch's marginal likelihood, after which everything is a product with two cached matrices.
A draw is Matheron's: a draw of the prior in random features, moved onto the labels by the kernel itself, so that near
the labels it is exact and far from them it keeps the prior's full spread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import FitReport, Posterior
from seiko.rewards.calibration import calibration
from seiko.rewards.covariance import Covariance, Function, Hyperparameters
from seiko.rewards.gp_posterior import Solution, solve_exact, solve_variational
from seiko.rewards.kernels import Kernel
from seiko.rewards.rescaling import Rescale, Rescaling, honest
from seiko.rewards.split import uniforms
from seiko.rewards.standardise import Standardised, standardise
from seiko.rewards.symmetry import Symmetry

if TYPE_CHECKING:
    from seiko.rewards.marginal_likelihood import Tuned

__all__ = ["GaussianProcess", "GaussianProcessBelief", "GaussianProcessDraw"]

_ROWS = 8192  # states a block


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcessDraw:
    """One function drawn from a Gaussian process's posterior.

    Args:
        report: What the fit saw.
        scale: Standard deviation of the fitted labels, oracle's units.
        function: States to values in the oracle's units.
    """

    report: FitReport
    scale: float
    function: Callable[[Tensor], Tensor] = field(repr=False)

    def posterior(self, x: Tensor) -> Posterior:
        """Return the drawn function's values, with std 0."""
        mean = torch.cat([self.function(part) for part in torch.split(x, _ROWS)])
        return Posterior(mean=mean, std=torch.zeros_like(mean))

    def draw(self, generator: torch.Generator) -> GaussianProcessDraw:
        """Return itself."""
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcessBelief:
    """A fitted `GaussianProcess`.

    Args:
        report: What the fit saw.
        scale: Standard deviation of the fitted labels, oracle's units.
        mean: What is believed where nothing is known, oracle's units.
        covariance: The kernel, with its symmetry.
        logs: Its log hyperparameters.
        signal: s^2, standard units.
        noise: sigma^2, standard units.
        inducing: `[m, *event]` labelled states that carry the posterior; all of them where it is exact.
        solution: What the labels say of them.
        product: inputs of x -> k(x, inducing) [weights | root].
        features: Random features of a draw.
    """

    report: FitReport
    scale: float
    mean: float
    covariance: Covariance
    logs: Hyperparameters = field(repr=False)
    signal: float
    noise: float
    inducing: Tensor = field(repr=False)
    solution: Solution = field(repr=False)
    product: Function = field(repr=False)
    features: int

    def posterior(self, x: Tensor) -> Posterior:
        """Return mean and epistemic std, oracle's units; the gradient reaches a relaxed x where the kernel lets it."""
        parts = [self._standard(part) for part in torch.split(x, _ROWS)]
        mean, std = torch.cat([m for m, _ in parts]), torch.cat([s for _, s in parts])
        return Posterior(mean=self.mean + self.scale * mean, std=self.scale * self.report.std_scale * std)

    def _standard(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.covariance.inputs(x)
        found = self.product(inputs)
        explained = found[:, 1:].square().sum(1)
        variance = self.signal * self.covariance.diagonal(self.logs, inputs) - explained
        return found[:, 0], variance.clamp_min(1e-12).sqrt()

    def errors(self, x: Tensor) -> GaussianProcessErrors:
        """Return the epistemic covariance at states x, oracle's units squared."""
        parts = [self.covariance.inputs(part) for part in torch.split(x, _ROWS)]
        explained = torch.cat([self.product(part)[:, 1:] for part in parts])
        prior = torch.cat([self.covariance.diagonal(self.logs, part) for part in parts])
        return GaussianProcessErrors(belief=self, parts=parts, explained=explained, prior=self.signal * prior)

    def draw(self, generator: torch.Generator) -> GaussianProcessDraw:
        """Return a posterior draw by Matheron's rule, as a belief with std 0 (Thompson sampling).

        Like std, a draw's distance from the mean is multiplied by the report's `std_scale`.
        """
        at_z = self.covariance.inputs(self.inducing)
        phi = self.covariance.random_features(self.logs, at_z, self.features, generator)
        at_inducing = phi(at_z).to(torch.float64)
        xi = torch.randn(at_inducing.shape[1], generator=generator, dtype=torch.float64).to(at_inducing.device)
        w = self.signal**0.5 * xi
        correction = self.solution.correction(at_inducing @ w, generator)
        # Away from the mean, both in one product: (k v - mean) + Phi w, and the mean itself.
        both = torch.stack([self.solution.weights, correction - self.solution.weights], dim=1)
        moved = self.covariance.towards(self.logs, at_z, self.signal * both)

        def function(x: Tensor) -> Tensor:
            inputs = self.covariance.inputs(x)
            values = moved(inputs)
            away = values[:, 1] + phi(inputs) @ w.to(values)
            drawn: Tensor = self.mean + self.scale * (values[:, 0] + self.report.std_scale * away)
            return drawn

        return GaussianProcessDraw(report=self.report, scale=self.scale, function=function)


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcessErrors:
    """Epistemic covariance of a `GaussianProcessBelief` at some states.

    Args:
        belief: The posterior.
        parts: Inputs of the kernel, in blocks.
        explained: `[n, r]`, rows whose inner products are the covariance that the labels have explained.
        prior: `[n]` variance before any label.
    """

    belief: GaussianProcessBelief
    parts: Sequence[Any] = field(repr=False)
    explained: Float[Tensor, "n r"] = field(repr=False)
    prior: Float[Tensor, "n"] = field(repr=False)

    @property
    def variance(self) -> Float[Tensor, "n"]:
        """Of each state, oracle's units squared."""
        found: Tensor = self._unit * (self.prior - self.explained.square().sum(1)).clamp_min(1e-12)
        return found

    def column(self, row: int) -> Float[Tensor, "n"]:
        """Return the covariance of all states with one of them."""
        one = _row(self.parts[row // _ROWS], row % _ROWS)
        compare, logs = self.belief.covariance, self.belief.logs
        prior = self.belief.signal * torch.cat([compare(logs, part, one)[:, 0] for part in self.parts])
        return self._unit * (prior - self.explained @ self.explained[row])

    @property
    def _unit(self) -> float:
        return (self.belief.scale * self.belief.report.std_scale) ** 2


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

    def fit(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int
    ) -> GaussianProcessBelief:
        """Fit all labels; see `seiko.rewards.base.RewardModel.fit`.

        Raises:
            ImportError: If GPyTorch is not installed; the message names the extra.
        """
        try:
            from seiko.rewards.marginal_likelihood import tune
        except ModuleNotFoundError as error:
            raise ImportError("GaussianProcess needs GPyTorch: pip install 'seiko[gp]'") from error
        start = time.perf_counter()
        labels, x = standardise(x, y, noise), x.detach()
        best: Tuned | None = None

        def tuned(covariance: Covariance, on: int, restarts: int, start: Tuned | None) -> Tuned:
            some = self._subset(x, on, seed)
            inputs = _double(covariance.inputs(x[some]))
            t, noise = labels.y[some], labels.noise[some]
            return tune(covariance, inputs, t, noise, restarts, seed, start, self.mean == "likelihood")

        for covariance in self.kernel.bind(self.symmetry):
            found = tuned(covariance, self.tuned_on, self.restarts, None)
            if best is None or found.log_evidence > best.log_evidence:
                best = found
        assert best is not None
        if self.tuned_on < min(self.polished_on, len(x)):
            # of few labels hardly two are neighbours, and neighbours are what the noise is known by
            best = tuned(best.covariance, self.polished_on, 0, best)
        labels = replace(labels, y=labels.y - best.mean, mean=labels.mean + labels.scale * best.mean)
        label_noise = best.noise + torch.nan_to_num(labels.noise, nan=0.0).square()
        exact = len(x) <= max(self.exact_up_to, self.inducing)  # where all labels carry it, nothing is approximate
        z = x if exact else x[self._subset(x, self.inducing, seed)]
        at_z = _double(best.covariance.inputs(z))
        solution = _solve(best, at_z, None if exact else x, labels, label_noise)
        report = self._report(solution, labels, label_noise, best.noise, start)
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
        )

    def _subset(self, x: Tensor, size: int, seed: int) -> Tensor:
        return uniforms(seed, 3, 1, len(x))[0].argsort()[:size].sort().values.to(x.device)

    def _report(
        self, solution: Solution, labels: Standardised, label_noise: Tensor, noise: float, start: float
    ) -> FitReport:
        mean, epistemic = solution.leave_one_out()
        factor, held_out = Rescaling(epistemic=1.0, label=1.0), None
        if len(labels.y) >= 5:
            factor = honest(self.rescale, labels.y - mean, epistemic, label_noise)
            std = (factor.epistemic**2 * epistemic + factor.label**2 * label_noise).sqrt()
            held_out = calibration(
                labels.mean + labels.scale * mean, labels.scale * std, labels.mean + labels.scale * labels.y
            )
        return FitReport(
            labels=len(labels.y),
            held_out=held_out,
            residual_std=labels.scale * factor.label * noise**0.5,
            std_scale=factor.epistemic,
            seconds=time.perf_counter() - start,
        )


def _row(inputs: Any, row: int) -> Any:
    """Return the inputs of one state."""
    if isinstance(inputs, Sequence):
        return tuple(_row(part, row) for part in inputs)
    return inputs[row : row + 1]


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
