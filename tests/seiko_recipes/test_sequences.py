"""Each recipe can be made with each option, travels as JSON, and stands on priors that know their data."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

import seiko
from seiko import config
from seiko.acquisition import BootstrapMax, Greedy
from seiko.campaign import Campaign, Recipe, run
from seiko.data import DataUnavailable
from seiko.diffusion import Noise, rollout
from seiko.models import FullFineTuning, MaskedLMSource, ModelPolicy, SideNetwork
from seiko.oracles import Ehrlich, tfbind8
from seiko.rewards import ReverseComplement
from seiko.updates import FixedStrength
from seiko_recipes import sequences

RECIPES: dict[str, tuple[Callable[..., Recipe], dict[str, Any]]] = {
    "tfbind8": (sequences.tfbind8, {}),
    "ehrlich": (sequences.ehrlich, {}),
    "dna": (sequences.dna, {"prior": "seiko:tfbind8", "budget": 96, "rounds": 3}),
}
PRIORS = ["tfbind8", "ehrlich"]
MAX_BYTES = 2_000_000


OPTIONS = [
    pytest.param(name, option, value, id=f"{name}-{option}-{value}")
    for name, (recipe, _) in RECIPES.items()
    for option, hint in get_type_hints(recipe).items()
    if get_origin(hint) is Literal
    for value in get_args(hint)
]


def make(name: str, **options: Any) -> Recipe:
    recipe, needed = RECIPES[name]
    return recipe(**{**needed, **options})


def round_trip(recipe: Recipe) -> Recipe:
    found = config.from_json(config.read_json(config.canonical_json(config.to_json(recipe))))
    assert isinstance(found, Recipe)
    return found


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_one_function_with_documented_keywords(name: str) -> None:
    recipe, needed = RECIPES[name]
    documented = (inspect.getdoc(recipe) or "").partition("Args:")[2]
    for option, parameter in inspect.signature(recipe).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert f"{option}: " in documented, f"{name} does not say what {option} is"
        assert (parameter.default is inspect.Parameter.empty) == (option in needed)
    assert make(name).name == name
    assert round_trip(make(name)) == make(name)


@pytest.mark.parametrize(("name", "option", "value"), OPTIONS)
def test_each_option_makes_a_recipe_that_travels_as_json(name: str, option: str, value: str) -> None:
    ensemble = {"reward": "ensemble"} if value == "bootstrap" else {}
    recipe = make(name, **{option: value}, **ensemble)
    assert round_trip(recipe) == recipe
    default = inspect.signature(RECIPES[name][0]).parameters[option].default
    assert (recipe == make(name, **ensemble)) == (value == default), "an option must change something"


def test_numbers_reach_the_recipe() -> None:
    recipe = sequences.tfbind8(budget=30, rounds=2, seed=5, noise=0.1, steps=3, samples=9, pool=77)
    assert (recipe.budget, recipe.rounds, recipe.seed, recipe.steps, recipe.samples, recipe.pool) == (
        30,
        2,
        5,
        3,
        9,
        77,
    )
    assert recipe.oracle == tfbind8.TFBind8(noise=0.1, seed=5)


def test_a_belief_without_members_is_refused_before_labels_are_bought_for_it() -> None:
    with pytest.raises(ValueError, match="bootstrap needs an ensemble, got reward windows: choose reward ensemble"):
        sequences.tfbind8(acquisition="bootstrap")
    assert sequences.tfbind8(acquisition="bootstrap", reward="mlp").acquisition == BootstrapMax()


def test_no_kl_budget_means_a_fixed_alpha() -> None:
    assert sequences.tfbind8(kl_budget=None, alpha=0.2, beta=0.1).strength == FixedStrength(alpha=0.2, beta=0.1)
    assert sequences.ehrlich(kl_budget=3.0).strength.limit == 3.0


def test_no_remasking_leaves_fresh_draws_only() -> None:
    assert [source.source for source in sequences.tfbind8(remask=0.0).candidates] == ["fresh"]
    for wrong in (-0.1, 1.0):
        with pytest.raises(ValueError, match=rf"remask must be a share in \[0, 1\), got {wrong}"):
            sequences.tfbind8(remask=wrong)


def test_two_strands_are_one_molecule_unless_told_otherwise() -> None:
    assert sequences.tfbind8().same == ReverseComplement()
    assert sequences.tfbind8(both_strands=True).same is None
    assert sequences.tfbind8(selection="everything").same is None, "the paper's loop labels each draw"
    assert make("dna").same == ReverseComplement()
    assert make("dna", double_stranded=False).same is None


def test_what_is_not_given_suits_the_update() -> None:
    memory, backprop = sequences.tfbind8(), sequences.tfbind8(update="backprop")
    assert (memory.steps, memory.final_steps, memory.samples) == (12, 40, 1024)
    assert (backprop.steps, backprop.final_steps, backprop.samples) == (40, 160, 128)
    assert isinstance(memory.model.tuning, SideNetwork)  # type: ignore[attr-defined]
    assert isinstance(backprop.model.tuning, FullFineTuning)  # type: ignore[attr-defined]
    assert sequences.tfbind8(steps=3).steps == 3
    assert isinstance(sequences.tfbind8(tune="full").model.tuning, FullFineTuning)  # type: ignore[attr-defined]


def test_the_paper_s_loop_stays_optimistic_to_the_end() -> None:
    assert isinstance(sequences.tfbind8().final_acquisition, Greedy)
    assert sequences.tfbind8(selection="everything").final_acquisition is None


def test_the_demo_is_small() -> None:
    demo = sequences.ehrlich(preset="demo")
    assert demo.budget <= 240
    assert demo.oracle == Ehrlich()


def test_lora_is_used_if_asked_for() -> None:
    model = make("dna", lora=4).model
    assert isinstance(model, MaskedLMSource)
    assert "LoRA(rank=4" in repr(model.tuning)


# --------------------------------------------------------------- priors


@pytest.mark.parametrize("name", PRIORS)
def test_a_shipped_prior_is_small_and_says_where_it_comes_from(name: str) -> None:
    folder = Path(seiko.__file__).parent / "priors" / name
    files = {path.name for path in folder.iterdir()}
    assert files == {"config.json", "model.safetensors", "seiko.json"}, "nothing is unpickled, nothing superfluous"
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    side = json.loads((folder / "seiko.json").read_text())
    provenance = side["provenance"]
    assert provenance["script"] == "scripts/train_priors.py"
    assert provenance["arguments"] == name
    assert provenance["training"]["seed"] == 0
    assert len(bytes.fromhex(provenance["data_sha256"])) == 32
    uniform = math.log(len(side["alphabet"]["letters"]))
    assert provenance["uniform_nats_per_token"] == pytest.approx(uniform)
    assert provenance["validation_nats_per_token"] < uniform - 0.02, "it must have learned more than nothing"


@pytest.mark.parametrize(("name", "length", "letters"), [("tfbind8", 8, 4), ("ehrlich", 32, 32)])
def test_a_shipped_prior_loads_and_draws(name: str, length: int, letters: int) -> None:
    model = MaskedLMSource(name=f"seiko:{name}", num_steps=4).load()
    x = rollout(ModelPolicy(model), None, Noise.seeded(0, 16)).x_0
    assert x.shape == (16, length)
    assert len(model.alphabet) == letters
    assert int(x.max()) < letters
    assert len({design.key for design in model.export(x)}) > 8


def test_the_tfbind8_prior_has_never_seen_a_good_binder(data_dir: Path) -> None:
    model = MaskedLMSource(name="seiko:tfbind8").load()
    designs = model.export(rollout(ModelPolicy(model), None, Noise.seeded(0, 500)).x_0)
    labels = [label.value for label in tfbind8.TFBind8()(designs)]
    assert all(value is not None for value in labels)
    below = sum(value <= 0.4391 for value in labels if value is not None) / 500
    assert below > 0.55, f"{below:.3f} of its draws are below the median, as all of its data are"


def test_most_draws_of_the_ehrlich_prior_are_feasible(record_property: Callable[[str, object], None]) -> None:
    model = MaskedLMSource(name="seiko:ehrlich", num_steps=16).load()
    designs = model.export(rollout(ModelPolicy(model), None, Noise.seeded(0, 150)).x_0)
    feasible = sum(label.status == "value" for label in Ehrlich()(designs)) / len(designs)
    record_property("feasible", feasible)
    print(f"feasible share of 150 draws: {feasible:.3f}")
    assert feasible > 0.55  # of uniform sequences it is 0.0008


# ----------------------------------------------------------------- runs


def test_a_small_run_of_ehrlich(tmp_path: Path) -> None:
    recipe = sequences.ehrlich(budget=12, rounds=2, steps=1, samples=4, pool=20)
    with Campaign.open(tmp_path, dataclasses.replace(recipe, final_steps=1, look=16)) as campaign:
        reports = run(campaign)
        assert [report.labels_used for report in reports] == [6, 12]
        assert {label.status for label in campaign.state.labels.values()} <= {"value", "infeasible"}
        assert reports[-1].best is not None
        assert reports[-1].kl_pretrained > 0
        assert len({query.design.key for query in campaign.state.queries.values()}) == 12


def test_missing_data_is_found_before_a_label_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tfbind8._table.cache_clear()
    recipe = sequences.tfbind8(budget=4, rounds=1, pool=10)
    try:
        with Campaign.open(tmp_path / "run", recipe) as campaign:
            with pytest.raises(DataUnavailable, match=r"'tfbind8' was not found .*run `seiko data fetch tfbind8`"):
                run(campaign)
            assert campaign.state.labels == {}
            assert campaign.state.reports == []
            assert [event.kind for event in campaign.ledger] in (["opened"], ["opened", "asked"])
    finally:
        tfbind8._table.cache_clear()
