"""Campaigns whose reward model sees image and prompt: by vectors that are computed once, and never by all pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.acquisition import Greedy
from seiko.campaign import Campaign, Fresh, Prompts, Recipe, run
from seiko.campaign.aiming import Aim
from seiko.campaign.errors import NoPrompts
from seiko.campaign.prompts import conditioner_of, prompts_of
from seiko.designs import Design
from seiko.imaging import from_png
from seiko.models import ImageToySource, LatentImageSource, RandomPipeline
from seiko.models.latent_image_text import to_bytes
from seiko.oracles import CLIPScore, Label
from seiko.rewards import Identity, LastLayer, PerPrompt, PromptedEmbedding, VisionEmbedding
from seiko.updates import PPO, SMC, SQDF, DirectBackprop, FixedStrength, Guidance, KLBudget

Pictures = Callable[..., Recipe]
OPPOSITE = PerPrompt(feature=Identity(), prompts=("left", "top"))


def opposite(designs: Sequence[Design]) -> list[Label]:
    """Like a bright corner where left is asked for, a dark one elsewhere; it is bright in both."""
    corner = [float(from_png(design.data or b"")[0, 0, 0]) for design in designs]
    return [
        Label(value=value if design.prompt == "left" else -value) for value, design in zip(corner, designs, strict=True)
    ]


def go_on(campaign: Campaign) -> list[tuple[str, int, int]]:
    """Ask, tell, advance; return the stages that were shown."""
    asked, stages = campaign.ask(), list[tuple[str, int, int]]()
    labels = opposite([query.design for query in asked])
    campaign.tell({query.id: label for query, label in zip(asked, labels, strict=True)})
    campaign.advance(progress=lambda stage, done, total, numbers: stages.append((stage, done, total)))
    return stages


def test_each_prompt_is_moved_its_own_way(tmp_path: Path, pictures: Pictures) -> None:
    """Believed by the image alone, the two rewards cancel and neither prompt moves."""
    moved = {}
    for name, view in (("image", None), ("both", OPPOSITE)):
        recipe = pictures(
            view=view,
            reward_model=LastLayer(features=Identity()),
            prompts=Prompts(querying=("left", "top")),
            acquisition=Greedy(),
            final_acquisition=None,
            update=DirectBackprop(learning_rate=0.05),
            strength=FixedStrength(alpha=0.05, beta=0.0),
            budget=80,
            rounds=1,
            steps=20,
            samples=32,
        )
        with Campaign.open(tmp_path / name, recipe) as campaign:
            go_on(campaign)
            for prompt in ("left", "top"):
                now = [from_png(d.data or b"")[0, 0, 0] for d in campaign.sample(100, prompts=[prompt])]
                before = [from_png(d.data or b"")[0, 0, 0] for d in campaign.sample(100, prompts=[prompt], round=0)]
                moved[name, prompt] = float(torch.stack(now).mean() - torch.stack(before).mean())
    assert moved["both", "left"] > 0.05
    assert moved["both", "top"] < -0.05
    assert abs(moved["image", "left"]) < 0.05
    assert abs(moved["image", "top"]) < 0.05


FIXED = FixedStrength(alpha=0.5, beta=0.5)


@pytest.mark.parametrize(
    ("update", "strength"),
    [
        (PPO(), FIXED),
        (PPO(learning_rate=0.1), KLBudget(nats=0.5)),
        (SQDF(), FIXED),
        (DirectBackprop(kept=0), FIXED),
        (Guidance(), FIXED),
        (Guidance(), KLBudget(nats=0.5)),
        (SMC(particles=4), FIXED),
    ],
)
def test_every_way_to_move_knows_what_it_draws_for(
    tmp_path: Path, pictures: Pictures, update: Any, strength: Any
) -> None:
    recipe = pictures(view=OPPOSITE, update=update, strength=strength, rounds=3, budget=18, samples=8)
    with Campaign.open(tmp_path, recipe) as campaign:
        while not campaign.done:
            go_on(campaign)
        assert len(campaign.sample(3, prompts=["right"])) == 3, "also for prompts that were never asked for"
        expected = campaign.state.reports[-1].believed_mean
    with Campaign.open(tmp_path) as campaign:
        assert campaign.state.reports[-1].believed_mean == expected
        assert len(campaign.sample(3, prompts=["right"])) == 3


def test_a_run_that_was_killed_goes_on_the_same(tmp_path: Path, pictures: Pictures, story: Any) -> None:
    recipe = pictures(view=OPPOSITE, rounds=3, budget=18)

    with Campaign.open(tmp_path / "whole", recipe) as campaign:
        for _ in range(3):
            go_on(campaign)
        whole = story(campaign)
    for round in range(3):
        if round == 2:
            (tmp_path / "cut" / "embeddings.sqlite").unlink()
        with Campaign.open(tmp_path / "cut", recipe) as campaign:
            go_on(campaign)
            found = story(campaign)
    assert found == whole


def test_a_fit_holds_vectors_and_no_images(tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    fit = LastLayer.fit

    def watch(self: LastLayer, x: torch.Tensor, y: Any, noise: Any, seed: int) -> Any:
        seen.append(tuple(x.shape))
        return fit(self, x, y, noise, seed)

    monkeypatch.setattr(LastLayer, "fit", watch)
    with Campaign.open(tmp_path, pictures(view=OPPOSITE, rounds=2, budget=12)) as campaign:
        for _ in range(2):
            assert go_on(campaign).count(("fit", 6, 6)) == 1, "only what is new is embedded"
    assert set(seen) == {(6, 48), (12, 48)}


def test_a_latent_pipeline_end_to_end(tmp_path: Path, clip: str) -> None:
    """CLIP score as the oracle, CLIP of image and prompt as the view, a tiny Stable Diffusion between them."""
    recipe = Recipe(
        name="aligned",
        model=LatentImageSource(
            name=str(RandomPipeline(family="sd").save(tmp_path / "sd")), num_steps=3, height=16, width=16, guidance=2.0
        ),
        prompts=Prompts(querying=("a cat", "a red house"), held_out=("a boat",)),
        oracle=CLIPScore(model=clip),
        view=PromptedEmbedding(model=clip),
        naturalness=VisionEmbedding(model=clip),
        reward_model=LastLayer(features=Identity()),
        acquisition=Greedy(),
        update=DirectBackprop(window=2, kept=0),
        strength=FixedStrength(alpha=0.5, beta=0.1),
        candidates=(Fresh(),),
        steps=2,
        samples=3,
        look=4,
        pool=10,
        budget=8,
        rounds=2,
    )
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        state = campaign.state
        assert {query.design.prompt for query in state.queries.values()} == {"a cat", "a red house"}
        assert all(query.mean is not None for query in state.asked(2))
        report = state.reports[-1]
        assert report.kl_pretrained > 0
        assert report.naturalness is not None
        assert report.naturalness.alignment is not None
        assert report.naturalness.alignment_before != report.naturalness.alignment
        assert report.naturalness.alignment_chance is None, "one prompt is held out"
        belief = campaign.belief()
        assert belief is not None
        view, [design] = recipe.view, campaign.sample(1)
        pixels = from_png(design.data or b"")[None]
        assert isinstance(view, PromptedEmbedding)
        here, there = (belief.posterior(view.of(pixels, [prompt])).mean for prompt in ("a cat", "a red house"))
        assert float(here) != float(there)


def test_rows_of_conditioning_are_read_back() -> None:
    toy = ImageToySource(size=4).load()
    lists = [conditioner_of(toy, ("left", "top")), conditioner_of(toy, ("right",))]
    assert prompts_of(torch.tensor([2, 1, 0]), lists) == ["top", "right", "left"]
    with pytest.raises(NoPrompts, match="from no prompt"):
        prompts_of(torch.tensor([3]), lists)
    assert to_bytes(["a", "b"]).shape[0] == 2


def test_a_view_of_prompts_needs_prompts(pictures: Pictures) -> None:
    with pytest.raises(ValueError, match="sees the prompt and the recipe has none"):
        pictures(view=OPPOSITE, prompts=None)
    toy = ImageToySource(size=4).load()
    aim = Aim(toy, lambda seen: seen.sum(1), 2.0, OPPOSITE)
    with pytest.raises(ValueError, match="these images have none"):
        aim(torch.zeros(1, 1, 4, 4))
