"""Train a masked language model on sequences, as a masked diffusion model.

    loss = E_{n ~ U{1..L}} E_{n random positions masked} [ mean over the masked j of -log p(x_j | the others) ]

which is the any-order bound on -log p(x) / L in nats a token; the same number on held-out sequences, with masks fixed
by the seed, is the validation likelihood.

References:
    Hoogeboom et al., "Autoregressive Diffusion Models", 2022, https://arxiv.org/abs/2110.02037 (Eq. 3 and 4);
    Sahoo et al., "Simple and Effective Masked Diffusion Language Models", 2024, https://arxiv.org/abs/2406.07524.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from seiko.models.alphabet import Letters
from seiko.models.masked_lm import TokenBackbone, TokenIds, save_language_model
from seiko.models.training import PretrainProgress, Training

__all__ = ["Architecture", "Pretraining"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Size and kind of a new masked language model.

    Args:
        kind: ``"bert"`` (learned absolute positions) or ``"esm"`` (rotary positions).
        width: Hidden size.
        layers: Transformer layers.
        heads: Attention heads.
    """

    kind: Literal["bert", "esm"] = "bert"
    width: int = 64
    layers: int = 2
    heads: int = 4

    def build(self, vocabulary: int, length: int) -> Any:
        """Return a transformers model with random weights; token V is the mask."""
        from transformers import BertConfig, BertForMaskedLM, EsmConfig, EsmForMaskedLM

        common: dict[str, Any] = {
            "vocab_size": vocabulary + 1,
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": 4 * self.width,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "pad_token_id": None,
            "attn_implementation": "eager",  # on short sequences a third quicker than the fused one, backwards
        }
        if self.kind == "bert":
            return BertForMaskedLM(BertConfig(**common, max_position_embeddings=length, type_vocab_size=1))
        return EsmForMaskedLM(
            EsmConfig(
                **{**common, "pad_token_id": vocabulary},
                mask_token_id=vocabulary,
                max_position_embeddings=length + 2,
                position_embedding_type="rotary",
                token_dropout=False,
            )
        )


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How a masked language model is trained.

    Args:
        architecture: What is trained.
        steps: Optimiser steps.
        batch: Sequences a step.
        learning_rate: Peak of AdamW's rate; linear warm-up over the first 5 %, cosine decay to 0.
        weight_decay: AdamW's.
        validation_share: Share of the sequences held out, chosen by the seed.
        average: Decay of the exponential moving average of the weights, which is what is saved.
        every: Steps between reports, validations and checkpoints.
        seed: Seeds weights, split, batches and masks.
        precision: ``"bfloat16"`` multiplies matrices in it (autocast), where the processor can; weights stay float32.
        shipped: Type that the weights are saved in; half precision halves the file.
        temperature: The saved model's logits are divided by it: below 1 it draws what is more typical.
    """

    architecture: Architecture = Architecture()
    steps: int = 2000
    batch: int = 512
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    validation_share: float = 0.05
    average: float = 0.995
    every: int = 200
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    shipped: Literal["float32", "float16"] = "float32"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, got {self.temperature}")
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must lie between 0 and 1, got {self.validation_share}")

    def run(
        self,
        tokens: Int64[Tensor, "n l"],
        alphabet: Letters,
        folder: str | Path,
        *,
        provenance: dict[str, Any] | None = None,
        report: Callable[[PretrainProgress], None] = lambda progress: None,
    ) -> float:
        """Train and save; an interrupted run in the same folder goes on where its last checkpoint stood.

        Args:
            tokens: Sequences of one length.
            alphabet: Their letters.
            folder: Where the model is saved, in Hugging Face's format.
            provenance: Written into `seiko.json`: script, data and its hash.
            report: Called every `every` steps.

        Returns:
            Validation likelihood bound of the saved weights, nats a token.

        Raises:
            ValueError: If there are fewer than two sequences, or the folder's checkpoint is of another training.
        """
        if len(tokens) < 2:
            raise ValueError(f"pretraining needs at least 2 sequences, got {len(tokens)}")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        training = _Training(self, tokens, alphabet)
        training.run(folder, self.steps, report)
        training.use_average()
        cool(training.backbone.language_model, self.temperature)
        validation = training.validate()
        written = {
            **(provenance or {}),
            "training": asdict(self),
            "sequences": len(tokens),
            "validation_nats_per_token": validation,
            "uniform_nats_per_token": math.log(len(alphabet)),
        }
        lm = training.backbone.language_model.to(getattr(torch, self.shipped))
        save_language_model(lm, training.backbone.ids, alphabet, tokens.shape[1], folder, written)
        training.finish(folder)
        return validation


@torch.no_grad()
def cool(language_model: Any, temperature: float) -> None:
    """Divide a language model's logits by a temperature, by the last layer before the letters and their bias.

    The letters' own vectors stay as they are: the model reads by them too.

    Raises:
        TypeError: If the model is neither a BERT nor an ESM.
    """
    if temperature == 1.0:
        return
    if hasattr(language_model, "cls"):
        norm, bias = language_model.cls.predictions.transform.LayerNorm, language_model.cls.predictions.bias
    elif hasattr(language_model, "lm_head"):
        norm, bias = language_model.lm_head.layer_norm, language_model.lm_head.bias
    else:
        raise TypeError(f"only BERT and ESM can be given a temperature, got {type(language_model).__name__}")
    for parameter in (norm.weight, norm.bias, bias):
        parameter.div_(temperature)


class _Training(Training):
    def __init__(self, config: Pretraining, tokens: Tensor, alphabet: Letters) -> None:
        self.config, self.mask_token = config, len(alphabet)
        torch.manual_seed(config.seed)
        order = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(config.seed))
        held_out = max(1, min(5000, round(config.validation_share * len(tokens))))
        self.valid, self.train = tokens[order[:held_out]], tokens[order[held_out:]]
        lm = config.architecture.build(len(alphabet), tokens.shape[1])
        self.backbone = TokenBackbone(lm, TokenIds.plain(alphabet))
        data = hashlib.sha256(tokens.contiguous().numpy().tobytes()).hexdigest()
        super().__init__(config, self.backbone, data, "sequences")

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(self.train), (self.config.batch,), generator=generator)
        return self._bound(self.train[rows], generator)

    def _bound(self, x: Tensor, generator: torch.Generator) -> Tensor:
        length = x.shape[1]
        count = torch.randint(1, length + 1, (len(x), 1), generator=generator)
        masked = torch.rand(x.shape, generator=generator).argsort(-1).argsort(-1) < count
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            logits = self.backbone(x.masked_fill(masked, self.mask_token)).float()
        nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), x, reduction="none")
        return (torch.where(masked, nll, 0.0).sum(-1) / count[:, 0]).mean()

    @torch.no_grad()
    def validate(self) -> float:
        self.backbone.eval()
        generator = torch.Generator().manual_seed(self.config.seed + 1)
        bounds = [self._bound(part, generator) * len(part) for part in torch.split(self.valid, 1024)]
        return float(torch.stack(bounds).sum() / len(self.valid))

    def use_average(self) -> None:
        with torch.no_grad():
            for name, p in self.backbone.named_parameters():
                p.copy_(self.average[name])
