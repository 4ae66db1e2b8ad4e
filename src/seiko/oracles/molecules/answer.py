"""How a molecule oracle answers: read the SMILES, compute the value, add the noise that belongs to the design.

A design that is not of kind "smiles", or that RDKit cannot read, is infeasible: it costs its label and has no value.
Two spellings of a molecule have the same value but, being two designs, different noise: send canonical SMILES.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.noise import noisy_label

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["KIND", "answer"]

KIND = "smiles"


def answer(designs: Sequence[Design], value: Callable[[Mol], float], *, noise: float, seed: int) -> list[Label]:
    """Return one label for each design, in order.

    Args:
        designs: Molecules; each should be of kind ``"smiles"``.
        value: Noiseless value of a molecule, larger is better.
        noise: Standard deviation of the Gaussian measurement noise, in units of the value.
        seed: Seed of the noise.
    """
    return [_label(design, value, noise, seed) for design in designs]


def _label(design: Design, value: Callable[[Mol], float], noise: float, seed: int) -> Label:
    from seiko.chemistry import parse

    if design.kind != KIND:
        return Label.infeasible(f"a molecule is a design of kind {KIND!r}, got {design.kind!r}")
    mol = parse(design.content)
    if mol is None:
        return Label.infeasible("RDKit cannot read this SMILES")
    number = value(mol)
    if not math.isfinite(number):
        return Label.infeasible("the value of this molecule is not a finite number")
    return noisy_label(number, noise=noise, seed=seed, key=design.key)
