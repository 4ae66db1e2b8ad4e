"""Prompts as conditioning of a latent image model: the text itself, and its embeddings computed once.

A row of conditioning is the prompt's UTF-8 bytes, filled up with zeros to a fixed width. It is small, the same for
every kind of text encoder, can be cut and joined like any batch, and gives the prompt back. What the network is fed,
the embeddings of one or several frozen encoders, is looked up by those bytes: each prompt passes through the encoders
once and is kept while there is room. No gradient reaches the text.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

__all__ = ["Embeddings", "PromptEncoder", "from_bytes", "to_bytes"]

WIDTH = 1024  # bytes of the longest prompt; encoders read far fewer tokens
KEPT_BYTES = 1 << 30

Embeddings = dict[str, Tensor]
"""What a network is fed of its prompts, by name; one row a prompt."""


def to_bytes(prompts: Sequence[str]) -> UInt8[Tensor, "n width"]:
    """Return prompts as rows of bytes.

    Raises:
        ValueError: If a prompt is too long, or holds a null character.
    """
    rows = torch.zeros(len(prompts), WIDTH, dtype=torch.uint8)
    for row, prompt in enumerate(prompts):
        written = prompt.encode()
        if len(written) > WIDTH or 0 in written:
            raise ValueError(
                f"prompt {prompt[:40]!r}... must be at most {WIDTH} bytes of UTF-8 without a null character, "
                f"got {len(written)}"
            )
        rows[row, : len(written)] = torch.tensor(list(written), dtype=torch.uint8)
    return rows


def from_bytes(rows: UInt8[Tensor, "n width"]) -> list[str]:
    """Return the prompts of `to_bytes`."""
    return [bytes(row).rstrip(b"\0").decode() for row in rows.cpu().numpy()]


class PromptEncoder:
    """Embeds prompts through frozen text encoders, each once.

    Args:
        encode: Prompts to embeddings, one row each.
    """

    def __init__(self, encode: Callable[[list[str]], Embeddings]) -> None:
        self._encode = encode
        self._kept: OrderedDict[str, Embeddings] = OrderedDict()

    @torch.no_grad()
    def __call__(self, conditioning: UInt8[Tensor, "n width"]) -> Embeddings:
        """Return the embeddings of each row."""
        prompts = from_bytes(conditioning)
        # one at a time: a prompt's embedding must not depend, in its last digits, on what else stands in the batch
        found = {prompt: self._one(prompt) for prompt in dict.fromkeys(prompts)}
        return {name: torch.cat([found[prompt][name] for prompt in prompts]) for name in found[prompts[0]]}

    def _one(self, prompt: str) -> Embeddings:
        if prompt not in self._kept:
            self._kept[prompt] = self._encode([prompt])
            size = sum(value.numel() * value.element_size() for value in self._kept[prompt].values())
            while len(self._kept) > max(1, KEPT_BYTES // size):
                self._kept.popitem(last=False)
        self._kept.move_to_end(prompt)
        return self._kept[prompt]
