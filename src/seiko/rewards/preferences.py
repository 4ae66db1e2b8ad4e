"""A Gaussian process that learns from comparisons, beside scores or without any.

    f ~ GP(0, s^2 k),    scores t_i ~ N(f_i, sigma^2 + known_i^2),    answers as in `seiko.rewards.choices`

by Laplace's method, one posterior from both kinds of label. s^2, the kernel's hyperparameters, sigma and tau climb the
Laplace evidence, with weak log-normal priors around their starts, one after the other in steps of a factor. Without
scores the reward has no unit and no origin but the raters' own: s = 1 inside, and what comes out is in units of tau, so
that a difference of 1 is odds of e to 1. The result is a `GaussianProcessBelief`, which every acquisition takes.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import FitReport
from seiko.rewards.choices import Choices
from seiko.rewards.covariance import Covariance
from seiko.rewards.gp_belief import GaussianProcessBelief
from seiko.rewards.kernels import Kernel
from seiko.rewards.laplace import Mode, Scores, find_mode, solve_laplace
from seiko.rewards.split import uniforms
from seiko.rewards.standardise import Standardised, standardise
from seiko.rewards.symmetry import Symmetry

__all__ = ["PreferenceProcess", "scored"]

_STEP = math.log(2.0)  # a step of a hyperparameter, nats
_WIDTH = 1.0  # standard deviation of the prior of a log hyperparameter, nats
_PASSES = 4
_NO_CHOICES = Choices.of([])


@dataclass(frozen=True, eq=False)
class _Task:
    """What the hyperparameters are chosen on."""

    covariance: Covariance
    inputs: Tensor
    start: dict[str, Tensor]
    rows: Tensor
    t: Tensor
    known: Tensor
    choices: Choices

    def gram(self, logs: dict[str, float]) -> Tensor:
        return math.exp(logs["signal"]) * self.covariance(self.kernel_logs(logs), self.inputs, self.inputs).to(
            torch.float64
        )

    def kernel_logs(self, logs: dict[str, float]) -> dict[str, Tensor]:
        return {name: value + logs[name] for name, value in self.start.items()}

    def mode(self, logs: dict[str, float]) -> Mode:
        variance = math.exp(logs["noise"]) + self.known.square()
        return find_mode(self.gram(logs), Scores(self.rows, self.t, variance), self.choices, math.exp(logs["tau"]))

    def value(self, logs: dict[str, float], centre: dict[str, float]) -> float:
        prior = sum(((logs[name] - centre[name]) / _WIDTH) ** 2 for name in logs)
        return self.mode(logs).log_evidence - 0.5 * prior


@dataclass(frozen=True, kw_only=True)
class PreferenceProcess:
    """Condition a Gaussian process on comparisons and scores together, by Laplace's method.

    Args:
        kernel: What is alike.
        symmetry: Transformations that leave the reward unchanged.
        tuned_on: At most this many answers, and as many scores, drawn by the seed, choose the hyperparameters; all of
            them are fitted.
        features: Random features of a draw.

    Raises:
        ValueError: If a number is out of range.

    References:
        Chu, Ghahramani, "Preference learning with Gaussian processes", ICML 2005; Eric, Brochu, de Freitas, "Active
        preference learning with discrete choice data", NeurIPS 2007.
    """

    kernel: Kernel
    symmetry: Symmetry | None = None
    tuned_on: int = 200
    features: int = 1024

    def __post_init__(self) -> None:
        for name in ("tuned_on", "features"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def fit(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, seed: int
    ) -> GaussianProcessBelief:
        """Fit scores alone; see `seiko.rewards.base.RewardModel.fit`."""
        return self.fit_with(x, y, noise, _NO_CHOICES, seed)

    def fit_with(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, choices: Choices, seed: int
    ) -> GaussianProcessBelief:
        """Fit scores and answers; see `seiko.rewards.base.PreferenceRewardModel.fit_with`."""
        begun = time.perf_counter()
        x = x.detach()
        rows, labels = scored(x, y, noise, choices)
        best: tuple[float, dict[str, float], Covariance] | None = None
        for covariance in self.kernel.bind(self.symmetry):
            value, logs = _climb(self._task(covariance, x, rows, labels, choices, seed), labels is not None)
            if best is None or value > best[0]:
                best = value, logs, covariance
        assert best is not None
        _, logs, covariance = best
        some = self._task(covariance, x, rows, labels, choices, seed)  # a start is of the states that it was tuned on
        task = _Task(covariance, _double(covariance.inputs(x)), some.start, rows, *_standard(labels), choices)
        signal, mode = math.exp(logs["signal"]), task.mode(logs)
        solution = solve_laplace(task.gram(logs), mode)
        unit = math.exp(-logs["tau"]) if labels is None else labels.scale
        sigma = 0.0 if labels is None else math.exp(0.5 * logs["noise"])
        columns = torch.cat([signal * solution.weights[:, None], signal * solution.root], dim=1)
        return GaussianProcessBelief(
            report=FitReport(
                labels=len(x),
                held_out=None,
                residual_std=unit * sigma,
                std_scale=1.0,
                seconds=time.perf_counter() - begun,
            ),
            scale=unit,
            mean=0.0 if labels is None else labels.mean,
            covariance=covariance,
            logs=task.kernel_logs(logs),
            signal=signal,
            noise=sigma**2,
            inducing=x,
            solution=solution,
            product=covariance.towards(task.kernel_logs(logs), task.inputs, columns),
            features=self.features,
        )

    def _task(
        self,
        covariance: Covariance,
        x: Tensor,
        rows: Tensor,
        labels: Standardised | None,
        choices: Choices,
        seed: int,
    ) -> _Task:
        """Return the part of the labels that hyperparameters are chosen on."""
        t, known = _standard(labels)
        scores = _some(len(rows), self.tuned_on, seed, 4)
        answers = choices[_some(len(choices), self.tuned_on, seed, 5)]
        named = torch.zeros(len(x), dtype=torch.bool)
        named[torch.cat([rows[scores], answers.shown[answers.shown >= 0]])] = True
        used = named.nonzero()[:, 0]
        place = torch.full((len(x),), -1, dtype=torch.long)
        place[used] = torch.arange(len(used))
        inputs = _double(covariance.inputs(x[used]))
        shown = torch.where(answers.shown >= 0, place[answers.shown.clamp_min(0)], -1)
        return _Task(
            covariance,
            inputs,
            dict(covariance.start(inputs)),
            place[rows[scores]],
            t[scores],
            known[scores],
            Choices(shown, answers.share),
        )


def scored(
    x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"] | None, choices: Choices
) -> tuple[Tensor, Standardised | None]:
    """Return the rows that have a score and their scores in standard units; None without any.

    Raises:
        ValueError: If there is neither a score nor an answer, or an answer names a row that is not there.
    """
    if len(choices) and int(choices.shown.max()) >= len(x):
        raise ValueError(f"an answer names state {int(choices.shown.max())}, there are {len(x)}")
    rows = torch.isfinite(y).nonzero()[:, 0]
    if len(rows) == 0 and len(choices) == 0:
        raise ValueError("a reward model needs at least one label, got neither scores nor comparisons")
    if len(rows) == 0:
        return rows, None
    return rows, standardise(x[rows], y[rows], None if noise is None else noise[rows])


def _standard(labels: Standardised | None) -> tuple[Tensor, Tensor]:
    if labels is None:
        empty = torch.zeros(0, dtype=torch.float64)
        return empty, empty
    return labels.y, torch.nan_to_num(labels.noise, nan=0.0)


def _some(count: int, most: int, seed: int, stream: int) -> Tensor:
    return uniforms(seed, stream, 1, count)[0].argsort()[:most].sort().values if count else torch.zeros(0).long()


def _double(inputs: Tensor) -> Tensor:
    return inputs.to(torch.float64) if inputs.is_floating_point() else inputs


def _climb(task: _Task, scores: bool) -> tuple[float, dict[str, float]]:
    """Return the best (log evidence, logs), found one hyperparameter at a time.

    Vectors (one length-scale a coordinate, weights of a sum) move as one.
    """
    logs = {"signal": 0.0, "noise": math.log(0.1), "tau": math.log(0.5)} | dict.fromkeys(task.start, 0.0)
    free = [*task.start, *(["signal", "noise"] if scores else []), *(["tau"] if len(task.choices) else [])]
    centre, best = dict(logs), task.value(logs, logs)
    for _ in range(_PASSES):
        before = best
        for name in free:
            for sign in (1.0, -1.0):
                moved = False
                while True:
                    tried = logs | {name: logs[name] + sign * _STEP}
                    value = task.value(tried, centre)
                    if value <= best:
                        break
                    best, logs, moved = value, tried, True
                if moved:
                    break
        if best - before < 1e-2:
            break
    return best, logs
