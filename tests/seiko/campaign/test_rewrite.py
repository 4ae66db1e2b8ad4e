"""A span is drawn anew, longer or shorter; all else stays, and what must be kept is never taken out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("rdkit")

from seiko.campaign import Labelled, Remask, Rewrite
from seiko.campaign.rewrite import Rewrite as Source
from seiko.campaign.sampler import ModelSampler
from seiko.designs import Design
from seiko.diffusion import Noise
from seiko.models import GaussianToy, MaskedLM

NONE = Labelled(torch.zeros(0, 10, dtype=torch.int64), torch.zeros(0))


class Recorder:
    """A sampler that fills nothing in: it hands back the start, in which what is to be drawn shows as masks."""

    def __init__(self, model: MaskedLM) -> None:
        self.model, self.population = model, 1

    def draw(self, noise: Noise, start: Tensor | None = None) -> Tensor:
        assert start is not None
        return start


def labelled(model: MaskedLM, *smiles: str) -> Labelled:
    """Return labelled molecules; the first is the best."""
    x = model.ingest([Design(text, "smiles") for text in smiles])
    return Labelled(x, -torch.arange(len(x)).float())


def starts(model: MaskedLM, source: Source, parents: Labelled, n: int = 300) -> list[list[int]]:
    found = source.propose(Recorder(model), parents, Noise.seeded(0, n))  # type: ignore[arg-type]
    assert found is not None
    return found.tolist()  # type: ignore[no-any-return]


def spans(model: MaskedLM, row: list[int], parent: list[int]) -> tuple[int, int, int]:
    """Return where a span begins, how many letters were taken out, and how many are to be drawn."""
    mask, filler = model.process.mask_token, model.filler
    row, parent = [t for t in row if t != filler], [t for t in parent if t != filler]
    drawn, first = row.count(mask), row.index(mask)
    assert row[first : first + drawn] == [mask] * drawn, "a span is in one piece"
    taken = len(parent) - (len(row) - drawn)
    assert row == [*parent[:first], *[mask] * drawn, *parent[first + taken :]], "all else stays"
    return first, taken, drawn


def test_a_span_is_replaced_by_more_or_fewer_letters(molecule: MaskedLM) -> None:
    parents = labelled(molecule, "CC(=O)NCCc1ccccc1")
    letters = int((parents.x[0] != molecule.filler).sum())
    source = Rewrite(longest=3, change=2)
    found = [spans(molecule, row, parents.x[0].tolist()) for row in starts(molecule, source, parents, 600)]
    assert {first for first, *_ in found} == set(range(letters)), "it begins anywhere"
    assert {taken for _, taken, _ in found} == {1, 2, 3}
    assert {drawn - taken for _, taken, drawn in found} == {-2, -1, 0, 1, 2}
    assert min(drawn for *_, drawn in found) == 1


def test_no_change_keeps_the_length(molecule: MaskedLM) -> None:
    parents = labelled(molecule, "CC(=O)NCCc1ccccc1")
    found = [spans(molecule, row, parents.x[0].tolist()) for row in starts(molecule, Rewrite(change=0), parents)]
    assert all(taken == drawn for _, taken, drawn in found)


def test_a_row_that_is_full_grows_no_more(molecule: MaskedLM) -> None:
    carbon = molecule.alphabet.letters.index("[C]")
    parents = Labelled(torch.full((1, 10), carbon), torch.zeros(1))
    found = [spans(molecule, row, [carbon] * 10) for row in starts(molecule, Rewrite(longest=4, change=3), parents)]
    assert {drawn - taken for _, taken, drawn in found} == {-3, -2, -1, 0}


def test_the_draw_fills_the_span_in(molecule: MaskedLM) -> None:
    parents = labelled(molecule, "CC(=O)NCCc1ccccc1")
    x = Rewrite().propose(ModelSampler(molecule), parents, Noise.seeded(0, 50))
    assert x is not None
    assert int(x.max()) < molecule.process.mask_token
    assert len({design.content for design in molecule.export(x)}) > 20


def test_proposals_do_not_depend_on_the_batch_they_are_drawn_in(molecule: MaskedLM) -> None:
    parents, source = labelled(molecule, "CC(=O)NCCc1ccccc1", "CCO", "CCN"), Rewrite(best=2)
    whole = source.propose(ModelSampler(molecule), parents, Noise.seeded(0, 6))
    parts = [source.propose(ModelSampler(molecule), parents, Noise.seeded(0, [i])) for i in range(6)]
    assert whole is not None
    assert torch.equal(whole, torch.cat([part for part in parts if part is not None]))


def kept(model: MaskedLM, source: Any, parents: Labelled, keep: str) -> list[bool]:
    """Return, for each start, whether the letters that hold the substructure are all still there, in order."""
    row = parents.x[0].tolist()
    needed = [token for token, held in zip(row, model.holding(row, keep), strict=True) if held]
    found = []
    for start in starts(model, source, parents):
        left = iter(start)
        found.append(all(token in left for token in needed))
    return found


@pytest.mark.parametrize("source", [Rewrite(), Remask(mask_rate=0.6)], ids=["rewrite", "remask"])
@pytest.mark.parametrize("keep", ["c1ccccc1", "C(=O)N"])
def test_letters_of_what_is_kept_are_not_taken_out(molecule: MaskedLM, source: Any, keep: str) -> None:
    parents = labelled(molecule, "CC(=O)NCCc1ccccc1")
    assert not all(kept(molecule, source, parents, keep)), "without the wish it happens"
    assert all(kept(molecule, dataclasses.replace(source, keep=keep), parents, keep))


def test_what_is_kept_is_kept_where_the_filling_stands_between_letters(molecule: MaskedLM) -> None:
    row = [t for t in labelled(molecule, "Oc1ccccc1").x[0].tolist() if t != molecule.filler]
    assert 2 <= len(row) <= 7
    gaps = [molecule.filler, *row[:1], molecule.filler, *row[1:]]
    x = torch.tensor([gaps + [molecule.filler] * (10 - len(gaps))])
    parents = Labelled(x, torch.zeros(1))
    oxygen = molecule.alphabet.letters[row[molecule.holding(row, "[OH]").index(True)]]
    names = (*molecule.alphabet.letters, "mask")
    for start in starts(molecule, Rewrite(keep="[OH]"), parents):
        assert oxygen in [names[token] for token in start]


def test_where_all_is_kept_the_parent_comes_back(molecule: MaskedLM) -> None:
    plain = molecule.alphabet.letters.index("[C]")
    x = torch.full((1, 10), molecule.filler)
    x[0, :2] = plain
    found = starts(molecule, Rewrite(keep="CC"), Labelled(x, torch.zeros(1)), 5)
    assert found == x.tolist() * 5


def test_it_starts_from_hits_before_any_label_and_beside_them_after(molecule: MaskedLM) -> None:
    hits = ("Cc1ccccc1", "CCOC(C)=O")
    for source in (Rewrite(hits=hits, best=1, change=0, longest=1), Remask(hits=hits, best=1, mask_rate=1e-9)):
        for parents, expected in (
            (NONE, hits),
            (labelled(molecule, "CC(=O)NCCc1ccccc1", "CCO"), (*hits, "CC(=O)NCCc1ccccc1")),
        ):
            x = source.propose(Recorder(molecule), parents, Noise.seeded(0, 300))  # type: ignore[arg-type]
            assert x is not None
            mask = molecule.process.mask_token
            known = molecule.ingest([Design(text, "smiles") for text in expected])
            fits = ((x[:, None] == known) | (x[:, None] == mask)).all(-1)
            assert bool(fits.any(-1).all())
            share = Counter(fits.float().argmax(-1).tolist())
            assert set(share) == set(range(len(expected)))
            assert min(share.values()) > 60


def test_there_must_be_something_to_start_from(molecule: MaskedLM) -> None:
    assert Rewrite().propose(ModelSampler(molecule), NONE, Noise.seeded(0, 4)) is None
    assert (Rewrite().source, Rewrite().share) == ("rewrite", 1.0)


def test_a_hit_that_is_no_molecule_of_the_model_is_named(molecule: MaskedLM) -> None:
    for hit, message in (
        ("banana", "'banana' is no molecule"),
        ("CI", r"'CI' has \[I\], which this model does not know"),
    ):
        with pytest.raises(ValueError, match=message):
            Rewrite(hits=("CCO", hit)).propose(ModelSampler(molecule), NONE, Noise.seeded(0, 4))


def test_it_needs_a_masked_model_of_varying_length(model: MaskedLM) -> None:
    with pytest.raises(TypeError, match="Rewrite needs a masked diffusion model, this one uses DDIM"):
        Rewrite().propose(ModelSampler(GaussianToy.exact()), NONE, Noise.seeded(0, 2))
    parents = Labelled(torch.zeros(1, 6, dtype=torch.int64), torch.zeros(1))
    with pytest.raises(TypeError, match="this model's designs have one length: choose Remask"):
        Rewrite().propose(ModelSampler(model), parents, Noise.seeded(0, 2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0.0}, "share must be positive, got 0.0"),
        ({"best": 0}, "best must be at least 1, got 0"),
        ({"longest": 0}, "longest must be at least 1, got 0"),
        ({"change": -1}, "change must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rewrite(**wrong)
