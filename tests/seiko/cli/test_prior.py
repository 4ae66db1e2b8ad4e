"""`pretrain`: files of several makes, bad lines named, an interrupted training goes on to the same weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from seiko.cli import prior
from seiko.cli.errors import InputError
from seiko.cli.sequences import alphabet_named, read_sequences, tokens
from seiko.models import MaskedLMSource

Invoke = Callable[..., Result]
SMALL = ["--width", "8", "--layers", "1", "--heads", "2", "--batch", "8", "--steps", "20"]
LINES = "".join(f"{a}{b}{c}{d}\n" for a in "ACG" for b in "CG" for c in "GT" for d in "ACT")


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    path = tmp_path / "seqs.txt"
    path.write_text(LINES)
    return path


def test_a_model_is_trained_and_can_be_sampled(seiko: Invoke, sequences: Path, tmp_path: Path) -> None:
    result = seiko("pretrain", "seqs.txt", "--out", "m", *SMALL)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["model"] == "m"
    assert summary["sequences"] == 36
    assert 0 < summary["validation_nats_per_token"] < 2
    assert "step 20/20  loss" in result.stderr
    assert "steps/s" in result.stderr
    side = json.loads((tmp_path / "m" / "seiko.json").read_text())
    assert side["length"] == 4
    assert side["provenance"]["data_sha256"] == hashlib.sha256(sequences.read_bytes()).hexdigest()
    assert not (tmp_path / "m" / "checkpoint.pt").exists()
    assert seiko("sample", "m", "--n", "3").exit_code == 0
    again = seiko("pretrain", "seqs.txt", "--out", "m", *SMALL)
    assert again.exit_code == 2
    assert "m holds a model already" in again.stderr
    assert seiko("pretrain", "seqs.txt", "--out", "m", *SMALL, "--force").stdout == result.stdout


def test_an_interrupted_training_goes_on_to_the_same_weights(
    seiko: Invoke, sequences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = seiko("pretrain", "seqs.txt", "--out", "whole", *SMALL)
    report = prior._Bar.report

    def interrupt(bar: Any, seen: Any) -> None:
        report(bar, seen)
        if seen.step == 10:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prior._Bar, "report", interrupt)
        stopped = seiko("pretrain", "seqs.txt", "--out", "m", *SMALL)
    assert stopped.exit_code == 130
    assert "run the same command again" in stopped.stderr
    assert (tmp_path / "m" / "checkpoint.pt").is_file()
    other = seiko("pretrain", "seqs.txt", "--out", "m", *SMALL, "--seed", "1")
    assert other.exit_code == 2
    assert "another training" in other.stderr
    resumed = seiko("pretrain", "seqs.txt", "--out", "m", *SMALL)
    assert resumed.exit_code == 0, resumed.output
    assert "step 2/20" not in resumed.stderr
    assert resumed.stdout == whole.stdout.replace("whole", "m")
    models = [MaskedLMSource(name=str(tmp_path / name)).load() for name in ("m", "whole")]
    for one, two in zip(*(model.versions.parameters() for model in models), strict=True):
        assert one.equal(two)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ACGT\n\n tttt \r\nGGGG", [(1, "ACGT"), (3, "tttt"), (4, "GGGG")]),
        ("\ufeffACGT\nGGGG\n", [(1, "ACGT"), (2, "GGGG")]),
        (">a\nAC\nGT\n>b\nGGGG\n", [(1, "ACGT"), (4, "GGGG")]),
        ("name,sequence\nx,ACGT\n\ny,GGGG\n", [(2, "ACGT"), (4, "GGGG")]),
        ("design\tvalue\nACGT\t1\nGGGG\t2\n", [(2, "ACGT"), (3, "GGGG")]),
        ("sequence\nACGT\n", [(2, "ACGT")]),
    ],
)
def test_files_of_several_makes(tmp_path: Path, text: str, found: list[tuple[int, str]]) -> None:
    path = tmp_path / "s"
    path.write_text(text, newline="")
    assert read_sequences(path) == found


def test_sequences_become_tokens() -> None:
    rows = [(1, "ACGT"), (2, "ttgg")]
    assert tokens(Path("s"), rows, alphabet_named("dna"), None).tolist() == [[0, 1, 2, 3], [3, 3, 2, 2]]
    assert tokens(Path("s"), [(1, "0 3 12")], alphabet_named("tokens:13"), 3).tolist() == [[0, 3, 12]]
    assert len(alphabet_named("protein")) == 20


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("ACGT\nACXT\n", [], "line 2: 'X' at position 3 is not one of the 4 letters of the alphabet dna"),
        ("ACGT\nACGTA\nACG\nGGGG\n", [], "2 of 4 sequences do not have 4 letters, the first on line 2 has 5"),
        ("ACGT\nGGGG\n", ["--length", "5"], "2 of 2 sequences do not have 5 letters"),
        ("", [], "holds no sequence"),
        (">a\nACGT\n>b\n>c\nACGT\n", [], "line 3: there is no sequence"),
        ("name,value\na,1\n", [], "without a column called sequence"),
        ("name,sequence\na,ACGT\nb,\n", [], "line 3: there is no sequence"),
        ("ACGT\n", [], "at least 2 sequences"),
        ("ACGT\nGGGG\n", ["--alphabet", "rna"], "--alphabet must be dna, protein or tokens:N, got 'rna'"),
        ("ACGT\nGGGG\n", ["--alphabet", "tokens:1"], "at least 2 tokens"),
        ("ACGT\nGGGG\n", ["--width", "10"], "--width must be a multiple of --heads, got 10 and 4"),
        ("ACGT\nGGGG\n", ["--steps", "0"], "--steps"),
        ("ACGT\nGGGG\n", ["--learning-rate", "0"], "--learning-rate must lie between 0 and 1, got 0.0"),
        ("ACGT\nGGGG\n", ["--architecture", "gpt"], "gpt"),
    ],
)
def test_wrong_input_is_named(seiko: Invoke, tmp_path: Path, text: str, options: list[str], message: str) -> None:
    (tmp_path / "s.txt").write_text(text)
    result = seiko("pretrain", "s.txt", "--out", "m", *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "m" / "model.safetensors").exists()


def test_a_missing_or_binary_file_is_named(seiko: Invoke, tmp_path: Path) -> None:
    result = seiko("pretrain", "none.txt", "--out", "m")
    assert result.exit_code == 2
    assert "none.txt: No such file" in result.stderr
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_sequences(tmp_path / "b")
