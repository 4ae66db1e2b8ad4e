"""Who answers: the contract of an oracle and the states of its answer.

Infeasible is a flag, not a value: a design that the world cannot label teaches feasibility and costs its label, but
never enters the regression as a number. Failed is the measurement's fault, not the design's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from seiko.designs import Design

__all__ = ["Label", "Oracle", "StreamingOracle"]

Status = Literal["value", "infeasible", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One answer of an oracle; larger values are better.

    Args:
        status: ``"value"``, ``"infeasible"`` (the world cannot label it) or ``"failed"`` (the measurement broke).
        value: The measurement, in the oracle's own units; present exactly when ``status == "value"``.
        noise: Standard deviation of the measurement, in the same units; None if it is not known.
        reason: Why it is infeasible or failed, in words.
        retry: Of a failed measurement, whether it is to be repeated; its label stays reserved in the budget until then.
        values: Several numbers measured of one design, by name; of them a campaign makes the value.
        replicate: Which measurement of the same query it is, from 1.

    Raises:
        ValueError: If the value is missing, superfluous or not finite, the noise is negative or not finite, or what
            did not fail is to be repeated.
    """

    status: Status = "value"
    value: float | None = None
    noise: float | None = None
    reason: str | None = None
    retry: bool = False
    replicate: int = 1
    values: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        self._check_values()
        if self.status not in ("value", "infeasible", "failed"):
            raise ValueError(f"status must be value, infeasible or failed, got {self.status!r}")
        if self.status == "value":
            if self.value is None and self.values:
                pass  # several numbers, of which nobody has made one yet
            elif self.value is None or not math.isfinite(self.value):
                raise ValueError(f"a label with status 'value' needs a finite number, got {self.value!r}")
        elif self.value is not None:
            raise ValueError(f"a label with status {self.status!r} has no value, got {self.value!r}")
        if self.noise is not None and not (math.isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"noise must be a finite standard deviation of at least 0, got {self.noise!r}")
        if self.retry and self.status != "failed":
            raise ValueError(f"only a failed measurement can be repeated, got retry with status {self.status!r}")
        if self.replicate < 1:
            raise ValueError(f"replicates are numbered from 1, got {self.replicate}")

    def _check_values(self) -> None:
        """Bring values into one form (names sorted) and check them."""
        pairs = tuple(sorted((str(name), float(value)) for name, value in self.values))
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError(f"values must have one number a name, got {pairs}")
        if not all(math.isfinite(value) for _, value in pairs):
            raise ValueError(f"values must be finite numbers, got {pairs}")
        if pairs and self.status != "value":
            raise ValueError(f"a label with status {self.status!r} has no values, got {pairs}")
        object.__setattr__(self, "values", pairs)

    @classmethod
    def infeasible(cls, reason: str) -> Label:
        """Return the label of a design that the world cannot measure."""
        return cls(status="infeasible", reason=reason)

    @classmethod
    def failed(cls, reason: str, *, retry: bool = False) -> Label:
        """Return the label of a measurement that broke; the design may be fine, and be measured again."""
        return cls(status="failed", reason=reason, retry=retry)


@runtime_checkable
class Oracle(Protocol):
    """Answers designs with labels, one each, in the same order.

    A noisy oracle must answer the same design with the same label whenever it is asked again (noise drawn from the
    design's key and a seed), so that a killed run resumes to the same labels.
    """

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        ...


@runtime_checkable
class StreamingOracle(Oracle, Protocol):
    """An oracle that gives each label when it has it, so that those before an accident are kept."""

    def answers(self, designs: Sequence[Design]) -> Iterator[tuple[int, Label]]:
        """Yield position and label of each design once, in any order."""
        ...
