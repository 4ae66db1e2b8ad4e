"""Several properties of molecules in one word of a command line: ``qed,sa`` or ``qed,sa>=0.8``.

qed,sa         the front of both: expected hypervolume improvement, a random scalarisation an update
qed,sa>=0.8    as much of qed as there is where sa is .8 at least; what breaks the limit is worth `FLOOR`
"""

from __future__ import annotations

import re

from seiko.campaign import Objectives, Property
from seiko.oracles import Measured, oracle_named

__all__ = ["objectives_of"]

_PART = re.compile(r"\s*([A-Za-z0-9_]+)\s*(?:(>=|<=)\s*([+-]?[0-9.]+))?\s*")
_SCALES = {"qed": (0.3, 0.1), "sa": (0.5, 0.1), "plogp": (-5.0, 2.0)}  # just not good enough, and worth speaking of
FLOOR = -10.0


def objectives_of(text: str, *, noise: float = 0.0, seed: int = 0) -> tuple[Objectives, Measured]:
    """Return the objectives that a text names, and an oracle that measures them.

    Args:
        text: Names of molecule oracles, separated by commas, each with a limit if it is not to be maximised.
        noise: Standard deviation of the Gaussian noise of each measurement, in its units.
        seed: Seeds it, another one for each property.

    Raises:
        ValueError: If a part is no name or limit, or all parts are limits.
    """
    properties, oracles = [], []
    for index, part in enumerate(text.split(",")):
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError(f"objectives are names separated by commas, with limits as in sa>=0.8, got {part!r}")
        oracle = oracle_named(found[1], noise=noise, seed=seed * 101 + index)
        limit = None if found[3] is None else float(found[3])
        reference, unit = _SCALES.get(oracle.name, (0.0, 0.1))
        properties.append(
            Property(
                name=oracle.name,
                weight=1.0 if limit is None else 0.0,
                unit=unit,
                at_least=limit if found[2] == ">=" else None,
                at_most=limit if found[2] == "<=" else None,
                reference=reference,
            )
        )
        oracles.append(oracle)
    limited = any(part.weight == 0.0 for part in properties)
    objectives = Objectives(
        properties=tuple(properties),
        combine="weighted" if limited else "pareto",
        floor=FLOOR if limited else 0.0,
    )
    return objectives, Measured(oracles=tuple(oracles), names=objectives.names)
