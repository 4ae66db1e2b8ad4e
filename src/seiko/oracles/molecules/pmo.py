"""One oracle for the tasks of the PMO benchmark that RDKit alone can label: 20 of its 23.

The table of definitions is in `seiko.oracles.molecules.tasks`, which needs RDKit and is read on first use; the names
are here, so that a recipe can be checked without it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seiko.oracles.molecules.answer import MoleculeOracle

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["PMO", "PMO_TASKS"]

PMO_TASKS = (
    "albuterol_similarity",
    "amlodipine_mpo",
    "celecoxib_rediscovery",
    "deco_hop",
    "fexofenadine_mpo",
    "isomers_c7h8n2o2",
    "isomers_c9h10n2o2pf2cl",
    "median1",
    "median2",
    "mestranol_similarity",
    "osimertinib_mpo",
    "perindopril_mpo",
    "qed",
    "ranolazine_mpo",
    "scaffold_hop",
    "sitagliptin_mpo",
    "thiothixene_rediscovery",
    "troglitazone_rediscovery",
    "valsartan_smarts",
    "zaleplon_mpo",
)
"""Names of the tasks, as PMO writes them."""

_TRAINED = ("drd2", "gsk3b", "jnk3")


@dataclass(frozen=True, kw_only=True)
class PMO(MoleculeOracle):
    """Answer molecules with their score in a task of the PMO benchmark, 0 to 1.

    The definitions are those of the Therapeutics Data Commons, by which PMO labels; `seiko.oracles.molecules.tasks`
    says where they differ from GuacaMol's. A molecule that RDKit cannot read is infeasible, not 0.

    Args:
        task: One of `PMO_TASKS`.
        noise: Standard deviation of the Gaussian measurement noise, in units of the score.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If there is no such task, or the noise is negative or not finite.

    References:
        Gao, Fu, Sun, Coley, NeurIPS 2022, https://arxiv.org/abs/2206.12411.
        Brown, Fiscato, Segler, Vaucher, 2019, https://arxiv.org/abs/1811.09621.
    """

    task: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task in _TRAINED:
            raise ValueError(f"task {self.task!r} is a trained classifier, which this library does not ship")
        if self.task not in PMO_TASKS:
            close = difflib.get_close_matches(self.task, PMO_TASKS, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(PMO_TASKS)}"
            raise ValueError(f"no PMO task is called {self.task!r}; {advice}")

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return self.task

    @property
    def optimum(self) -> float:
        """Upper bound of a noiseless label; whether a molecule reaches it depends on the task."""
        return 1.0

    def _value(self, mol: Mol) -> float:
        from seiko.oracles.molecules.tasks import TASKS

        return TASKS[self.task].score(mol)
