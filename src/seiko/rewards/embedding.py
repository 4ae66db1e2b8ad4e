"""Hidden states of a pretrained model as features: what it learnt from unlabelled designs, without any label.

    phi(x) = mean over positions of a hidden layer of the language model at x, followed by a constant 1

The model is the pretrained one, frozen: the feature must not move while the diffusion model does. Regression on phi is
`LastLayer`, an RBF on it a deep kernel. This file reads a masked language model from disk on its own, since reward
models know nothing of diffusion models; a model that is no language model (an image model, a graph one) can be wrapped
by any frozen dataclass that is a `Feature`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.priors import SIDE_FILE, prior_folder
from seiko.rewards.features import one_hot

__all__ = ["Embedding"]

_ROWS = 4096  # states a block


class _Encoder(nn.Module):
    """A frozen language model and where the letters sit in its vocabulary."""

    def __init__(self, language_model: nn.Module, token_ids: dict[str, Any]) -> None:
        super().__init__()
        self.language_model = language_model.eval().requires_grad_(False)
        self.state_ids = torch.tensor([*token_ids["letters"], token_ids["mask"]])
        self.before = torch.tensor(token_ids["before"], dtype=torch.int64)
        self.after = torch.tensor(token_ids["after"], dtype=torch.int64)

    def forward(self, x: Tensor, layer: int) -> Float[Tensor, "n l d"]:
        """Return a hidden layer at every position of tokens or relaxed one-hots."""
        table = self.language_model.get_input_embeddings().weight  # type: ignore[operator]
        vocabulary = len(self.state_ids) - 1
        letters = one_hot(x, vocabulary).to(table.dtype)
        masked = 1.0 - letters.sum(-1, keepdim=True)
        if x.is_floating_point():  # the column of the mask, where there is one
            masked = x[..., vocabulary:].to(table.dtype).sum(-1, keepdim=True)
        embedded = torch.cat([letters, masked], dim=-1) @ table[self.state_ids]
        around = [table[ids].expand(len(x), -1, -1) for ids in (self.before, self.after)]
        found = self.language_model(
            inputs_embeds=torch.cat([around[0], embedded, around[1]], dim=1), output_hidden_states=True
        )
        start = len(self.before)
        hidden: Tensor = found.hidden_states[layer][:, start : start + x.shape[1]]
        return hidden


@functools.cache
def _load(name: str) -> _Encoder:
    from transformers import AutoModelForMaskedLM

    folder = prior_folder(name)
    side = json.loads((folder / SIDE_FILE).read_text())
    language_model = AutoModelForMaskedLM.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    return _Encoder(language_model, side["token_ids"])


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Mean-pooled hidden states of a pretrained masked language model.

    Args:
        model: A directory, or ``"seiko:NAME"`` for a prior that travels in the package.
        layer: Hidden layer; 0 is the token embedding, -1 the last.

    References:
        Wilson et al., "Deep kernel learning", 2016, https://arxiv.org/abs/1511.02222
    """

    model: str
    layer: int = -1

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, width + 1]`, float32 for tokens; differentiable in a relaxed x.

        Raises:
            FileNotFoundError: If there is no such model.
        """
        encoder = _load(self.model)
        phi = torch.cat([encoder(part, self.layer).mean(1) for part in torch.split(x, _ROWS)])
        phi = phi.to(x.dtype if x.is_floating_point() else torch.float32)
        return torch.cat([phi, torch.ones_like(phi[:, :1])], dim=1)
