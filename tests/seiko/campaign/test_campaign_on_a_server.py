"""A campaign is the same wherever its ledger is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from seiko.campaign import Campaign, NoRun, Recipe, RecipeMismatch, run
from seiko.designs import Design
from seiko.oracles import Label

Oracle = Callable[[Sequence[Design]], list[Label]]


def test_the_same_story_in_a_folder_and_on_a_server(
    tmp_path: Path,
    server: str,
    tiny: Callable[..., Recipe],
    oracle: Oracle,
    story: Callable[[Campaign], dict[str, Any]],
) -> None:
    told = []
    for place in (str(tmp_path / "run"), f"{server}&run=story"):
        with Campaign.open(place, tiny()) as campaign:
            run(campaign, oracle)
            told.append(story(campaign))
        with Campaign.open(place, tiny()) as again:
            assert story(again) == told[-1]
            assert again.done
    assert told[0] == told[1]
    assert any(told[0]["weights"]), "weights were kept as artifacts"


def test_a_server_compares_recipes(server: str, tiny: Callable[..., Recipe]) -> None:
    place = f"{server}&run=compared"
    with pytest.raises(NoRun):
        Campaign.open(place)
    Campaign.open(place, tiny()).close()
    with pytest.raises(RecipeMismatch, match=r"run=compared holds a run of another recipe .budget: 12 in the run"):
        Campaign.open(place, tiny(budget=15))
    with Campaign.open(place, tiny(budget=15), anew=True) as campaign:
        assert campaign.recipe.budget == 15
        assert len(campaign.ask()) == 5
    with pytest.raises(RecipeMismatch, match=r"run=compared holds a run of another recipe .budget: 15 in the run"):
        Campaign.open(place, tiny(), anew=True)
