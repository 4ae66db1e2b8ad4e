"""Several numbers a design: how they become one, for the batch, for the update and for the report.

    weighted   sum_j w_j u_j(v_j) / sum_j w_j,    u_j the desirability, or v_j / unit_j (negative where less is better);
               `floor` for a design that breaks a constraint, v_j >= at_least_j, v_j <= at_most_j
    pareto     z_j = (v_j - reference_j) / unit_j (its negative where less is better),
               min_j w_j z_j + .05 sum_j w_j z_j               augmented Chebyshev
               min_j max(0, z_j / w_j)^k                        hypervolume scalarisation

With `pareto` the batch is chosen by expected hypervolume improvement (`seiko.campaign.hypervolume`), and each update
goes after one scalarisation with random weights, so that the rounds together cover the front (ParEGO). What the report
calls the value of a design is then the Chebyshev scalarisation at equal weights. Each property has its own reward
model, independent of the others. This is for a laboratory that measures several numbers; one number that an oracle
makes of several (`seiko.oracles.WeightedMean`) needs none of it, but learns less.

References:
    Knowles, "ParEGO: a hybrid algorithm with on-line landscape approximation for expensive multiobjective optimization
    problems", 2006 (augmented Chebyshev, weights drawn anew each time);
    Golovin, Zhang, "Random hypervolume scalarizations for provable multi-objective black box optimization", ICML 2020,
    https://arxiv.org/abs/2006.04655 (their mean over directions is the hypervolume);
    Gelbart, Snoek, Adams, "Bayesian optimization with unknown constraints", 2014, https://arxiv.org/abs/1403.5607.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.oracles import Desirability, Label

__all__ = ["Objectives", "Property", "complete"]

RHO = 0.05
EDGE = 0.05  # width of a constraint's edge, units of the property: a hard one would have no gradient
KNOTS = 513  # of a desirability's table


@dataclass(frozen=True, kw_only=True)
class Property:
    """One number that is measured of a design.

    Args:
        name: As labels and files call it.
        goal: Whether more or less of it is better.
        weight: Its share in the overall value; only ratios count.
        unit: A difference worth speaking of, in its own units; about its spread.
        desirability: From its own units to [0, 1]; None for the number itself. Not with `pareto`.
        at_least: Designs below it are worth the floor; None for any.
        at_most: Designs above it are worth the floor; None for any.
        reference: What is just not good enough; `pareto` needs it.

    Raises:
        ValueError: If the name is empty or taken by a column of label files, or a number is out of range.
    """

    name: str
    goal: Literal["max", "min"] = "max"
    weight: float = 1.0
    unit: float = 1.0
    desirability: Desirability | None = None
    at_least: float | None = None
    at_most: float | None = None
    reference: float | None = None

    def __post_init__(self) -> None:
        if not self.name or self.name in _TAKEN or self.name != self.name.strip().lower():
            raise ValueError(
                f"name must be a column of a label file, lower case, other than {', '.join(_TAKEN)}, got {self.name!r}"
            )
        for name in ("weight", "unit"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0) or (name == "unit" and value == 0):
                raise ValueError(f"{name} of {self.name} must be positive, got {value}")

    @property
    def sign(self) -> float:
        """1 where more is better, -1 where less is."""
        return 1.0 if self.goal == "max" else -1.0


_TAKEN = ("id", "value", "noise", "status", "reason", "design")


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """How several numbers become one.

    Args:
        properties: What is measured; two at least.
        combine: ``"weighted"`` or ``"pareto"``.
        floor: What a design that breaks a constraint is worth in ``"weighted"``: below all that is acceptable.
        scalarisation: Of the update in ``"pareto"``.

    Raises:
        ValueError: If there are fewer than two properties, names repeat, all weights are 0, or `pareto` lacks a
            reference or is given a desirability or a constraint.
    """

    properties: tuple[Property, ...]
    combine: Literal["weighted", "pareto"] = "weighted"
    floor: float = 0.0
    scalarisation: Literal["chebyshev", "hypervolume"] = "chebyshev"

    def __post_init__(self) -> None:
        names = self.names
        if len(names) < 2:
            raise ValueError(f"several objectives are two properties at least, got {len(names)}")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"property {repeated[0]!r} is there twice")
        if not sum(part.weight for part in self.properties) > 0:
            raise ValueError("weights must not all be 0: one property at least must count")
        if self.combine == "pareto":
            for part in self.properties:
                if part.reference is None:
                    raise ValueError(f"pareto needs a reference for {part.name}: what is just not good enough")
                if part.desirability is not None or part.at_least is not None or part.at_most is not None:
                    raise ValueError(
                        f"{part.name} has a desirability or a constraint: pareto compares the numbers themselves; use "
                        "its reference, or combine='weighted'"
                    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the properties, in order."""
        return tuple(part.name for part in self.properties)

    def complete(self, id: str, label: Label) -> Label:
        """Return a label with its overall value.

        Raises:
            ValueError: If a property is missing, or the label brings a value of its own that is another one.
        """
        if label.status != "value":
            return label
        values = dict(label.values)
        if missing := [name for name in self.names if name not in values]:
            raise ValueError(
                f"query {id!r} has no {missing[0]}: this run needs {', '.join(self.names)} of each design, as "
                f"Label(values=...); nothing was taken"
            )
        overall = self.overall(values)
        if label.value is not None and not math.isclose(label.value, overall, rel_tol=1e-6, abs_tol=1e-9):
            raise ValueError(
                f"query {id!r} has the value {label.value}, its properties make it {overall}: leave the value out; "
                "nothing was taken"
            )
        return dataclasses.replace(label, value=overall)

    def overall(self, values: Mapping[str, float]) -> float:
        """Return the overall value of a design whose properties are known."""
        if self.combine == "pareto":
            z = self.gains(torch.tensor([[values[name] for name in self.names]], dtype=torch.float64))
            return float(_chebyshev(z, self._weights().to(z)))
        for part in self.properties:
            if not (_low(part) <= values[part.name] <= _high(part)):
                return self.floor
        terms = [part.weight * _wanted(part, values[part.name]) for part in self.properties]
        return math.fsum(terms) / math.fsum(part.weight for part in self.properties)

    def gains(self, values: Float[Tensor, "*b k"]) -> Float[Tensor, "*b k"]:
        """Return z: how far each property is beyond its reference (0 without one), in its unit; larger is better."""
        reference = values.new_tensor([part.reference or 0.0 for part in self.properties])
        slope = values.new_tensor([part.sign / part.unit for part in self.properties])
        return (values - reference) * slope

    def scalar(
        self, labelled: Float[Tensor, "n k"], weights: Float[Tensor, "k"] | None = None
    ) -> _Weighted | _Scalarised:
        """Return the overall value as a differentiable function of properties.

        Args:
            labelled: Properties that were measured; a desirability is tabulated over their range and beyond.
            weights: Of this round's scalarisation with `pareto`; None for the overall value.
        """
        if self.combine == "pareto":
            random = weights is not None and self.scalarisation == "hypervolume"
            return _Scalarised(self, self._weights() if weights is None else weights, random)
        low, high = labelled.amin(0), labelled.amax(0)
        margin = 3.0 * (high - low).clamp_min(torch.tensor([part.unit for part in self.properties]).to(low))
        tables = tuple(
            None if part.desirability is None else _table(part.desirability, float(a), float(b))
            for part, a, b in zip(self.properties, low - margin, high + margin, strict=True)
        )
        return _Weighted(self, tables)

    def draw_weights(self, seed: int) -> Float[Tensor, "k"]:
        """Return the weights of a round: uniform on the simplex; for hypervolumes a direction uniform on the sphere."""
        generator = torch.Generator().manual_seed(seed)
        if self.scalarisation == "hypervolume":
            normal = torch.randn(len(self.properties), generator=generator, dtype=torch.float64).abs().clamp_min(1e-3)
            direction: Tensor = normal / normal.norm()
            return direction
        u = torch.rand(len(self.properties), generator=generator, dtype=torch.float64).clamp_min(1e-12)
        return -u.log() / (-u.log()).sum()

    def _weights(self) -> Float[Tensor, "k"]:
        return torch.full((len(self.properties),), 1.0 / len(self.properties), dtype=torch.float64)


