"""Two designs are joined: the beginning of one, the end of another, and the model writes the joint."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("rdkit")

from seiko.campaign import Labelled, Splice
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


def rows(model: MaskedLM, *texts: list[int]) -> Labelled:
    x = torch.full((len(texts), 10), model.filler)
    for i, text in enumerate(texts):
        x[i, : len(text)] = torch.tensor(text)
    return Labelled(x, -torch.arange(len(texts)).float())


def starts(model: MaskedLM, source: Splice, labelled: Labelled, n: int = 400) -> list[list[int]]:
    found = source.propose(Recorder(model), labelled, Noise.seeded(0, n))  # type: ignore[arg-type]
    assert found is not None
    return [[t for t in row if t != model.filler] for row in found.tolist()]


HEAD, TAIL = [0, 1, 2, 3, 4, 5], [6, 7, 8, 9]


def test_a_beginning_a_joint_and_an_end(molecule: MaskedLM) -> None:
    mask = molecule.process.mask_token
    assert molecule.filler not in (*HEAD, *TAIL)
    seen = set()
    for row in starts(molecule, Splice(joint=2, change=1), rows(molecule, HEAD, TAIL)):
        drawn, first = row.count(mask), row.index(mask)
        assert 1 <= drawn <= 2
        assert row[first : first + drawn] == [mask] * drawn, "the joint is in one piece"
        before, after = row[:first], row[first + drawn :]
        assert any(before == parent[: len(before)] for parent in (HEAD, TAIL))
        assert any(after == parent[len(parent) - len(after) :] for parent in (HEAD, TAIL))
        crossed = bool(before) and bool(after) and (before[0] in HEAD) != (after[-1] in HEAD)
        assert len(row) <= 7, "no longer than the longer parent and one letter"
        if crossed:
            assert len(row) >= 3, "no shorter than the shorter parent less one letter"
        seen.add((crossed, len(before), drawn, len(after)))
    assert {drawn for _, _, drawn, _ in seen} == {1, 2}
    assert {before for _, before, _, _ in seen} == {1, 2, 3, 4, 5, 6}
    assert {crossed for crossed, *_ in seen} == {True, False}


def test_a_row_that_is_full_is_not_overrun(molecule: MaskedLM) -> None:
    full = [0] * 10
    found = starts(molecule, Splice(change=3), rows(molecule, full, full))
    assert max(map(len, found)) == 10


def test_only_the_best_are_joined(molecule: MaskedLM) -> None:
    found = starts(molecule, Splice(best=1), rows(molecule, HEAD, TAIL))
    assert not {6, 7, 8, 9} & {token for row in found for token in row}


def test_a_beginning_holds_what_is_kept(molecule: MaskedLM) -> None:
    x = molecule.ingest([Design("CC(=O)NCCc1ccccc1", "smiles"), Design("CCCCN", "smiles")])
    labelled = Labelled(x[:1], torch.zeros(1))
    held = molecule.holding(x[0].tolist(), "C(=O)N")
    needed = [t for t, must in zip(x[0].tolist(), held, strict=True) if must]

    def holds(row: list[int]) -> bool:
        left = iter(row)
        return all(t in left for t in needed)

    assert not all(map(holds, starts(molecule, Splice(change=8), labelled))), "without the wish it is lost at times"
    assert all(map(holds, starts(molecule, Splice(change=8, keep="C(=O)N"), labelled)))


def test_the_model_writes_the_joint(molecule: MaskedLM) -> None:
    x = molecule.ingest([Design(text, "smiles") for text in ("CC(=O)NCCc1ccccc1", "CCCCN")])
    found = Splice().propose(ModelSampler(molecule), Labelled(x, torch.zeros(2)), Noise.seeded(0, 40))
    assert found is not None
    assert int(found.max()) < molecule.process.mask_token
    parts = [
        Splice().propose(ModelSampler(molecule), Labelled(x, torch.zeros(2)), Noise.seeded(0, [i])) for i in (0, 7)
    ]
    assert torch.equal(found[[0, 7]], torch.cat([part for part in parts if part is not None]))


def test_hits_are_joined_before_any_label(molecule: MaskedLM) -> None:
    source = Splice(hits=("CC(=O)NCCc1ccccc1", "CCCCN"))
    assert Splice().propose(ModelSampler(molecule), NONE, Noise.seeded(0, 4)) is None
    assert source.propose(ModelSampler(molecule), NONE, Noise.seeded(0, 4)) is not None


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"best": 0}, "best"), ({"joint": 0}, "joint"), ({"change": -1}, "change"), ({"share": 0}, "share")],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=f"{match} must be"):
        Splice(**changes)


def test_models_whose_rows_cannot_be_joined_are_refused(model: MaskedLM) -> None:
    with pytest.raises(TypeError, match="one length: choose Remask"):
        Splice().propose(
            ModelSampler(model), Labelled(torch.zeros(1, 6, dtype=torch.int64), torch.zeros(1)), Noise.seeded(0, 1)
        )
    with pytest.raises(TypeError, match="masked diffusion"):
        Splice().propose(ModelSampler(GaussianToy.exact()), NONE, Noise.seeded(0, 1))
