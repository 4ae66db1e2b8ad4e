"""Descriptors as oracles: drug-likeness, penalised logP, synthetic accessibility, or any other, as it is.

Labels are maximised. Where the wanted end is the small one (SA) or a window (logP, weight), put `Desired` with a
desirability around `MoleculeProperty`. The definitions are in `seiko.chemistry.properties`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seiko.oracles.molecules.answer import MoleculeOracle

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["QED", "SA", "MoleculeProperty", "PenalisedLogP"]


@dataclass(frozen=True, kw_only=True)
class QED(MoleculeOracle):
    """Answer molecules with their quantitative estimate of drug-likeness, 0 to 1; at most 0.948 in practice.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the label.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.

    References:
        Bickerton et al., Nat. Chem. 4:90, 2012, https://doi.org/10.1038/nchem.1243.
    """

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "qed"

    def _value(self, mol: Mol) -> float:
        from seiko.chemistry import qed

        return qed(mol)


@dataclass(frozen=True, kw_only=True)
class PenalisedLogP(MoleculeOracle):
    """Answer molecules with logP - SA - max(0, largest ring - 6), unbounded.

    Args:
        normalised: Standardise each of the three terms over ZINC250k first, as the tables of JT-VAE, GCPN and TDC do;
            False gives the raw numbers of Gómez-Bombarelli et al.
        noise: Standard deviation of the Gaussian measurement noise, in units of the label.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.

    References:
        Gómez-Bombarelli et al., ACS Cent. Sci. 4:268, 2018, https://doi.org/10.1021/acscentsci.7b00572.
        You et al., 2018, https://arxiv.org/abs/1806.02473 (normalised).
    """

    normalised: bool = True

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "plogp" if self.normalised else "plogp(raw)"

    def _value(self, mol: Mol) -> float:
        from seiko.chemistry import penalised_logp

        return penalised_logp(mol, normalised=self.normalised)


@dataclass(frozen=True, kw_only=True)
class SA(MoleculeOracle):
    """Answer molecules with their ease of synthesis, (10 - SA) / 9, from 0 (hard) to 1 (easy).

    The SA score itself, 1 (easy) to 10 (hard), is `MoleculeProperty(descriptor="sa")`.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the label.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.

    References:
        Ertl, Schuffenhauer, J. Cheminform. 1:8, 2009, https://doi.org/10.1186/1758-2946-1-8.
    """

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "sa"

    def _value(self, mol: Mol) -> float:
        from seiko.chemistry import sa

        return (10.0 - sa(mol)) / 9.0


@dataclass(frozen=True, kw_only=True)
class MoleculeProperty(MoleculeOracle):
    """Answer molecules with a descriptor as it is, to be put inside `Desired`.

    Args:
        descriptor: A key of `seiko.chemistry.PROPERTIES`, such as ``"logp"``, ``"tpsa"`` or ``"weight"``.
        noise: Standard deviation of the Gaussian measurement noise, in units of the descriptor.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the descriptor is not known, or the noise is negative or not finite.
    """

    descriptor: str

    def __post_init__(self) -> None:
        from seiko.chemistry import PROPERTIES

        super().__post_init__()
        if self.descriptor not in PROPERTIES:
            raise ValueError(f"no descriptor is called {self.descriptor!r}; there are {', '.join(PROPERTIES)}")

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return self.descriptor

    def _value(self, mol: Mol) -> float:
        from seiko.chemistry import PROPERTIES

        return PROPERTIES[self.descriptor](mol)
