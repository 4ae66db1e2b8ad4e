"""A design: what is drawn from the model, sent to the oracle and kept in the ledger.

A design is text (a sequence, a SELFIES or SMILES string) with a kind that says how to read it. Two designs are the
same if and only if their `key` is the same: the ledger, the selection and the oracles all compare keys, never
tensors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["INVALID", "Design"]

INVALID = "invalid"
"""Kind of what a model drew that is no design in its domain (text that is no molecule); no oracle can label it."""


@dataclass(frozen=True, slots=True, order=True)
class Design:
    """One candidate in the oracle's own language.

    Args:
        content: Canonical text, for example ``"ACGTTGCA"``.
        kind: How to read it: ``"dna"``, ``"protein"``, ``"tokens"``, ``"smiles"``, or ``"invalid"``.
    """

    content: str
    kind: str = "dna"

    @property
    def valid(self) -> bool:
        """Whether it is a design at all."""
        return self.kind != INVALID

    @property
    def key(self) -> str:
        """Content address, 16 hexadecimal digits of SHA-256 over kind and content; equal designs have equal keys."""
        return hashlib.sha256(f"{self.kind}\0{self.content}".encode()).hexdigest()[:16]
