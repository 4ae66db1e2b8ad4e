"""A masked model of molecules that somebody else trained, in a local directory as the hub has it (as GenMol's are)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seiko.designs import INVALID, Design
from seiko.diffusion import Noise, draw
from seiko.models import MaskedLM, MaskedLMSource, ModelPolicy

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("rdkit")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = ["C", "c", "N", "O", "(", ")", "=", "1", "Cl", "C(=O)"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny random BERT over SMILES, with its tokenizer; it likes C and the padding."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    vocabulary = [*SPECIAL, *TOKENS]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"C\(=O\)|\[[^\]]+\]|Br|Cl|."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    place = tmp_path_factory.mktemp("hub")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(place)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForMaskedLM(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=16, **sizes))
    with torch.no_grad():
        model.cls.predictions.bias[[0, vocabulary.index("C")]] = 4.0
    model.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> MaskedLM:
    return MaskedLMSource(name=str(folder), molecules="smiles", length=8).load()


def test_its_letters_are_the_tokens_and_the_padding_fills_up(model: MaskedLM) -> None:
    assert model.alphabet.letters == (*TOKENS, "")
    assert (model.kind, model.filler, model.event_shape) == ("smiles", len(TOKENS), (8,))


def test_molecules_are_read_symbol_by_symbol(model: MaskedLM) -> None:
    x = model.ingest([Design("CC(N)=O", "smiles")])
    assert [model.alphabet.letters[token] for token in x[0].tolist()] == ["C", "C", "(", "N", ")", "=", "O", ""]
    assert model.export(x) == [Design("CC(N)=O", "smiles")]


def test_what_it_draws_is_a_molecule_or_invalid(model: MaskedLM) -> None:
    x = draw(ModelPolicy(model), None, Noise.seeded(0, 200))
    kinds = {design.kind for design in model.export(x)}
    assert kinds == {"smiles", INVALID}


def test_without_saying_what_its_rows_are_it_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="molecules="):
        MaskedLMSource(name=str(folder), length=8).load()


def test_a_molecule_with_another_letter_is_named(model: MaskedLM) -> None:
    with pytest.raises(ValueError, match="'CBr' has Br"):
        model.ingest([Design("CBr", "smiles")])
