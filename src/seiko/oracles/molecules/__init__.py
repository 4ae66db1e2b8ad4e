"""Oracles of molecules: descriptors, and the tasks of the PMO benchmark that RDKit can label.

Importing this package does not import RDKit; asking one of its oracles does.
"""

from __future__ import annotations

from seiko.oracles.molecules.named import MOLECULE_ORACLES, oracle_named
from seiko.oracles.molecules.pmo import PMO, PMO_TASKS
from seiko.oracles.molecules.properties import QED, SA, MoleculeProperty, PenalisedLogP

__all__ = ["MOLECULE_ORACLES", "PMO", "PMO_TASKS", "QED", "SA", "MoleculeProperty", "PenalisedLogP", "oracle_named"]
