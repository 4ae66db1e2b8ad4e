"""Any Hugging Face masked language model as a masked diffusion model over an alphabet.

A masked language model gives p(x_j | the unmasked positions) for every masked j; that is all that masked diffusion
needs, without a time. The state holds letters 0..V-1 with V for the mask; this file translates them to the language
model's own token ids, puts its special tokens around them, and keeps the logits of the alphabet's letters only.

A directory is what `save_pretrained` writes (config.json, model.safetensors) and, for models saved by seiko, a
`seiko.json` with the alphabet and the length. Models without one (ESM-2 and others from the hub) need an alphabet and a
length; their token ids come from their own tokenizer.

References:
    Sahoo et al., "Simple and Effective Masked Diffusion Language Models", 2024, https://arxiv.org/abs/2406.07524.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float, Int64
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seiko.designs import Design
from seiko.devices import device_named
from seiko.diffusion import Conditioning, MaskedDiffusion, State, Step
from seiko.models.alphabet import Fragmented, Letters, alphabet_of
from seiko.models.side import Side, SideBackbone
from seiko.models.versions import FullFineTuning, Tuning, Versions
from seiko.priors import SIDE_FILE, locate

__all__ = ["MaskedLM", "MaskedLMSource", "TokenIds"]

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]

SHORT = 64  # positions


@dataclass(frozen=True, kw_only=True)
class TokenIds:
    """Where the alphabet's letters sit in a language model's vocabulary.

    Args:
        letters: Token id of each letter.
        mask: Token id of the mask.
        before: Special tokens put in front of every sequence (CLS).
        after: Special tokens put behind it (EOS).
    """

    letters: tuple[int, ...]
    mask: int
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    @classmethod
    def plain(cls, alphabet: Letters) -> TokenIds:
        """Return ids 0..V-1 for the letters and V for the mask, as in models trained by seiko."""
        return cls(letters=tuple(range(len(alphabet))), mask=len(alphabet))

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, alphabet: Letters) -> TokenIds:
        """Look the letters up in a Hugging Face tokenizer.

        Raises:
            ValueError: If a letter or the mask is not one token there.
        """
        names = [letter or tokenizer.pad_token for letter in alphabet.letters]  # the empty letter is the padding
        ids = tokenizer.convert_tokens_to_ids(names)
        for letter, token in zip(alphabet.letters, ids, strict=True):
            if token is None or token == tokenizer.unk_token_id:
                raise ValueError(f"the tokenizer has no token for the letter {letter!r}")
        if tokenizer.mask_token_id is None:
            raise ValueError("the tokenizer has no mask token: this is not a masked language model")
        around = tokenizer.encode(tokenizer.mask_token)
        at = around.index(tokenizer.mask_token_id)
        return cls(
            letters=tuple(ids), mask=tokenizer.mask_token_id, before=tuple(around[:at]), after=tuple(around[at + 1 :])
        )


class TokenBackbone(nn.Module):
    """A masked language model that takes states and returns logits over letters.

    Args:
        language_model: A transformers `...ForMaskedLM`.
        ids: Where the letters sit in its vocabulary.
        length: Positions L, where all sequences have one length.
    """

    def __init__(self, language_model: nn.Module, ids: TokenIds, length: int | None = None) -> None:
        super().__init__()
        self.language_model = language_model
        self.ids = ids
        self.shape = None if length is None else (length, len(ids.letters))
        self.register_buffer("letter_ids", torch.tensor(ids.letters), persistent=False)
        self.register_buffer("state_ids", torch.tensor((*ids.letters, ids.mask)), persistent=False)
        self.register_buffer("before", torch.tensor(ids.before, dtype=torch.int64), persistent=False)
        self.register_buffer("after", torch.tensor(ids.after, dtype=torch.int64), persistent=False)

    def forward(self, x_t: State) -> Float[Tensor, "b l v"]:
        """Return `[b, L, V]` logits, from letters `[b, L]` or from their one-hot relaxation `[b, L, V + 1]`."""
        length = x_t.shape[1]
        if x_t.is_floating_point():
            table = self.language_model.get_input_embeddings().weight  # type: ignore[operator]
            around = [table[ids].expand(len(x_t), -1, -1) for ids in (self.before, self.after)]
            embedded = torch.cat([around[0], x_t @ table[self.state_ids], around[1]], dim=1)
            if getattr(self.language_model.config, "token_dropout", False):
                embedded = self._drop_masks(embedded, x_t[..., -1], table[self.ids.mask])
            logits = self.language_model(inputs_embeds=embedded).logits
        else:
            around = [ids.expand(len(x_t), -1) for ids in (self.before, self.after)]  # type: ignore[operator]
            logits = self.language_model(input_ids=torch.cat([around[0], self.state_ids[x_t], around[1]], dim=1)).logits  # type: ignore[index]
        start = len(self.ids.before)
        return logits[:, start : start + length][..., self.letter_ids]  # type: ignore[no-any-return]

    def _drop_masks(self, embedded: Tensor, masked: Tensor, mask: Tensor) -> Tensor:
        """Zero the masks and scale the rest up, as ESM-2 does to token ids but not to embeddings."""
        start, length = len(self.ids.before), masked.shape[1]
        before, inside, after = torch.split(embedded, [start, length, embedded.shape[1] - start - length], dim=1)
        dropped = torch.cat([before, inside - masked[..., None] * mask, after], dim=1)
        observed = masked.sum(-1) / embedded.shape[1]
        return dropped * ((1 - 0.15 * 0.8) / (1 - observed))[:, None, None]  # the share masked in ESM-2's training


@dataclass(frozen=True)
class MaskedLM:
    """A masked diffusion model of sequences of one length.

    Args:
        versions: The backbone under its three versions.
        alphabet: Its letters.
        length: Positions L.
        num_steps: Denoising steps K; one position a step at K = L.
        precision: ``"bfloat16"`` multiplies matrices in it, ``"auto"`` where the device is quick at it; logits stay
            float32.
    """

    versions: Versions
    alphabet: Letters
    length: int
    num_steps: int
    precision: Precision = "float32"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(L,)."""
        return (self.length,)

    @property
    def kind(self) -> str:
        """Kind of its designs."""
        return self.alphabet.kind

    @property
    def filler(self) -> int | None:
        """The letter that fills short designs up to L; None where all designs have one length."""
        return getattr(self.alphabet, "empty", None)

    def holding(self, row: Sequence[int], smarts: str) -> list[bool]:
        """Return which letters of a molecule hold an atom of a substructure.

        Raises:
            TypeError: If the designs are no molecules.
        """
        if not isinstance(self.alphabet, Fragmented):
            raise TypeError(f"only molecules have substructures, this model's designs are {self.alphabet.kind!r}")
        return self.alphabet.holding(row, smarts)

    @cached_property
    def process(self) -> MaskedDiffusion:
        """Masked diffusion with K steps."""
        return MaskedDiffusion(vocabulary=len(self.alphabet), num_steps=self.num_steps)

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b l v"]:
        """Return logits over letters at every position; the step does not matter."""
        if self.precision == "float32" or (self.precision == "auto" and not quick_in_half(x_t.device.type)):
            return self.versions(x_t)
        with torch.autocast(x_t.device.type, torch.bfloat16):
            return self.versions(x_t).float()

    def decode(self, x_0: State) -> State:
        """Return the letters as they are."""
        return x_0

    def distance(self, x: Int64[Tensor, "n l"], z: Int64[Tensor, "m l"]) -> Float[Tensor, "n m"]:
        """Return the distance between designs that suits them: Hamming's, or Tanimoto's for molecules."""
        return self.alphabet.distance(x, z)

    def export(self, x_0: Int64[Tensor, "n l"]) -> list[Design]:
        """Return sequences as designs."""
        return self.alphabet.write(x_0)

    def ingest(self, designs: Sequence[Design]) -> Int64[Tensor, "n l"]:
        """Return designs as sequences; raises `ValueError` on one that is not of this model."""
        return self.alphabet.read(designs, self.length).to(self.versions.device)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the current version in Hugging Face's format (safetensors), with `seiko.json` beside it.

        Side networks go into files of their own, `side-0.safetensors` and so on, which `MaskedLMSource` reads back;
        other programs see the backbone without them.
        """
        backbone, sides = self.versions.merged(), list[Side]()
        while isinstance(backbone, SideBackbone):
            sides.insert(0, backbone.side)
            backbone = backbone.backbone
        assert isinstance(backbone, TokenBackbone)
        written = save_language_model(
            backbone.language_model, backbone.ids, self.alphabet, self.length, folder, sides=[s.sizes for s in sides]
        )
        for i, side in enumerate(sides):
            save_file(side.state_dict(), written / _side_weights(i))
        return written


def save_language_model(
    language_model: Any,
    ids: TokenIds,
    alphabet: Letters,
    length: int,
    folder: str | Path,
    provenance: dict[str, Any] | None = None,
    sides: Sequence[dict[str, int]] = (),
) -> Path:
    """Write a language model so that `MaskedLMSource` reads it back; `sides` are the sizes of its side networks."""
    folder = Path(folder)
    language_model.save_pretrained(folder, safe_serialization=True)
    side: dict[str, Any] = {
        "alphabet": asdict(alphabet),  # type: ignore[call-overload]
        "token_ids": asdict(ids),
        "length": length,
        "provenance": provenance or {},
    }
    if sides:
        side["side_networks"] = list(sides)
    (folder / SIDE_FILE).write_text(json.dumps(side, indent=2) + "\n")
    return folder


@dataclass(frozen=True, kw_only=True)
class MaskedLMSource:
    """Which masked language model to load, and how it may move.

    Args:
        name: A local directory, a hub name, or ``"seiko:NAME"`` for a prior that travels in the package.
        tuning: `FullFineTuning` for small backbones, `LoRA` for large ones, `SideNetwork` for short sequences.
        num_steps: Denoising steps; None reveals one position a step.
        alphabet: Letters; None reads them from the directory's `seiko.json`.
        length: Positions; None reads it from the directory's `seiko.json`.
        molecules: What a row of a molecule model without `seiko.json` is: ``"smiles"`` (SAFE too) or ``"selfies"``. Its
            letters are its tokenizer's, and its padding token fills short rows up.
        device: Where the model runs.
        precision: ``"bfloat16"`` multiplies matrices in it: two to three times as quick where the processor can (and
            far slower where not), at the price that a design may depend on the batch it is drawn in; ``"auto"``
            does so where the device is quick at it.
    """

    name: str
    tuning: Tuning = field(default_factory=FullFineTuning)
    num_steps: int | None = None
    alphabet: Letters | None = None
    length: int | None = None
    molecules: Literal["selfies", "smiles"] | None = None
    device: str = "cpu"
    precision: Precision = "float32"

    def locate(self) -> Path | str:
        """Return the directory, or the hub name if there is no such directory.

        Raises:
            FileNotFoundError: If the name is a path that does not exist, or no shipped prior has it.
        """
        return locate(self.name)

    def load(self) -> MaskedLM:
        """Load the weights (safetensors only) and attach the three versions.

        Raises:
            FileNotFoundError: If there is no such model.
            ValueError: If alphabet or length are neither given nor written beside the model.
        """
        from transformers import AutoModelForMaskedLM, AutoTokenizer

        where = self.locate()
        side = self._side_file(where)
        if side and self.alphabet and list(self.alphabet.letters) != side["alphabet"]["letters"]:
            raise ValueError(f"{self.name!r} has the letters {side['alphabet']['letters']}: leave alphabet out")
        alphabet = self.alphabet or (alphabet_of(side["alphabet"]) if side else None)
        length = self.length or (side["length"] if side else None)
        tokenizer = None if side else AutoTokenizer.from_pretrained(where)
        if alphabet is None and self.molecules is not None:
            alphabet = _fragments(tokenizer, self.molecules)
        if alphabet is None or length is None:
            raise ValueError(
                f"{self.name!r} has no {SIDE_FILE}: say alphabet=Alphabet.protein() (or another), or "
                'molecules="smiles", and length=...'
            )
        ids = TokenIds(**_tuples(side["token_ids"])) if side else TokenIds.from_tokenizer(tokenizer, alphabet)
        # the fused attention is the slower one on short sequences, backwards
        attention = {"attn_implementation": "eager"} if length <= SHORT else {}
        language_model = AutoModelForMaskedLM.from_pretrained(
            where, use_safetensors=True, dtype=torch.float32, **attention
        )
        backbone: nn.Module = TokenBackbone(language_model, ids, length)
        for i, sizes in enumerate((side or {}).get("side_networks", ())):
            network = Side(length, len(alphabet), **sizes)
            network.load_state_dict(load_file(Path(where) / _side_weights(i)))
            backbone = SideBackbone(backbone, network)
        backbone = backbone.to(device_named(self.device))
        return MaskedLM(self.tuning.attach(backbone), alphabet, length, self.num_steps or length, self.precision)

    def _side_file(self, where: Path | str) -> dict[str, Any] | None:
        path = Path(where) / SIDE_FILE
        if not path.is_file():
            return None
        side: dict[str, Any] = json.loads(path.read_text())
        return side


@cache
def quick_in_half(device: str) -> bool:
    """Whether a kind of device multiplies in bfloat16 faster than in float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def _fragments(tokenizer: Any, syntax: Literal["selfies", "smiles"]) -> Letters:
    """Return the letters of a molecule model: all tokens that are not special, in the order of their ids.

    Raises:
        ValueError: If there is no padding token.
    """
    from seiko.chemistry import FragmentAlphabet

    if tokenizer.pad_token is None:
        raise ValueError("the tokenizer has no padding token: rows of molecules could not be filled up")
    special = set(tokenizer.all_special_tokens)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return FragmentAlphabet.of_vocabulary([token for token, _ in vocabulary if token not in special], syntax)


def _side_weights(i: int) -> str:
    return f"side-{i}.safetensors"


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
