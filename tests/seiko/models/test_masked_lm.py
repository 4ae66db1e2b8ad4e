from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer, EsmConfig, EsmForMaskedLM, EsmTokenizer

from seiko.chemistry import FragmentAlphabet, morgan_counts, tanimoto, to_symbols
from seiko.designs import Design
from seiko.diffusion import Noise, rollout
from seiko.models import Alphabet, Architecture, FullFineTuning, LoRA, MaskedLM, MaskedLMSource, ModelPolicy
from seiko.models.masked_lm import TokenBackbone, TokenIds, save_language_model

LENGTH = 6
TINY: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 16,
}
# the vocabulary of ESM-2, in its order
ESM = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]


def sharpen(language_model: Any) -> None:
    """Make random weights decisive, so that a wrong input changes the logits visibly."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in language_model.parameters():
            p.copy_(0.3 * torch.randn(p.shape))


def save_esm(folder: Path, token_dropout: bool = True) -> Path:
    """Write what the hub holds for ESM-2: weights, configuration and the tokenizer's vocabulary; no seiko.json."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(ESM))
    EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = EsmConfig(
        **TINY,
        vocab_size=len(ESM),
        mask_token_id=ESM.index("<mask>"),
        pad_token_id=ESM.index("<pad>"),
        position_embedding_type="rotary",
        token_dropout=token_dropout,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
    )
    language_model = EsmForMaskedLM(config)
    sharpen(language_model)
    language_model.save_pretrained(folder)
    return folder


def save_bert(folder: Path) -> Path:
    """Write a BERT over the letters of DNA as the hub would hold it."""
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "T", "G", "C", "A"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
    language_model = BertForMaskedLM(BertConfig(**TINY, vocab_size=len(words), pad_token_id=0))
    sharpen(language_model)
    language_model.save_pretrained(folder)
    return folder


def save_own(folder: Path, kind: Any) -> Path:
    language_model = Architecture(kind=kind, width=16, layers=1, heads=2).build(4, LENGTH)
    sharpen(language_model)
    return save_language_model(language_model, TokenIds.plain(Alphabet.dna()), Alphabet.dna(), LENGTH, folder)


@pytest.fixture(params=["own bert", "own esm", "hub bert", "hub esm", "hub esm without token dropout"])
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., MaskedLM]:
    """Return how to load one of five saved models."""
    kind, folder = request.param, tmp_path / "model"
    extra: dict[str, Any] = {}
    if kind.startswith("own"):
        save_own(folder, kind.removeprefix("own "))
    elif kind == "hub bert":
        save_bert(folder)
        extra = {"alphabet": Alphabet.dna(), "length": LENGTH}
    else:
        save_esm(folder, token_dropout="without" not in kind)
        extra = {"alphabet": Alphabet.protein(), "length": LENGTH}
    return lambda **more: MaskedLMSource(name=str(folder), **extra, **more).load()


def partly_masked(model: MaskedLM) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, len(model.alphabet) + 1, (5, LENGTH), generator=generator)


def test_the_letters_of_a_hub_model_come_from_its_tokenizer(tmp_path: Path) -> None:
    source = MaskedLMSource(name=str(save_esm(tmp_path / "esm")), alphabet=Alphabet.protein(), length=LENGTH)
    ids = source.load().versions.merged().ids
    assert ids.letters == tuple(ESM.index(letter) for letter in Alphabet.protein().letters)
    assert (ids.before, ids.after, ids.mask) == ((0,), (2,), 32)
    source = MaskedLMSource(name=str(save_bert(tmp_path / "bert")), alphabet=Alphabet.dna(), length=LENGTH)
    assert source.load().versions.merged().ids == TokenIds(letters=(8, 7, 6, 5), mask=4, before=(2,), after=(3,))


def test_logits_are_those_of_the_language_model_itself(tmp_path: Path) -> None:
    folder = save_esm(tmp_path / "esm")
    model = MaskedLMSource(name=str(folder), alphabet=Alphabet.protein(), length=LENGTH).load()
    x_t = torch.tensor([[0, 20, 19, 20, 20, 4]])  # A _ Y _ _ F
    ids = [ESM.index(word) for word in ("<cls>", "A", "<mask>", "Y", "<mask>", "<mask>", "F", "<eos>")]
    language_model = EsmForMaskedLM.from_pretrained(folder).eval()
    expected = language_model(input_ids=torch.tensor([ids])).logits[0, 1:-1]
    ours = model.predict(x_t, 3)[0]
    for i, letter in enumerate(Alphabet.protein().letters):
        torch.testing.assert_close(ours[:, i], expected[:, ESM.index(letter)])


