"""The pool is bred by its acquisition before a label is spent, and by nothing that the ledger must know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.campaign import Campaign, Climb, Fresh, Labelled, Recipe, Remask, run
from seiko.campaign.proposal import propose
from seiko.models import MaskedLM

PARENTS = Labelled(torch.randint(4, (9, 6), generator=torch.Generator().manual_seed(1)), torch.arange(9.0))
SOURCES = (Fresh(share=1.0), Remask(share=1.0, best=5))
Tiny = Callable[..., Recipe]


def code(x: Tensor) -> Tensor:
    """Return a score that no two designs share, and that no ten random designs come near the top of."""
    return (x * 4 ** torch.arange(6)).sum(-1).double() / 4**6


def best(recipe: Recipe, model: MaskedLM, **changes: Any) -> float:
    return float(code(propose(recipe, model, PARENTS, [], code, 10, 0, **changes).x).mean())


def test_the_batch_of_a_bred_pool_scores_higher_than_one_of_as_many_draws(tiny: Tiny, model: MaskedLM) -> None:
    larger = tiny(candidates=SOURCES, pool=200)
    climbing = tiny(candidates=SOURCES, pool=40, climb=Climb(generations=8, offspring=0.5))  # 40 + 8 * 20 = 200
    assert best(climbing, model) > best(larger, model) + 0.02


def test_children_start_from_the_best_by_acquisition_not_by_label(tiny: Tiny, model: MaskedLM) -> None:
    seen: list[Labelled] = []

    class Recording(Remask):
        def propose(self, sampler: Any, labelled: Labelled, noise: Any) -> Any:
            seen.append(labelled)
            return super().propose(sampler, labelled, noise)

    recipe = tiny(candidates=(Fresh(), Recording()), pool=20, climb=Climb(generations=2, offspring=0.5))
    propose(recipe, model, PARENTS, [], code, 5, 0)
    assert torch.equal(seen[0].y, PARENTS.y)
    for labelled in seen[1:]:
        assert torch.equal(labelled.y, code(labelled.x)), "its acquisition"
        assert torch.equal(labelled.x[:9], PARENTS.x), "labelled designs may be edited still"
    assert len(seen) == 3
    assert len(seen[2].x) > len(seen[1].x) > 9


def test_known_designs_and_repeats_never_come_back(tiny: Tiny, model: MaskedLM) -> None:
    recipe = tiny(candidates=SOURCES, pool=40, climb=Climb(generations=10, offspring=1.0))
    first = propose(recipe, model, PARENTS, [], code, 30, 0)
    keys = [design.key for design in first.designs]
    assert len(set(keys)) == 30
    second = propose(recipe, model, PARENTS, keys, code, 30, 0)
    assert not set(keys) & {design.key for design in second.designs}


def test_nothing_is_bred_before_the_first_fit(tiny: Tiny, model: MaskedLM) -> None:
    plain, climbing = (tiny(candidates=SOURCES, climb=climb) for climb in (None, Climb()))
    found = [propose(recipe, model, PARENTS, [], None, 8, 0).designs for recipe in (plain, climbing)]
    assert found[0] == found[1]


def test_progress_goes_up_to_the_end(tiny: Tiny, model: MaskedLM) -> None:
    seen: list[tuple[int, int]] = []
    recipe = tiny(candidates=SOURCES, pool=40, climb=Climb(generations=3, offspring=0.5))
    propose(recipe, model, PARENTS, [], code, 5, 0, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (100, 100)


def test_a_run_that_climbs_is_the_same_again(tiny: Tiny, oracle: Any, story: Any, tmp_path: Any) -> None:
    recipe = tiny(candidates=SOURCES, climb=Climb(generations=2))
    told = []
    for name in ("a", "b"):
        with Campaign.open(tmp_path / name, recipe) as campaign:
            run(campaign, oracle)
            told.append(story(campaign))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"generations": 0}, "generations must be at least 1, got 0"), ({"offspring": 0.0}, "positive part of the pool")],
)
def test_a_climb_that_cannot_be_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Climb(**changes)


def test_a_climb_without_an_editing_source_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match="climb needs a source of candidates that edits"):
        tiny(candidates=(Fresh(),), climb=Climb())
