"""Hyperparameters of a Gaussian process by marginal likelihood, on GPyTorch.

    log p(t | theta) = -1/2 (t - m)^T C^-1 (t - m) - 1/2 log|C| - n/2 log 2 pi
    C = s^2 K(theta) + sigma^2 I + diag(known noise^2)

plus weak log-normal priors, without which one label or a hundred equal ones would have no optimum. L-BFGS from the
kernel's own start and from seeded perturbations of it; the best wins. A label of known noise keeps it, and sigma, what
the noise does not explain, is added to all of them. A trial so far out that C has no Cholesky factor in double
precision counts as hopeless, and the line search turns back. Needs the extra `gp`; nothing else here imports GPyTorch.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import gpytorch
import numpy as np
import torch
from jaxtyping import Float
from linear_operator.utils.errors import NotPSDError
from linear_operator.utils.warnings import NumericalWarning
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from seiko.rewards.covariance import Covariance

__all__ = ["Tuned", "tune"]

LEAST_NOISE = 1e-4  # of the labels' variance
_KNOWN = 1e-6  # least variance that a known noise counts for
_WIDTH = 1.0  # standard deviation of the prior of a log hyperparameter, nats
_PERTURBATION = 1.0
_HOPELESS = 1e10  # nats a label
_UNTIL = {"maxiter": 100, "ftol": 1e-6}  # relative: more digits of the evidence do not move a posterior (docs/log.md)
_MEAN_WIDTH = 2.0  # standard deviation of the prior of the mean, standard units


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuned:
    """Hyperparameters at their best.

    Args:
        covariance: The kernel.
        logs: Its log hyperparameters.
        signal: s^2, in squared standard units.
        noise: sigma^2 in the same units.
        mean: m, standard units; 0 where it is not asked for.
        log_evidence: Log marginal likelihood with the priors, nats a label.
        found: All of them as the optimiser sees them, where it may go on from.
    """

    covariance: Covariance
    logs: dict[str, Tensor] = field(repr=False)
    signal: float
    noise: float
    mean: float
    log_evidence: float
    found: NDArray[np.float64] = field(repr=False)


class _Scaled(gpytorch.kernels.Kernel):  # type: ignore[misc]  # GPyTorch has no types
    """s^2 k among the labelled states, which it is called with by their indices."""

    def __init__(self, covariance: Covariance, inputs: Any) -> None:
        super().__init__()
        self.start = covariance.start(inputs)
        for name, value in (self.start | {"signal": torch.zeros(1, dtype=torch.float64)}).items():
            self.register_parameter(f"log_{name}", torch.nn.Parameter(value.clone()))
            prior = gpytorch.priors.NormalPrior(value.clone(), torch.full_like(value, _WIDTH))
            self.register_prior(f"{name}_prior", prior, f"log_{name}")
        self.gram = covariance.among(inputs)

    def logs(self) -> dict[str, Tensor]:
        return {name: getattr(self, f"log_{name}") for name in self.start}

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        gram = self.gram(self.logs())
        rows, columns = x1[..., 0].long(), x2[..., 0].long()
        values = gram[rows, columns] if diag else gram[rows][:, columns]
        scaled: Tensor = values * self.log_signal.exp()
        return scaled


class _Process(gpytorch.models.ExactGP):  # type: ignore[misc]
    """Labels are standardised: a mean of zero is theirs."""

    def __init__(self, indices: Tensor, t: Tensor, likelihood: Any, kernel: _Scaled, constant: bool) -> None:
        super().__init__(indices, t, likelihood)
        prior = gpytorch.priors.NormalPrior(torch.tensor(0.0), torch.tensor(_MEAN_WIDTH))
        self.mean_module = gpytorch.means.ConstantMean(prior) if constant else gpytorch.means.ZeroMean()
        self.covar_module = kernel

    def forward(self, indices: Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(indices), self.covar_module(indices))


def tune(
    covariance: Covariance,
    inputs: Any,
    t: Float[Tensor, "n"],
    noise: Float[Tensor, "n"],
    restarts: int,
    seed: int,
    start: Tuned | None = None,
    constant: bool = False,
) -> Tuned:
    """Return the hyperparameters of largest marginal likelihood.

    Args:
        covariance: The kernel.
        inputs: Its inputs of the labelled states, float64 where they are not tokens.
        t: Standardised labels.
        noise: Known standard deviations in the same units, NaN where unknown.
        restarts: Starts beside the kernel's own; a kernel without hyperparameters needs none.
        seed: Seeds their perturbations.
        start: Where to go on from, in place of the kernel's own start.
        constant: Whether m is found, too.

    Raises:
        ValueError: If no start has a positive definite C, which labels or states that are not finite can do.
    """
    fixed = torch.nan_to_num(noise, nan=0.0).square().clamp_min(_KNOWN)
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
        noise=fixed,
        learn_additional_noise=True,
        noise_constraint=gpytorch.constraints.GreaterThan(LEAST_NOISE),
        noise_prior=gpytorch.priors.LogNormalPrior(math.log(0.1), _WIDTH),
    ).to(torch.float64)
    likelihood.second_noise_covar.initialize(noise=0.1)
    kernel = _Scaled(covariance, inputs)
    process = _Process(torch.arange(len(t), dtype=torch.float64)[:, None], t, likelihood, kernel, constant)
    process = process.to(torch.float64)
    process.train()
    likelihood.train()
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, process)
    parameters = [p for p in process.parameters() if p.requires_grad]
    first = torch.nn.utils.parameters_to_vector(parameters).detach().numpy().copy() if start is None else start.found

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        torch.nn.utils.vector_to_parameters(torch.as_tensor(values), parameters)
        process.zero_grad()
        # Cholesky, whatever the size: conjugate gradients would make the fit depend on their own random probes.
        with gpytorch.settings.fast_computations(False, False, False), gpytorch.settings.debug(False):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", NumericalWarning)  # of a little jitter, on the way there
                    value = -objective(process(*process.train_inputs), t)
            except NotPSDError:
                return _HOPELESS, np.zeros_like(values)
        value.backward()
        gradient = torch.cat(
            [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
        )
        return float(value.detach()), gradient.numpy()

    generator = torch.Generator().manual_seed(seed)
    best: tuple[float, NDArray[np.float64]] | None = None
    for attempt in range(1 + (restarts if kernel.start else 0)):
        shift = torch.randn(len(first), generator=generator, dtype=torch.float64).numpy() * _PERTURBATION
        found = minimize(loss, first + (attempt > 0) * shift, jac=True, method="L-BFGS-B", options=_UNTIL)
        if best is None or float(found.fun) < best[0]:
            best = float(found.fun), found.x
    if best is None or best[0] >= _HOPELESS:
        raise ValueError(f"the covariance of these {len(t)} labels is not positive definite: are all states finite?")
    torch.nn.utils.vector_to_parameters(torch.as_tensor(best[1]), parameters)
    return Tuned(
        covariance=covariance,
        logs={name: value.detach().clone() for name, value in kernel.logs().items()},
        signal=float(kernel.log_signal.detach().exp()),
        noise=float(likelihood.second_noise_covar.noise.detach()),
        mean=float(process.mean_module.constant.detach()) if constant else 0.0,
        log_evidence=-best[0],
        found=best[1],
    )
