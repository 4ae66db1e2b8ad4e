"""What candidates start from, and which models can be edited at all."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("rdkit")

from seiko.campaign.parents import Editable, choose_parents, editable, held_fast, ingest, masked_process
from seiko.campaign.sampler import ModelSampler
from seiko.diffusion import MaskedDiffusion, Noise
from seiko.models import EnumerableToy, GaussianToy, MaskedLM


def test_the_best_and_the_hits_are_chosen_equally_often(model: MaskedLM) -> None:
    x = torch.arange(4)[:, None].expand(4, 6)
    y = torch.tensor([0.0, 3.0, 1.0, 3.0])
    chosen = choose_parents(ModelSampler(model), x, y, 2, ("ACGTAC",), Noise.seeded(0, 3000))
    assert chosen is not None
    rows, counts = torch.unique(chosen, dim=0, return_counts=True)
    assert rows.tolist() == [[0, 1, 2, 3, 0, 1], [1] * 6, [3] * 6]
    assert all(900 < count < 1100 for count in counts.tolist())


def test_of_equals_the_first_is_taken(model: MaskedLM) -> None:
    x = torch.arange(4)[:, None].expand(4, 6)
    chosen = choose_parents(ModelSampler(model), x, torch.zeros(4), 1, (), Noise.seeded(0, 5))
    assert chosen is not None
    assert int(chosen.max()) == 0


def test_nothing_comes_of_nothing(model: MaskedLM) -> None:
    nothing = torch.zeros(0, 6, dtype=torch.int64)
    assert choose_parents(ModelSampler(model), nothing, torch.zeros(0), 5, (), Noise.seeded(0, 3)) is None
    found = choose_parents(ModelSampler(model), nothing, torch.zeros(0), 5, ("AAAAAA",), Noise.seeded(0, 3))
    assert found is not None
    assert found.tolist() == [[0] * 6] * 3


def test_hits_are_read_in_the_model_s_own_language(model: MaskedLM, molecule: MaskedLM) -> None:
    assert ingest(ModelSampler(model), ["ACGTAC"]).tolist() == [[0, 1, 2, 3, 0, 1]]
    (design,) = molecule.export(ingest(ModelSampler(molecule), ["OCC"]))
    assert design.content == "CCO"
    with pytest.raises(ValueError, match="'ACGTAX' has the letter 'X'"):
        ingest(ModelSampler(model), ["ACGTAC", "ACGTAX"])


def test_letters_are_held_row_by_row(molecule: MaskedLM) -> None:
    x = ingest(ModelSampler(molecule), ["Oc1ccccc1", "CCN", "Oc1ccccc1"])
    held = held_fast(molecule, x, "[OH]")
    assert held.shape == x.shape
    assert held.sum(-1).tolist() == [1, 0, 1]
    assert torch.equal(held[0], held[2])
    assert held[0].tolist() == molecule.holding(x[0].tolist(), "[OH]")
    with pytest.raises(ValueError, match="'c1c' is no SMARTS"):
        held_fast(molecule, x, "c1c")


def test_sequences_have_no_substructures(model: MaskedLM) -> None:
    with pytest.raises(TypeError, match="only molecules have substructures, this model's designs are 'dna'"):
        held_fast(model, torch.zeros(1, 6, dtype=torch.int64), "C")


def test_who_can_be_edited(model: MaskedLM, molecule: MaskedLM) -> None:
    assert isinstance(model, Editable)
    assert editable(ModelSampler(molecule), "a test") is molecule
    assert isinstance(masked_process(ModelSampler(molecule), "a test"), MaskedDiffusion)
    toy = EnumerableToy.from_law(torch.ones(2, 2))
    with pytest.raises(TypeError, match="a test needs a model of sequences or molecules, got EnumerableToy"):
        editable(ModelSampler(toy), "a test")
    with pytest.raises(TypeError, match="a test needs a masked diffusion model, this one uses DDIM"):
        masked_process(ModelSampler(GaussianToy.exact()), "a test")
