"""Molecule oracles by name, for a command line: `qed`, `plogp`, `sa` and the tasks of PMO."""

from __future__ import annotations

import difflib

from seiko.oracles.molecules.pmo import PMO, PMO_TASKS
from seiko.oracles.molecules.properties import QED, SA, PenalisedLogP

__all__ = ["MOLECULE_ORACLES", "oracle_named"]

MOLECULE_ORACLES = tuple(dict.fromkeys(("qed", "plogp", "sa", *PMO_TASKS)))
"""Names that `oracle_named` knows."""


def oracle_named(name: str, *, noise: float = 0.0, seed: int = 0) -> QED | PenalisedLogP | SA | PMO:
    """Return the molecule oracle of a name; larger labels are better in each.

    Args:
        name: One of `MOLECULE_ORACLES`; upper case and hyphens are accepted.
        noise: Standard deviation of the Gaussian measurement noise, in the oracle's units.
        seed: Seed of the noise.

    Raises:
        ValueError: If there is no such oracle; the message lists all names.
    """
    key = name.strip().lower().replace("-", "_")
    match key:
        case "qed":
            return QED(noise=noise, seed=seed)
        case "plogp":
            return PenalisedLogP(noise=noise, seed=seed)
        case "sa":
            return SA(noise=noise, seed=seed)
        case _ if key in PMO_TASKS:
            return PMO(task=key, noise=noise, seed=seed)
    close = difflib.get_close_matches(key, MOLECULE_ORACLES, n=1)
    advice = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"no molecule oracle is called {name!r}; {advice}there are {', '.join(MOLECULE_ORACLES)}")
