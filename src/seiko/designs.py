"""A design: what is drawn from the model, sent to the oracle and kept in the ledger.

A design is text (a sequence, a SELFIES or SMILES string) with a kind that says how to read it. An image is a design
whose text is the SHA-256 of its PNG file, and whose `data` is that file. Two designs are the same if and only if their
`key` is the same: the ledger, the selection and the oracles all compare keys, never tensors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

__all__ = ["IMAGE", "INVALID", "Design"]

INVALID = "invalid"
"""Kind of what a model drew that is no design in its domain (text that is no molecule); no oracle can label it."""

IMAGE = "image"
"""Kind of what is a PNG file: the content names the file, `Design.data` is the file."""


@dataclass(frozen=True, slots=True)
class Design:
    """One candidate in the oracle's own language.

    Args:
        content: Canonical text, for example ``"ACGTTGCA"``; of an image the SHA-256 of its PNG, hexadecimal.
        kind: How to read it: ``"dna"``, ``"protein"``, ``"tokens"``, ``"smiles"``, ``"image"``, or ``"invalid"``.
        prompt: What it was drawn for: a text, or a class such as ``"3"``; None if the model takes no prompt. The same
            content for another prompt is another design.
        data: The bytes of an image's PNG, where they are at hand; no part of what the design is.
    """

    content: str
    kind: str = "dna"
    prompt: str | None = None
    data: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def valid(self) -> bool:
        """Whether it is a design at all."""
        return self.kind != INVALID

    @property
    def key(self) -> str:
        """Content address, 16 hexadecimal digits of SHA-256 over kind, content and prompt; equal for equal designs."""
        prompt = "" if self.prompt is None else f"\0{self.prompt}"
        return hashlib.sha256(f"{self.kind}\0{self.content}{prompt}".encode()).hexdigest()[:16]
