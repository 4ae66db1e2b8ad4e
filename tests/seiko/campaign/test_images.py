"""Images in a campaign: their files are there before the event, come with the queries, and are what is learnt from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.campaign import Campaign, Ledger, Recipe, run
from seiko.campaign.artifacts import ArtifactMissing
from seiko.campaign.identity import identities
from seiko.campaign.observing import observe_designs
from seiko.designs import Design
from seiko.imaging import from_png, image_design
from seiko.models import ImageToy, ImageToySource
from seiko.rewards import Identity, LastLayer

Pictures = Callable[..., Recipe]


def test_queries_come_with_their_files(tmp_path: Path, pictures: Pictures) -> None:
    with Campaign.open(tmp_path, pictures()) as campaign:
        queries = campaign.ask()
        assert all(query.design.data == campaign.bytes_of(query.design) for query in queries)
        assert all(from_png(query.design.data or b"").shape == (1, 4, 4) for query in queries)
        assert all(query.design.data is None for query in campaign.state.queries.values()), "the state stays small"
        assert campaign.ask() == queries
        assert [query.design.data for query in campaign.ask()] == [query.design.data for query in queries]
    with Campaign.open(tmp_path) as campaign:
        assert [query.design for query in campaign.ask()] == [query.design for query in queries]
        assert [query.design.prompt for query in campaign.ask()] == [query.design.prompt for query in queries]
        with pytest.raises(ArtifactMissing):
            campaign.bytes_of(Design("0" * 64, "image"))
        with pytest.raises(ValueError, match="'dna'"):
            campaign.bytes_of(Design("ACGT"))


def test_a_kill_between_leaves_files_without_an_event_and_no_event_without_files(
    tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
        if kind == "asked":
            raise Killed
        append(self, kind, payload)

    append = Campaign._append
    with Campaign.open(tmp_path / "whole", pictures()) as campaign:
        expected = campaign.ask()
    with monkeypatch.context() as patch, Campaign.open(tmp_path / "killed", pictures()) as campaign:
        patch.setattr(Campaign, "_append", die)
        with pytest.raises(Killed):
            campaign.ask()
        assert {query.design.content for query in expected} <= set(os.listdir(campaign.ledger.artifacts.root))
        assert not campaign.state.queries
    with Campaign.open(tmp_path / "killed") as campaign:
        assert campaign.ask() == expected


def test_the_reward_model_sees_the_files_and_no_state(
    tmp_path: Path, pictures: Pictures, corner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A latent model's way through its encoder would be lossy and dear: neither ask nor fit may take it."""

    def refuse(self: ImageToy, designs: Sequence[Design]) -> torch.Tensor:
        raise AssertionError("an image was made into a state")

    seen: list[torch.Tensor] = []
    fit = LastLayer.fit

    def watch(self: LastLayer, x: torch.Tensor, y: Any, noise: Any, seed: int) -> Any:
        seen.append(x)
        return fit(self, x, y, noise, seed)

    monkeypatch.setattr(ImageToy, "ingest", refuse)
    monkeypatch.setattr(LastLayer, "fit", watch)
    with Campaign.open(tmp_path, pictures()) as campaign:
        run(campaign, corner)
        queries = list(campaign.state.queries.values())
        files = torch.stack([from_png(campaign.bytes_of(query.design)) for query in queries])
    assert [len(x) for x in seen] == [12, 24]
    assert torch.equal(seen[-1], files)


def test_a_model_that_observes_nothing_is_read_by_its_states(tmp_path: Path) -> None:
    class Plain:
        """An image model with `ingest` and `decode` alone."""

        def __init__(self, toy: ImageToy) -> None:
            self.ingest, self.decode = toy.ingest, toy.decode

    toy = ImageToySource(size=4).load()
    images = [image_design(torch.rand(1, 4, 4)) for _ in range(3)]
    files = {image.content: image.data or b"" for image in images}
    bare = [Design(image.content, "image") for image in images]
    found = observe_designs(Plain(toy), bare, files.__getitem__)  # type: ignore[arg-type]
    torch.testing.assert_close(found, toy.observe(images))