def test_relaxed_states_give_the_logits_of_the_letters(load: Callable[..., MaskedLM]) -> None:
    model = load()
    x_t = partly_masked(model)
    soft = torch.nn.functional.one_hot(x_t, len(model.alphabet) + 1).float().requires_grad_()
    torch.testing.assert_close(model.predict(soft, 1), model.predict(x_t, 1), atol=1e-4, rtol=1e-4)
    model.predict(soft, 1)[:, 0].square().sum().backward()
    assert float(soft.grad.abs().max()) > 0  # type: ignore[union-attr]


def test_a_design_is_the_same_whatever_the_batch(load: Callable[..., MaskedLM]) -> None:
    model = load()
    policy, noise = ModelPolicy(model), Noise.seeded(0, 64)
    whole = rollout(policy, None, noise).x_0
    assert len(whole.unique(dim=0)) > 5
    for size in (1, 7):
        parts = torch.cat([rollout(policy, None, noise[i : i + size]).x_0 for i in range(0, 64, size)])
        assert torch.equal(parts, whole)


@pytest.mark.parametrize("tuning", [FullFineTuning(), LoRA(rank=2)], ids=["full", "lora"])
def test_the_current_version_is_saved_and_loaded_again(
    load: Callable[..., MaskedLM], tuning: Any, tmp_path: Path
) -> None:
    model = load(tuning=tuning)
    x_t = partly_masked(model)
    pretrained = model.predict(x_t, 1).detach()
    with torch.no_grad():
        for p in model.versions.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    current = model.predict(x_t, 1).detach()
    assert not torch.allclose(current, pretrained, atol=1e-2)
    torch.testing.assert_close(model.versions.merged()(x_t), current, atol=1e-4, rtol=1e-4)
    folder = model.save_pretrained(tmp_path / "saved")
    again = MaskedLMSource(name=str(folder)).load()
    torch.testing.assert_close(again.predict(x_t, 1), current, atol=1e-4, rtol=1e-4)
    with model.versions.use("pretrained"):
        torch.testing.assert_close(model.predict(x_t, 1), pretrained)
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors"}


def test_sequences_are_designs(load: Callable[..., MaskedLM]) -> None:
    model = load()
    x_0 = rollout(ModelPolicy(model), None, Noise.seeded(0, 5)).x_0
    assert model.event_shape == (LENGTH,)
    assert torch.equal(model.ingest(model.export(x_0)), x_0)
    assert torch.equal(model.decode(x_0), x_0)
    expected = (x_0[:, None] != x_0[None, :2]).sum(-1).float()
    assert torch.equal(model.distance(x_0, x_0[:2]), expected)
    assert model.process.num_steps == LENGTH


def test_fewer_steps_reveal_several_positions(tmp_path: Path) -> None:
    model = MaskedLMSource(name=str(save_own(tmp_path / "own", "bert")), num_steps=2).load()
    states = rollout(ModelPolicy(model), None, Noise.seeded(0, 3)).states
    assert [int((state == 4).sum(-1).max()) for state in states] == [6, 3, 0]


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    for name in (str(tmp_path / "absent"), "./absent", "a/b/c"):
        with pytest.raises(FileNotFoundError, match="there is no model directory"):
            MaskedLMSource(name=name).load()


@pytest.mark.parametrize("name", ["seiko:absent", "seiko:../models", "seiko:"])
def test_a_prior_that_is_not_shipped_is_refused(name: str) -> None:
    with pytest.raises(FileNotFoundError, match="no shipped prior is called"):
        MaskedLMSource(name=name).load()


def test_a_model_of_the_hub_needs_an_alphabet_and_a_length(tmp_path: Path) -> None:
    folder = save_esm(tmp_path / "esm")
    for source in (
        MaskedLMSource(name=str(folder)),
        MaskedLMSource(name=str(folder), length=LENGTH),
        MaskedLMSource(name=str(folder), alphabet=Alphabet.protein()),
    ):
        with pytest.raises(ValueError, match=r"has no seiko\.json: say alphabet="):
            source.load()


def test_another_alphabet_than_the_saved_one_is_refused(tmp_path: Path) -> None:
    folder = save_own(tmp_path / "own", "bert")
    with pytest.raises(ValueError, match="leave alphabet out"):
        MaskedLMSource(name=str(folder), alphabet=Alphabet.protein()).load()
    assert MaskedLMSource(name=str(folder), alphabet=Alphabet.dna()).load().length == LENGTH


def test_a_letter_that_the_tokenizer_does_not_know_is_named(tmp_path: Path) -> None:
    folder = save_esm(tmp_path / "esm")
    alphabet = Alphabet(letters=("A", "J"), kind="protein")
    with pytest.raises(ValueError, match="no token for the letter 'J'"):
        MaskedLMSource(name=str(folder), alphabet=alphabet, length=LENGTH).load()