def complete(objectives: Objectives | None, id: str, label: Label) -> Label:
    """Return a label whose value is one number, by a recipe's objectives if it has any.

    Raises:
        ValueError: If several numbers came and the recipe has no objectives, or too few.
    """
    if objectives is not None:
        return objectives.complete(id, label)
    if label.status == "value" and label.value is None:
        names = ", ".join(name for name, _ in label.values)
        raise ValueError(
            f"query {id!r} has several numbers ({names}), and this run's recipe has no objectives to make one of them; "
            "nothing was taken"
        )
    return label


@dataclass(frozen=True, eq=False)
class _Weighted:
    """The weighted mean of desirabilities, and the floor where a constraint is broken."""

    objectives: Objectives
    tables: tuple[tuple[float, float, Tensor] | None, ...]

    def __call__(self, values: Float[Tensor, "*b n k"]) -> Float[Tensor, "*b n"]:
        total, holds = torch.zeros_like(values[..., 0]), torch.ones_like(values[..., 0])
        for j, (part, table) in enumerate(zip(self.objectives.properties, self.tables, strict=True)):
            v = values[..., j]
            total = total + part.weight * (part.sign * v / part.unit if table is None else _look_up(table, v))
            for limit, side in ((part.at_least, 1.0), (part.at_most, -1.0)):
                if limit is not None:
                    holds = holds * torch.sigmoid(side * (v - limit) / (EDGE * part.unit))
        mean = total / sum(part.weight for part in self.objectives.properties)
        return self.objectives.floor + holds * (mean - self.objectives.floor)


