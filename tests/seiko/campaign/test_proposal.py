"""What leaves the pool before anything is spent: duplicates, known designs, and their mirror images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seiko.campaign import (
    Diverse,
    Everything,
    Fresh,
    Labelled,
    Library,
    PoolExhausted,
    PropertyRange,
    Recipe,
    Remask,
    Rewrite,
    Substructure,
)
from seiko.campaign.gathering import readable
from seiko.campaign.identity import identity
from seiko.campaign.proposal import propose
from seiko.campaign.sampler import ModelSampler
from seiko.designs import Design
from seiko.diffusion import Noise
from seiko.models import MaskedLM, MaskedLMSource
from seiko.rewards import ReverseComplement

NONE = Labelled(torch.zeros(0, 6, dtype=torch.int64), torch.zeros(0))
Tiny = Callable[..., Recipe]


@pytest.fixture
def two(models: Path) -> MaskedLM:
    """Return a model of two letters: 16 designs, 10 molecules of two strands."""
    return MaskedLMSource(name=str(models / "two")).load()


def count_first(x: Tensor) -> Tensor:
    return (x == 0).sum(-1).float()


def mirrored(sequence: str) -> str:
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def test_a_batch_as_drawn_is_distinct_and_draws_no_pool(two: MaskedLM, tiny: Tiny) -> None:
    seen: list[tuple[int, int]] = []
    recipe = tiny(candidates=(Fresh(),), selection=Everything(), pool=500)
    found = propose(recipe, two, NONE, (), count_first, 8, 0, progress=lambda done, total: seen.append((done, total)))
    assert len({design.content for design in found.designs}) == 8
    assert seen[0][1] == 8  # and not 500, from which nothing would be chosen
    blind = propose(recipe, two, NONE, (), None, 8, 0)
    assert found.designs == blind.designs  # scores decide nothing


def test_identity_is_shared_by_both_strands_and_by_nothing_else(two: MaskedLM) -> None:
    x = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    plain, strands = identity(two, x, None), identity(two, x, ReverseComplement())
    assert len(set(plain)) == 16
    assert len(set(strands)) == 10
    key = dict(zip([design.content for design in two.export(x)], strands, strict=True))
    assert all(key[sequence] == key[mirrored(sequence)] for sequence in key)
    assert plain == [design.key for design in two.export(x)]


@pytest.mark.parametrize(("same", "molecules"), [(None, 16), (ReverseComplement(), 10)])
def test_a_small_space_is_used_up_exactly(
    tiny: Tiny, two: MaskedLM, same: ReverseComplement | None, molecules: int
) -> None:
    recipe = tiny(same=same, candidates=(Fresh(),))
    none = Labelled(torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0))
    found = propose(recipe, two, none, [], count_first, molecules, 0)
    assert len(set(identity(two, found.x, same))) == molecules
    with pytest.raises(PoolExhausted, match=f"only {molecules} new designs in 20 pools of 60, {molecules + 1} are"):
        propose(recipe, two, none, [], count_first, molecules + 1, 0)
    known = identity(two, found.x[:-1], same)
    last = propose(recipe, two, none, known, count_first, 1, 1)
    assert identity(two, last.x, same) == identity(two, found.x[-1:], same)
    with pytest.raises(PoolExhausted, match=r"only 0 new designs .* raise the KL coefficients"):
        propose(recipe, two, none, identity(two, found.x, same), count_first, 1, 0)


def test_the_best_of_the_pool_are_chosen_by_the_score(tiny: Tiny, model: MaskedLM) -> None:
    recipe = tiny(candidates=(Fresh(),), pool=200)
    every = propose(recipe, model, NONE, [], None, 200, 0)
    chosen = propose(recipe, model, NONE, [], count_first, 10, 0)
    best = sorted((design.content.count("A") for design in every.designs), reverse=True)[:10]
    found = [design.content.count("A") for design in chosen.designs]
    assert min(found) >= 2
    # every pool of 200 draws holds fewer than 200 distinct designs, so `every` saw at least as many
    assert sum(found) <= sum(best)
    assert found == sorted(found, reverse=True)


def test_before_the_first_fit_the_first_draws_are_taken(tiny: Tiny, model: MaskedLM) -> None:
    found = propose(tiny(candidates=(Fresh(),)), model, NONE, [], None, 5, 0)
    assert found.sources == ["fresh"] * 5
    assert found.designs == model.export(found.x)
    assert propose(tiny(candidates=(Fresh(),)), model, NONE, [], None, 5, 0).designs == found.designs
    assert propose(tiny(candidates=(Fresh(),)), model, NONE, [], None, 5, 1).designs != found.designs


def test_sources_share_the_pool_and_are_recorded(tiny: Tiny, model: MaskedLM) -> None:
    seen = []
    parents = Labelled(torch.randint(4, (9, 6), generator=torch.Generator().manual_seed(1)), torch.arange(9.0))
    recipe = tiny(candidates=(Fresh(share=1.0), Remask(share=3.0, mask_rate=0.5)), selection=Everything())
    found = propose(recipe, model, parents, [], count_first, 60, 0, lambda done, total: seen.append((done, total)))
    assert set(found.sources) == {"fresh", "remask"}
    assert found.sources.count("fresh") <= 15  # a quarter, less duplicates; the pool keeps the order drawn
    assert found.sources == sorted(found.sources)
    assert all(total == 60 and done <= 60 for done, total in seen)
    assert seen == sorted(seen)


def test_paper_mode_keeps_duplicates_and_known_designs(tiny: Tiny, two: MaskedLM) -> None:
    recipe = tiny(selection=Everything(paper=True), candidates=(Fresh(),), same=ReverseComplement())
    none = Labelled(torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0))
    known = identity(two, torch.cartesian_prod(torch.arange(4), torch.arange(4)), ReverseComplement())
    found = propose(recipe, two, none, known, count_first, 50, 0)
    assert len(found.designs) == 50
    assert len(set(found.designs)) <= 16
    assert set(found.sources) == {"fresh"}


def test_a_batch_larger_than_the_pool_is_served(tiny: Tiny, model: MaskedLM) -> None:
    found = propose(tiny(pool=1, selection=Diverse(), candidates=(Fresh(),)), model, NONE, [], count_first, 30, 0)
    assert len({design.key for design in found.designs}) == 30
    assert all(isinstance(design, Design) for design in found.designs)


# ------------------------------------------------------------- molecules


MOLECULE = Labelled(torch.zeros(0, 10, dtype=torch.int64), torch.zeros(0))
NONSENSE = Labelled(torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0))


@pytest.fixture
def nonsense(molecules: Path) -> MaskedLM:
    """Return a model of SMILES with random weights: a good part of what it draws has a ring that is never closed."""
    return MaskedLMSource(name=str(molecules / "smiles")).load()


def test_what_is_no_molecule_is_never_sent(tiny: Tiny, nonsense: MaskedLM) -> None:
    drawn = nonsense.export(ModelSampler(nonsense).draw(Noise.seeded(0, 200)))
    assert 20 < sum(not design.valid for design in drawn) < 180
    found = propose(tiny(candidates=(Fresh(),), pool=100), nonsense, NONSENSE, [], None, 25, 0)
    assert len(found.designs) == 25
    assert all(design.valid and design.kind == "smiles" for design in found.designs)
    assert found.designs == nonsense.export(found.x)
    assert nonsense.export(nonsense.ingest(found.designs)) == found.designs


def test_paper_mode_sends_every_draw_but_those_that_cannot_be_read_again(
    tiny: Tiny, nonsense: MaskedLM, molecule: MaskedLM
) -> None:
    recipe = tiny(candidates=(Fresh(),), selection=Everything(paper=True))
    drawn = nonsense.export(ModelSampler(nonsense).draw(Noise.seeded(0, 40)))
    assert propose(recipe, nonsense, NONSENSE, [], None, 40, 0).designs == drawn, (
        "nonsense costs a label, as in the paper"
    )
    plain = ModelSampler(molecule).draw(Noise.seeded(0, 100))
    good = [row for row, design in enumerate(molecule.export(plain)) if readable(molecule, design)]
    assert 0 < len(good) < 100
    found = propose(recipe, molecule, MOLECULE, [], None, 100, 0)
    assert torch.equal(found.x[: len(good)], plain[good])
    assert len(found.x) == 100
    assert all(readable(molecule, design) for design in found.designs)


def test_what_the_model_cannot_read_again_is_never_sent(tiny: Tiny, molecule: MaskedLM) -> None:
    x = ModelSampler(molecule).draw(Noise.seeded(0, 300))
    unreadable = [design for design in molecule.export(x) if design.valid and not readable(molecule, design)]
    assert unreadable, "a random model draws what it would spell in more letters than it has"
    found = propose(tiny(candidates=(Fresh(),), pool=300), molecule, MOLECULE, [], None, 60, 0)
    assert all(readable(molecule, design) for design in found.designs)
    assert len({design.key for design in found.designs}) == 60
    assert not readable(molecule, Design("CI", "smiles"))


def test_one_molecule_is_one_design_however_it_is_spelt(tiny: Tiny, molecule: MaskedLM) -> None:
    row = molecule.ingest([Design("CCO", "smiles")])
    spelt = row.roll(2, dims=1)  # the filling in front
    assert not torch.equal(spelt, row)
    assert identity(molecule, spelt, None) == identity(molecule, row, None) == [Design("CCO", "smiles").key]


def test_screens_refuse_what_they_know(tiny: Tiny, molecule: MaskedLM) -> None:
    screens = (Substructure(smarts="[#6]"), PropertyRange(descriptor="weight", high=120.0))
    found = propose(tiny(candidates=(Fresh(),), screens=screens, pool=100), molecule, MOLECULE, [], None, 20, 0)
    assert all(screens[0](found.designs))
    assert all(screens[1](found.designs))
    free = propose(tiny(candidates=(Fresh(),), pool=100), molecule, MOLECULE, [], None, 20, 0)
    assert not all(screens[0](free.designs) + screens[1](free.designs))


def test_screens_that_let_nothing_through_are_named(tiny: Tiny, molecule: MaskedLM) -> None:
    recipe = tiny(candidates=(Fresh(),), screens=(PropertyRange(descriptor="weight", low=5000.0),), pool=5)
    with pytest.raises(PoolExhausted, match=r"only 0 new designs .* or loosen the screens"):
        propose(recipe, molecule, MOLECULE, [], None, 3, 0)


def test_all_sources_of_molecules_share_a_pool(tiny: Tiny, molecule: MaskedLM, tmp_path: Path) -> None:
    (tmp_path / "known.smi").write_text("CCO\nCCN\nc1ccccc1\nCC(N)=O\n")
    hits = ("CC(=O)NCCc1ccccc1",)
    sources = (
        Fresh(share=1.0),
        Remask(share=1.0, hits=hits),
        Rewrite(share=1.0, hits=hits, keep="c1ccccc1"),
        Library(path=str(tmp_path / "known.smi"), share=1.0),
    )
    recipe = tiny(candidates=sources, selection=Everything(), pool=80)
    found = propose(recipe, molecule, MOLECULE, [Design("CCN", "smiles").key], None, 60, 0)
    assert set(found.sources) == {"fresh", "remask", "rewrite", "library"}
    known = {d.content for d, source in zip(found.designs, found.sources, strict=True) if source == "library"}
    assert known <= {"CCO", "c1ccccc1", "CC(N)=O"}, "what was bought is not bought again"
