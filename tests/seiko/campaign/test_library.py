"""A library is read from a file or a data set; each design comes again and again, what the model cannot read never."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

pytest.importorskip("rdkit")

from seiko.campaign import Labelled, Library
from seiko.campaign.library import read_library
from seiko.campaign.sampler import ModelSampler
from seiko.diffusion import Noise
from seiko.models import GaussianToy, MaskedLM

NONE = Labelled(torch.zeros(0, 10, dtype=torch.int64), torch.zeros(0))


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    read_library.cache_clear()
    yield
    read_library.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        "CCO\nCCN\n",
        "smiles\nCCO\nCCN",
        "SMILES,name\nCCO,ethanol\nCCN,ethylamine\n",
        "# a comment\n\nCCO ethanol\n  CCN\tethylamine\r\n",
        "\ufeffsmiles\nCCO\nCCN\n",
        "sequence\nCCO\nCCN\n",
    ],
)
def test_designs_stand_in_the_first_column(tmp_path: Path, text: str) -> None:
    (tmp_path / "known.smi").write_bytes(text.encode())
    assert read_library(str(tmp_path / "known.smi")) == ("CCO", "CCN")
    (tmp_path / "known.smi.gz").write_bytes(gzip.compress(text.encode()))
    assert read_library(str(tmp_path / "known.smi.gz")) == ("CCO", "CCN")


def test_a_header_is_one_in_the_first_line_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("C\nsmiles\n")
    assert read_library(str(tmp_path / "a.txt")) == ("C", "smiles")


def test_a_data_set_has_a_name(data_dir: Path) -> None:
    zinc = read_library("zinc250k")
    assert len(zinc) == 249_456
    assert "smiles" not in zinc[:2]


def test_what_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no library 'absent.smi': neither a file nor the name of a data set"):
        read_library("absent.smi")
    (tmp_path / "empty.smi").write_text("# nothing\nsmiles\n")
    with pytest.raises(ValueError, match=r"empty.smi has no design: one a line is expected"):
        read_library(str(tmp_path / "empty.smi"))


def test_each_design_is_proposed_about_equally_often(molecule: MaskedLM, tmp_path: Path) -> None:
    path = tmp_path / "known.smi"
    path.write_text("CCO\nC[C@H](O)C\nc1ccccc1\n")
    source = Library(path=str(path), share=0.5)
    assert (source.source, source.share) == ("library", 0.5)
    x = source.propose(ModelSampler(molecule), NONE, Noise.seeded(0, 300))
    found = [design.content for design in molecule.export(x)]
    assert set(found) == {"CCO", "CC(C)O", "c1ccccc1"}
    assert min(found.count(text) for text in set(found)) > 70
    parts = [source.propose(ModelSampler(molecule), NONE, Noise.seeded(0, [i])) for i in range(5)]
    assert torch.equal(torch.cat(parts), x[:5]), "whatever the batch"


def test_what_the_model_cannot_read_is_passed_over(molecule: MaskedLM, tmp_path: Path) -> None:
    path = tmp_path / "known.smi"
    path.write_text("CI\nbanana\nCCO\n" + "CCOC(=O)NCCSCCOC(=O)NCCSCCOC(=O)N\n" + "[Na+].[Cl-]\n" + "C" * 1200 + "\n")
    x = Library(path=str(path)).propose(ModelSampler(molecule), NONE, Noise.seeded(0, 30))
    assert {design.content for design in molecule.export(x)} == {"CCO"}
    path.write_text("CI\nbanana\n")
    read_library.cache_clear()
    with pytest.raises(ValueError, match=r"next to nothing of the library .*known.smi: not one in 20"):
        Library(path=str(path)).propose(ModelSampler(molecule), NONE, Noise.seeded(0, 3))


def test_sequences_have_libraries_too(model: MaskedLM, tmp_path: Path) -> None:
    (tmp_path / "known.txt").write_text("sequence\nACGTAC\nTTTTTT\n")
    x = Library(path=str(tmp_path / "known.txt")).propose(ModelSampler(model), NONE, Noise.seeded(0, 40))
    assert {design.content for design in model.export(x)} == {"ACGTAC", "TTTTTT"}


def test_it_needs_a_model_whose_designs_are_text(tmp_path: Path) -> None:
    (tmp_path / "known.txt").write_text("CCO\n")
    with pytest.raises(TypeError, match="a library needs a model of sequences or molecules, got GaussianToy"):
        Library(path=str(tmp_path / "known.txt")).propose(ModelSampler(GaussianToy.exact()), NONE, Noise.seeded(0, 2))


def test_a_share_must_be_positive() -> None:
    with pytest.raises(ValueError, match="share must be positive, got 0; leave the source out"):
        Library(path="known.smi", share=0)
