from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file

from seiko.chemistry import FragmentAlphabet, to_symbols
from seiko.designs import Design
from seiko.diffusion import Noise, rollout
from seiko.models import Alphabet, Architecture, MaskedLMSource, ModelPolicy, Pretraining, PretrainProgress
from seiko.models.pretrain import cool

SMALL = Architecture(width=16, layers=1, heads=2)
TINY = Pretraining(architecture=SMALL, steps=40, batch=32, learning_rate=1e-2, every=10, average=0.9)


def language(count: int = 200) -> torch.Tensor:
    """Return sequences of a toy language: a random first letter, then always the next one of the alphabet."""
    first = torch.randint(0, 4, (count, 1), generator=torch.Generator().manual_seed(0))
    return (first + torch.arange(4)) % 4


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("kind", ["bert", "esm"])
def test_the_model_learns_the_language(kind: Any, tmp_path: Path) -> None:
    training = Pretraining(
        architecture=Architecture(kind=kind, width=32, layers=1, heads=2),
        steps=150,
        batch=64,
        learning_rate=1e-2,
        every=75,
        average=0.9,
    )
    seen: list[PretrainProgress] = []
    loss = training.run(language(), Alphabet.dna(), tmp_path, provenance={"script": "test"}, report=seen.append)
    # a masked letter costs log 4 if all are masked, one draw in four, and nothing beside a letter that is known
    assert 0.2 * math.log(4) < loss < 0.75 * math.log(4)
    assert [progress.step for progress in seen] == [75, 150]
    side = json.loads((tmp_path / "seiko.json").read_text())
    assert side["provenance"]["script"] == "test"
    assert side["provenance"]["validation_nats_per_token"] == loss
    assert not (tmp_path / "checkpoint.pt").exists()
    model = MaskedLMSource(name=str(tmp_path)).load()
    x_0 = rollout(ModelPolicy(model), None, Noise.seeded(0, 100)).x_0
    fluent = ((x_0[:, 1:] - x_0[:, :-1]) % 4 == 1).all(-1)
    assert float(fluent.float().mean()) > 0.2  # by chance 1 in 64


@pytest.mark.parametrize("at", [10, 20, 40])
def test_an_interrupted_run_ends_in_the_same_weights(tmp_path: Path, at: int) -> None:
    whole = TINY.run(language(), Alphabet.dna(), tmp_path / "whole")

    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(language(), Alphabet.dna(), tmp_path / "resumed", report=interrupt)
    assert (tmp_path / "resumed" / "checkpoint.pt").exists() == (at > 10)
    seen: list[int] = []
    resumed = TINY.run(
        language(), Alphabet.dna(), tmp_path / "resumed", report=lambda progress: seen.append(progress.step)
    )
    assert seen[0] == at  # it went on where the last checkpoint stood
    assert resumed == whole
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "resumed")
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_seed_says_everything(tmp_path: Path) -> None:
    torch.manual_seed(7)
    first = TINY.run(language(), Alphabet.dna(), tmp_path / "a")
    torch.manual_seed(8)
    assert TINY.run(language(), Alphabet.dna(), tmp_path / "b") == first


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(language(), Alphabet.dna(), tmp_path, report=interrupt)
    other = Pretraining(architecture=TINY.architecture, steps=40, batch=32, learning_rate=1e-2, every=10, seed=1)
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        other.run(language(), Alphabet.dna(), tmp_path)
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        TINY.run(language(100), Alphabet.dna(), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch": -1}, "batch must be at least 1, got -1"),
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"validation_share": 1.0}, "validation_share must lie between 0 and 1, got 1.0"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pretraining(**wrong)


def test_one_sequence_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 2 sequences, got 1"):
        TINY.run(language(1), Alphabet.dna(), tmp_path)


def test_weights_are_shipped_in_half_precision_and_read_in_full(tmp_path: Path) -> None:
    training = dataclasses.replace(TINY, shipped="float16")
    loss, exact = (
        training.run(language(), Alphabet.dna(), tmp_path / "half"),
        TINY.run(language(), Alphabet.dna(), tmp_path / "whole"),
    )
    assert loss == exact
    half, whole = weights(tmp_path / "half"), weights(tmp_path / "whole")
    assert {value.dtype for value in half.values()} == {torch.float16}
    assert all(torch.equal(half[name], value.half()) for name, value in whole.items())
    size = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "whole")]
    assert size[0] < 0.7 * size[1]
    model = MaskedLMSource(name=str(tmp_path / "half")).load()
    assert {p.dtype for p in model.versions.parameters()} == {torch.float32}
    x_t = torch.tensor([[0, 4, 4, 3], [4, 4, 4, 4]])
    expected = MaskedLMSource(name=str(tmp_path / "whole")).load().predict(x_t, 1)
    torch.testing.assert_close(model.predict(x_t, 1), expected, atol=0.05, rtol=0.01)
    assert json.loads((tmp_path / "half" / "seiko.json").read_text())["provenance"]["training"]["shipped"] == "float16"


def test_training_in_bfloat16_learns_the_same_and_keeps_full_weights(tmp_path: Path) -> None:
    exact = TINY.run(language(), Alphabet.dna(), tmp_path / "exact")
    loss = dataclasses.replace(TINY, precision="bfloat16").run(language(), Alphabet.dna(), tmp_path / "rounded")
    assert loss != exact
    assert loss == pytest.approx(exact, rel=0.1)
    assert {value.dtype for value in weights(tmp_path / "rounded").values()} == {torch.float32}


def test_a_checkpoint_of_another_precision_is_refused(tmp_path: Path) -> None:
    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(language(), Alphabet.dna(), tmp_path, report=interrupt)
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        dataclasses.replace(TINY, precision="bfloat16").run(language(), Alphabet.dna(), tmp_path)


def test_molecules_are_learnt_with_their_filling(tmp_path: Path) -> None:
    rows = [to_symbols(smiles, "selfies") for smiles in ("CCO", "CCN", "c1ccccc1", "CC(=O)O")]
    alphabet = FragmentAlphabet.learn(rows, 14, "selfies")
    designs = [Design(smiles, "smiles") for smiles in ("CCO", "CCN", "c1ccccc1", "CC(=O)O")] * 25
    training = dataclasses.replace(TINY, steps=120, every=60)
    training.run(alphabet.read(designs), alphabet, tmp_path)
    model = MaskedLMSource(name=str(tmp_path)).load()
    assert model.alphabet == alphabet
    drawn = model.export(rollout(ModelPolicy(model), None, Noise.seeded(0, 60)).x_0)
    assert sum(design in designs for design in drawn) > 10  # of random rows about one in twenty
    assert all(design.kind == "smiles" for design in drawn)


@pytest.mark.parametrize("kind", ["bert", "esm"])
def test_a_temperature_divides_the_logits_and_nothing_else(kind: Literal["bert", "esm"]) -> None:
    torch.manual_seed(0)
    lm = Architecture(kind=kind, width=16, layers=1, heads=2).build(4, 6).eval()
    with torch.no_grad():
        (lm.cls.predictions.bias if kind == "bert" else lm.lm_head.bias).normal_()
    x = torch.randint(5, (3, 6))
    before, read_by = lm(input_ids=x).logits.detach(), lm.get_input_embeddings().weight.detach().clone()
    cool(lm, 0.5)
    torch.testing.assert_close(lm(input_ids=x).logits, 2 * before, rtol=1e-4, atol=1e-5)
    assert torch.equal(lm.get_input_embeddings().weight, read_by)


def test_a_temperature_must_be_positive() -> None:
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        Pretraining(temperature=0.0)
