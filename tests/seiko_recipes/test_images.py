"""The recipe of digits: each option makes one that travels as JSON, and a small run of all its parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("PIL")

from seiko import config
from seiko.acquisition import UCB, BootstrapMax, Greedy
from seiko.campaign import Campaign, Prompts, Recipe, run
from seiko.models import UNET_LAYERS, FullFineTuning, LoRA, PixelImageSource
from seiko.oracles import ImageFunction, StrokeThickness
from seiko.rewards import DigitFeatures, PerPrompt
from seiko.updates import AdjointMatching, DirectBackprop, FixedStrength, KLBudget, Trapezoid
from seiko_recipes.images import digits, imagenet64

OPTIONS = [
    pytest.param(option, value, id=f"{option}-{value}")
    for option, hint in get_type_hints(digits).items()
    for literal in (hint, *get_args(hint))
    if get_origin(literal) is Literal
    for value in get_args(literal)
]
SCHEDULE = Trapezoid(warmup=0.25, decay=0.5)
TINY: dict[str, Any] = {
    "budget": 12,
    "rounds": 2,
    "steps": 1,
    "samples": 4,
    "num_steps": 3,
    "pool": 16,
    "look": 6,
}


def round_trip(recipe: Recipe) -> Recipe:
    read = config.from_json(config.to_json(recipe))
    assert read == recipe
    return recipe


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_every_word_makes_a_recipe(option: str, value: Any) -> None:
    more = {"reward": "ensemble"} if value == "bootstrap" else {}
    round_trip(digits(**{**more, option: value}))


def test_what_the_options_decide() -> None:
    recipe = round_trip(
        digits(oracle="thickness", classes="37", update="adjoint", share=0.5, lora=4, kl_budget=None, alpha=0.3)
    )
    assert recipe.oracle == StrokeThickness()
    assert recipe.prompts == Prompts(querying=("3", "7"))
    assert recipe.update == AdjointMatching(learning_rate=1e-3, schedule=SCHEDULE, share=0.5)
    assert isinstance(recipe.model, PixelImageSource)
    assert recipe.model.tuning == LoRA(rank=4, target_modules=UNET_LAYERS)
    assert recipe.strength == FixedStrength(alpha=0.3, beta=0.02)
    assert isinstance(digits().model, PixelImageSource)
    assert digits().model.tuning == FullFineTuning()  # type: ignore[attr-defined]
    last, whole = digits(update="backprop", window=3).update, digits(update="backprop", window=None).update
    assert last == DirectBackprop(learning_rate=2e-4, schedule=SCHEDULE, window=(1, 3), outside=2)
    assert whole == DirectBackprop(learning_rate=2e-4, schedule=SCHEDULE, outside=2)
    assert digits(oracle="mine:light").oracle == ImageFunction(target="mine:light")
    assert digits(selection="everything").final_acquisition is None
    assert (digits().acquisition, digits().final_acquisition) == (UCB(c=1.0), Greedy())
    assert digits(acquisition="bootstrap", reward="ensemble").acquisition == BootstrapMax()


def test_alpha_moves_little_within_a_round() -> None:
    """What goes past the budget is led back to it afterwards (`seiko.campaign.landing`)."""
    strength = digits(kl_budget=6.0).strength
    assert isinstance(strength, KLBudget)
    alpha, beta = strength.start()
    assert (strength.limit, beta) == (6.0, 0.02)
    for _ in range(20):
        alpha = strength.follow(alpha, 60.0, 0.0)
    assert alpha == pytest.approx(strength.alpha * 1.4918, rel=1e-4)
    assert digits(kl_budget=6.0, update="guidance").strength == KLBudget(nats=6.0)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match="acquisition bootstrap needs an ensemble, got reward gp"):
        digits(acquisition="bootstrap", reward="gp")
    with pytest.raises(ValueError, match="no oracle of images is called 'beauty'"):
        digits(oracle="beauty")


def test_the_recipe_of_imagenet_takes_a_model_that_you_have() -> None:
    recipe = round_trip(imagenet64(prior="models/imagenet64", classes="207, 3", device="cpu"))
    assert recipe.prompts == Prompts(querying=("207", "3"))
    assert isinstance(recipe.model, PixelImageSource)
    assert (recipe.model.name, recipe.model.tuning) == ("models/imagenet64", LoRA(rank=8, target_modules=UNET_LAYERS))
    round_trip(imagenet64(prior="x", lora=None, acquisition="bootstrap", reward="ensemble", kl_budget=None))
    with pytest.raises(ValueError, match="acquisition bootstrap needs an ensemble, got reward last"):
        imagenet64(prior="x", acquisition="bootstrap")


@pytest.mark.parametrize("update", ["sqdf", "guidance"])
def test_a_small_run_keeps_its_images_and_resumes(tmp_path: Path, update: Literal["sqdf", "guidance"]) -> None:
    recipe = digits(**TINY, update=update, beta=0.0, reward="ensemble")
    recipe = dataclasses.replace(recipe, final_acquisition=None)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        state = campaign.state
        assert state.charged == 12
        (first, *_) = state.queries.values()
        assert first.design.prompt in set("0123456789")
        assert campaign.bytes_of(first.design).startswith(b"\x89PNG")
        report = state.reports[-1]
        assert report.naturalness is not None
        assert report.naturalness.features == "DigitFeatures"
        assert len(report.images) == TINY["look"]
        fresh = campaign.sample(3)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        assert campaign.done
        assert campaign.sample(3) == fresh


def test_a_belief_by_class() -> None:
    recipe = digits(oracle="quality", reward="class", classes="37")
    assert recipe.view == PerPrompt(feature=DigitFeatures(), prompts=("3", "7"))
    assert digits().view is None
    assert config.from_json(config.to_json(recipe)) == recipe