@dataclass(frozen=True, eq=False)
class _Scalarised:
    """One scalarisation of several gains."""

    objectives: Objectives
    weights: Float[Tensor, "k"]
    hypervolume: bool

    def __call__(self, values: Float[Tensor, "*b n k"]) -> Float[Tensor, "*b n"]:
        z = self.objectives.gains(values)
        weights = self.weights.to(z)
        if not self.hypervolume:
            return _chebyshev(z, weights)
        # below the reference the k-th power is flat: there the distance itself leads back
        least = (z / weights).amin(-1)
        return torch.where(least > 0, least.clamp_min(0.0) ** z.shape[-1], least)


def _chebyshev(z: Float[Tensor, "*b k"], weights: Float[Tensor, "k"]) -> Float[Tensor, "*b"]:
    return (weights * z).amin(-1) + RHO * (weights * z).sum(-1)


def _wanted(part: Property, value: float) -> float:
    return part.sign * value / part.unit if part.desirability is None else part.desirability.desire(value)


def _low(part: Property) -> float:
    return -math.inf if part.at_least is None else part.at_least


def _high(part: Property) -> float:
    return math.inf if part.at_most is None else part.at_most


def _table(desirability: Desirability, low: float, high: float) -> tuple[float, float, Tensor]:
    knots = [low + (high - low) * i / (KNOTS - 1) for i in range(KNOTS)]
    return low, high, torch.tensor([desirability.desire(knot) for knot in knots], dtype=torch.float64)


def _look_up(table: tuple[float, float, Tensor], v: Tensor) -> Tensor:
    """Interpolate linearly; flat beyond the ends."""
    low, high, knots = table
    at = ((v - low) / (high - low) * (KNOTS - 1)).clamp(0.0, KNOTS - 1 - 1e-6)
    left = at.detach().floor().long().clamp_max(KNOTS - 2)
    values = knots.to(v)
    return values[left] + (at - left) * (values[left + 1] - values[left])