def test_known_images_are_told_by_their_keys_alone() -> None:
    known = [Design("0f", "image", prompt) for prompt in (None, "left", "right")] + [Design("f0", "image", "left")]
    assert len(set(identities(None, known, None))) == 4  # type: ignore[arg-type]
    assert identities(None, [], None) == []  # type: ignore[arg-type]


def test_no_image_is_bought_twice(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    """Two grey levels a pixel, four pixels: the pool meets what it knows again and again."""
    recipe = pictures(model=ImageToySource(size=2, std=5.0), budget=12, prompts=None)
    with Campaign.open(tmp_path, recipe) as campaign:
        run(campaign, corner)
        contents = [query.design.content for query in campaign.state.queries.values()]
    assert len(set(contents)) == len(contents) == 12


def test_pairs_of_images_before_and_after(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    with Campaign.open(tmp_path, pictures()) as campaign:
        reports = run(campaign, corner)
        last = reports[-1]
        assert len(last.images) == 24
        assert last.samples == tuple(pair.after for pair in last.images)
        before, after = (
            torch.stack([from_png(campaign.bytes_of(Design(getattr(pair, side), "image"))) for pair in last.images])
            for side in ("before", "after")
        )
        assert all(pair.prompt == "bottom" for pair in last.images)
        assert torch.equal(before, after), "held-out prompts have weights of their own here, which no update moved"
        assert last.naturalness is not None
        assert (last.naturalness.frechet, last.naturalness.shift) == (0.0, 0.0)
        assert last.naturalness.features == "PixelStatistics"
        assert last.naturalness.diversity_before == pytest.approx(last.diversity)
    with Campaign.open(tmp_path) as campaign:
        assert campaign.state.reports == reports, "read back from the ledger"


def test_tuning_moves_images_and_their_features(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    from seiko.campaign import Prompts

    recipe = pictures(prompts=Prompts(querying=("left", "right")), steps=60, strength=pictures().strength)
    with Campaign.open(tmp_path, recipe) as campaign:
        last = run(campaign, corner)[-1]
    assert last.naturalness is not None
    assert last.naturalness.shift > 0.05
    assert sum(pair.believed_after - pair.believed_before for pair in last.images) > 0  # type: ignore[operator]
    assert last.kl_pretrained < 1.3


def test_given_features_judge_naturalness(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    with Campaign.open(tmp_path, pictures(naturalness=Identity(), rounds=1)) as campaign:
        (report,) = run(campaign, corner)
    assert report.naturalness is not None
    assert (report.naturalness.features, report.naturalness.dimensions) == ("Identity", 16)


def test_ledgers_of_before_are_read(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    """Events without prompts, pairs and naturalness, as earlier versions wrote them."""
    with Campaign.open(tmp_path, pictures(rounds=1)) as campaign:
        (report,) = run(campaign, corner)
    from seiko.campaign import RoundReport

    with Ledger.open(tmp_path) as ledger:
        (payload,) = (event.payload["report"] for event in ledger if event.kind == "advanced")
    old = {key: value for key, value in payload.items() if key not in ("prompts", "images", "naturalness")}
    read = RoundReport.from_payload(old)
    assert (read.prompts, read.images, read.naturalness) == ((), (), None)
    assert RoundReport.from_payload(payload) == report


def test_a_run_of_images_opens_from_a_checkpoint(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    from seiko.campaign.checkpoint import kept, restored

    with Campaign.open(tmp_path, pictures()) as campaign:
        run(campaign, corner)
        assert restored(kept(campaign.state)) == campaign.state


def test_verification_knows_the_files_that_events_name(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    from seiko.campaign.verification import verify

    with Campaign.open(tmp_path, pictures()) as campaign:
        run(campaign, corner)
        pair, query = campaign.state.reports[0].images[0], campaign.state.queries["1-0001"]
        for name in (pair.before, query.design.content):
            campaign.ledger.artifacts.path(name).unlink()
        faults = "\n".join(verify(campaign.ledger).faults)
    assert pair.before in faults
    assert query.design.content in faults
