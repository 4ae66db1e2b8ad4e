from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

pytest.importorskip("PIL")

from seiko.imaging.digits import CLASSIFIER, DigitClassifier, digit_classifier, read_classifier
from seiko.priors import prior_folder
from seiko_bench.images.data import held_out_digits


def test_it_reads_digits(data_dir: Path) -> None:
    images, labels = held_out_digits()
    with torch.no_grad():
        right = digit_classifier()(images[:500]).argmax(1) == labels[:500]
    assert float(right.float().mean()) > 0.97


def test_it_is_small_and_frozen() -> None:
    assert (prior_folder("seiko:mnist") / CLASSIFIER).stat().st_size < 1_000_000
    classifier = digit_classifier()
    assert not classifier.training
    assert not any(p.requires_grad for p in classifier.parameters())
    assert digit_classifier() is classifier


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier, x = DigitClassifier(channels=4), torch.rand(3, 1, 28, 28)
    save_file(classifier.state_dict(), tmp_path / CLASSIFIER)
    torch.testing.assert_close(read_classifier(tmp_path / CLASSIFIER)(x), classifier(x))
    assert classifier.features(x).shape == (3, 16)


def test_what_there_is_not_is_named(tmp_path: Path) -> None:
    (tmp_path / "seiko.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"no classifier\.safetensors beside its weights"):
        digit_classifier(str(tmp_path))
    with pytest.raises(ValueError, match=r"digits are \[1, 28, 28\], got \[3, 28, 28\]"):
        DigitClassifier()(torch.zeros(2, 3, 28, 28))
