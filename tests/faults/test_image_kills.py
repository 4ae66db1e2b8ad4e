"""A run of images killed before any write to its folder: no event without its files, and the same run in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seiko.acquisition import UCB
from seiko.campaign import Campaign, Prompts, Recipe, run
from seiko.campaign.artifacts import ArtifactStore
from seiko.designs import Design
from seiko.imaging import pixels_of
from seiko.models import ImageToySource
from seiko.oracles import Label
from seiko.rewards import Identity, LastLayer
from seiko.updates import DirectBackprop, FixedStrength

RECIPE = Recipe(
    name="kills",
    model=ImageToySource(size=2, num_steps=2),
    prompts=Prompts(querying=("left", "top"), held_out=("right",)),
    reward_model=LastLayer(features=Identity()),
    acquisition=UCB(),
    update=DirectBackprop(),
    strength=FixedStrength(),
    steps=1,
    samples=4,
    look=4,
    pool=8,
    budget=6,
    rounds=2,
)


class Killed(BaseException):
    pass


def oracle(designs: Any) -> list[Label]:
    return [Label(value=float(image.mean())) for image in pixels_of(designs)]


def story(path: Path) -> dict[str, Any]:
    """Return what a run decided; checks that every image an event names is there and whole."""
    with Campaign.open(path) as campaign:
        state = campaign.state
        for query in state.queries.values():
            campaign.bytes_of(query.design)
        for pair in (pair for report in state.reports for pair in report.images):
            campaign.bytes_of(Design(pair.before, "image"))
            campaign.bytes_of(Design(pair.after, "image"))
        return {
            "queries": list(state.queries.values()),
            "labels": dict(state.labels),
            "weights": list(state.weights),
            "reports": [dataclasses.replace(report, seconds=0.0) for report in state.reports],
        }


def counted(limit: int | None, patch: pytest.MonkeyPatch) -> list[str]:
    """Count writes, and die in place of the one after `limit`."""
    writes: list[str] = []

    def before(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if len(writes) == limit:
                raise Killed
            writes.append(name)
            return write(*args, **kwargs)

        return watched

    patch.setattr(ArtifactStore, "put", before("file", ArtifactStore.put))
    patch.setattr(Campaign, "_append", before("event", Campaign._append))
    return writes


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_before_any_write(tmp_path: Path, every: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Campaign.open(tmp_path / "whole", RECIPE) as campaign:
        writes = counted(None, patch)
        run(campaign, oracle)
    expected = story(tmp_path / "whole")
    assert writes.count("event") == 6
    assert writes.count("file") == 6 + 2 * (2 * 4 + 1), "the batch, the pairs, the weights"
    for limit in range(3, len(writes), every) if every > 1 else range(len(writes)):
        path = tmp_path / str(limit)
        with pytest.MonkeyPatch.context() as patch, Campaign.open(path, RECIPE) as campaign:
            counted(limit, patch)
            with pytest.raises(Killed):
                run(campaign, oracle)
        story(path)
        with Campaign.open(path) as campaign:
            run(campaign, oracle)
        assert story(path) == expected, f"killed before write {limit}: {writes[limit]}"