def test_only_safetensors_are_read(tmp_path: Path) -> None:
    folder = save_own(tmp_path / "own", "bert")
    language_model = BertForMaskedLM.from_pretrained(folder)
    torch.save(language_model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"safetensors"):
        MaskedLMSource(name=str(folder)).load()


def test_a_backbone_without_special_tokens_takes_states_as_they_are() -> None:
    language_model = Architecture(width=16, layers=1, heads=2).build(4, LENGTH).eval()
    backbone = TokenBackbone(language_model, TokenIds.plain(Alphabet.dna()))
    x_t = torch.full((2, LENGTH), 4)
    torch.testing.assert_close(backbone(x_t), language_model(input_ids=x_t).logits[..., :4])


MOLECULES = ["CCO", "CC(=O)O", "c1ccccc1", "CCN", "Cc1ccccc1", "CC(N)=O", "C1CCOC1", "Oc1ccccc1"]


def save_molecules(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    alphabet = FragmentAlphabet.learn([to_symbols(smiles, "selfies") for smiles in MOLECULES], 20, "selfies")
    language_model = Architecture(width=16, layers=2, heads=2).build(len(alphabet), LENGTH)
    sharpen(language_model)
    return save_language_model(language_model.to(dtype), TokenIds.plain(alphabet), alphabet, LENGTH, folder)


def molecule_model(folder: Path, **more: Any) -> MaskedLM:
    return MaskedLMSource(name=str(save_molecules(folder)), **more).load()


def test_a_molecule_model_comes_back_with_its_letters(tmp_path: Path) -> None:
    model = molecule_model(tmp_path / "a")
    assert (model.kind, model.filler, model.event_shape) == ("smiles", len(model.alphabet) - 1, (LENGTH,))
    again = MaskedLMSource(name=str(model.save_pretrained(tmp_path / "b"))).load()
    assert again.alphabet == model.alphabet
    x_t = partly_masked(model)
    torch.testing.assert_close(again.predict(x_t, 1), model.predict(x_t, 1))
    x_0 = rollout(ModelPolicy(model), None, Noise.seeded(0, 30)).x_0
    assert again.export(x_0) == model.export(x_0)
    designs = [Design(smiles, "smiles") for smiles in MOLECULES]
    assert model.export(model.ingest(designs)) == designs
    assert model.ingest(designs).shape == (8, LENGTH)


def test_molecules_are_apart_by_fingerprint(tmp_path: Path) -> None:
    model = molecule_model(tmp_path / "a")
    x = model.ingest([Design(smiles, "smiles") for smiles in MOLECULES])
    expected = 1 - tanimoto(morgan_counts(MOLECULES), morgan_counts(MOLECULES[:2]))
    torch.testing.assert_close(model.distance(x, x[:2]), expected)


def test_letters_that_hold_a_substructure_are_the_alphabet_s_to_tell(tmp_path: Path) -> None:
    model = molecule_model(tmp_path / "a")
    row = model.ingest([Design("Oc1ccccc1", "smiles")])[0].tolist()
    assert model.holding(row, "[OH]") == model.alphabet.holding(row, "[OH]")  # type: ignore[attr-defined]
    assert sum(model.holding(row, "[OH]")) == 1
    dna = MaskedLMSource(name=str(save_own(tmp_path / "own", "bert"))).load()
    assert (dna.kind, dna.filler) == ("dna", None)
    with pytest.raises(TypeError, match="only molecules have substructures, this model's designs are 'dna'"):
        dna.holding([0] * LENGTH, "C")


@pytest.mark.parametrize("kind", ["bert", "esm"])
def test_bfloat16_is_close_to_float32(tmp_path: Path, kind: Any) -> None:
    folder = save_own(tmp_path / "own", kind)
    exact, rounded = (MaskedLMSource(name=str(folder), precision=p).load() for p in ("float32", "bfloat16"))  # type: ignore[arg-type]
    x_t = partly_masked(exact)
    expected, found = exact.predict(x_t, 1), rounded.predict(x_t, 1)
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    error = (found.softmax(-1) - expected.softmax(-1)).detach().abs().max()
    assert float(error) < 0.05
    found[..., 0].sum().backward()
    gradients = [p.grad for p in rounded.versions.parameters() if p.grad is not None]
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    assert {p.dtype for p in rounded.versions.parameters()} == {torch.float32}


def test_weights_in_half_precision_are_read_in_full(tmp_path: Path) -> None:
    half = MaskedLMSource(name=str(save_molecules(tmp_path / "half", torch.float16))).load()
    whole = molecule_model(tmp_path / "whole")
    assert {p.dtype for p in half.versions.parameters()} == {torch.float32}
    x_t = partly_masked(whole)
    torch.testing.assert_close(half.predict(x_t, 1), whole.predict(x_t, 1), atol=0.05, rtol=0.02)
