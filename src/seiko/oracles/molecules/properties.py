"""Descriptors as oracles: drug-likeness, penalised logP, synthetic accessibility, or any other, as it is.

Labels are maximised. Where the wanted end is the small one (SA) or a window (logP, weight), put `Desired` with a
desirability around `MoleculeProperty`. The definitions are in `seiko.chemistry.properties`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.molecules.answer import KIND, answer
from seiko.oracles.noise import check_noise

__all__ = ["QED", "SA", "MoleculeProperty", "PenalisedLogP"]


@dataclass(frozen=True, kw_only=True)
class QED:
    """Answer molecules with their quantitative estimate of drug-likeness, 0 to 1; at most 0.948 in practice.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the label.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.

    References:
        Bickerton et al., Nat. Chem. 4:90, 2012, https://doi.org/10.1038/nchem.1243.
    """

    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.noise)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "qed"

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        from seiko.chemistry import qed

        return answer(designs, qed, noise=self.noise, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class PenalisedLogP:
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
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.noise)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "plogp" if self.normalised else "plogp(raw)"

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        from seiko.chemistry import penalised_logp

        value = partial(penalised_logp, normalised=self.normalised)
        return answer(designs, value, noise=self.noise, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class SA:
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

    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.noise)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "sa"

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        from seiko.chemistry import sa

        return answer(designs, lambda mol: (10.0 - sa(mol)) / 9.0, noise=self.noise, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class MoleculeProperty:
    """Answer molecules with a descriptor as it is, to be put inside `Desired`.

    Args:
        descriptor: A key of `seiko.chemistry.PROPERTIES`, such as ``"logp"``, ``"tpsa"`` or ``"weight"``.
        noise: Standard deviation of the Gaussian measurement noise, in units of the descriptor.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the descriptor is not known, or the noise is negative or not finite.
    """

    descriptor: str
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        from seiko.chemistry import PROPERTIES

        check_noise(self.noise)
        if self.descriptor not in PROPERTIES:
            raise ValueError(f"no descriptor is called {self.descriptor!r}; there are {', '.join(PROPERTIES)}")

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return self.descriptor

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        from seiko.chemistry import PROPERTIES

        return answer(designs, PROPERTIES[self.descriptor], noise=self.noise, seed=self.seed)
