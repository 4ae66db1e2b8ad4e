"""The recipe of molecules: each option makes one that travels as JSON, and a small run of all its parts."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch

pytest.importorskip("rdkit")
pytest.importorskip("selfies")
pytest.importorskip("gpytorch")

from seiko import config
from seiko.acquisition import UCB, BootstrapMax, Greedy
from seiko.campaign import (
    Campaign,
    Climb,
    Everything,
    Fresh,
    Library,
    NoImprovement,
    OneByOne,
    PropertyRange,
    Recipe,
    Remask,
    Rewrite,
    Splice,
    Substructure,
    TargetReached,
    TopAcquisition,
    run,
)
from seiko.chemistry import FragmentAlphabet, flat, to_symbols
from seiko.models import Architecture, FullFineTuning, LoRA, MaskedLMSource
from seiko.models.masked_lm import TokenIds, save_language_model
from seiko.oracles import PythonFunction
from seiko.rewards import MLP, Ensemble, OneHot
from seiko.updates import PPO, FixedStrength, KLBudget
from seiko_recipes.molecules import graphs, molecules

SMILES = """
CCO CC(=O)O CCN CC(C)O c1ccccc1 Cc1ccccc1 Oc1ccccc1 CC(=O)Nc1ccccc1 CCOC(C)=O c1ccncc1 CN1CCNCC1 C1CCCCC1 CC(N)=O
OCC1CC1 CCCl N#CC FC(F)F Clc1ccccc1 CCS O=C1CCCN1 C1CCOC1 CNC CCCC COc1ccccc1 Nc1ccccc1 CC#N O=Cc1ccccc1
""".split()  # noqa: SIM905
OPTIONS = [
    pytest.param(option, value, id=f"{option}-{value}")
    for option, hint in get_type_hints(molecules).items()
    for literal in (hint, *get_args(hint))
    if get_origin(literal) is Literal
    for value in get_args(literal)
]


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of a model of molecules with random weights."""
    folder = tmp_path_factory.mktemp("prior")
    alphabet = FragmentAlphabet.learn([to_symbols(smiles, "rings") for smiles in SMILES], 30, "rings")
    torch.manual_seed(0)
    language_model = Architecture(width=8, layers=1, heads=1).build(len(alphabet), 8)
    save_language_model(language_model, TokenIds.plain(alphabet), alphabet, 8, folder)
    return str(folder)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of known molecules."""
    path = tmp_path_factory.mktemp("known") / "known.smi"
    path.write_text("smiles name\nCCO ethanol\nCC(=O)Nc1ccccc1 acetanilide\nCCN\nCc1ccccc1\nOc1ccccc1\nCNC\n")
    return path


def round_trip(recipe: Recipe) -> Recipe:
    found = config.from_json(config.read_json(config.canonical_json(config.to_json(recipe))))
    assert isinstance(found, Recipe)
    return found


def test_it_is_one_function_with_documented_keywords() -> None:
    documented = (inspect.getdoc(molecules) or "").partition("Args:")[2]
    for option, parameter in inspect.signature(molecules).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert f"{option}: " in documented, f"molecules does not say what {option} is"
        assert parameter.default is not inspect.Parameter.empty
    assert molecules().name == "molecules"
    assert round_trip(molecules()) == molecules()


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_each_option_makes_a_recipe_that_travels_as_json(prior: str, option: str, value: str) -> None:
    ensemble: dict[str, Any] = {"reward": "ensemble"} if value == "bootstrap" else {}
    recipe = molecules(prior=prior, **{**ensemble, option: value})  # type: ignore[arg-type]
    assert round_trip(recipe) == recipe
    default = inspect.signature(molecules).parameters[option].default
    if option == "selection" and not ensemble:
        default = "one-by-one"  # what none stands for beside a Gaussian process
    assert (recipe == molecules(prior=prior, **ensemble)) == (value == default), "an option must change something"


def test_a_batch_is_chosen_one_by_one_where_the_belief_can_imagine_labels(prior: str) -> None:
    assert molecules(prior=prior).selection == molecules(prior=prior, reward="fingerprint").selection == OneByOne()
    assert molecules(prior=prior, reward="ensemble").selection == TopAcquisition()
    with pytest.raises(ValueError, match="OneByOne must know how the errors of a belief go together"):
        molecules(prior=prior, reward="ensemble", selection="one-by-one")


@pytest.mark.parametrize("oracle", ["qed", "plogp", "sa", "celecoxib_rediscovery", "my_assay:score"])
def test_each_oracle_travels_as_json(oracle: str) -> None:
    recipe = molecules(oracle=oracle)
    assert round_trip(recipe) == recipe
    assert isinstance(recipe.oracle, PythonFunction) == (":" in oracle)


@pytest.mark.parametrize("update", ["ppo", "backprop", "adjoint", "sqdf", "distill", "none"])
def test_graphs_travel_as_json(update: Any) -> None:
    recipe = graphs(update=update)
    assert round_trip(recipe) == recipe
    assert (recipe == graphs()) == (update == "ppo")


def test_files_travel_as_json(known: Path) -> None:
    recipe = molecules(library=str(known), hits=str(known), keep="c1ccccc1", weight=400.0)
    assert round_trip(recipe) == recipe
    fresh, remask, rewrite, splice, library = recipe.candidates
    assert isinstance(fresh, Fresh)
    assert isinstance(remask, Remask)
    assert isinstance(rewrite, Rewrite)
    assert isinstance(splice, Splice)
    assert library == Library(path=str(known), share=0.25)
    assert (
        remask.hits == rewrite.hits == splice.hits == ("CCO", "CC(=O)Nc1ccccc1", "CCN", "Cc1ccccc1", "Oc1ccccc1", "CNC")
    )
    assert remask.keep == rewrite.keep == splice.keep == "c1ccccc1"
    assert recipe.screens == (Substructure(smarts="c1ccccc1"), PropertyRange(descriptor="weight", high=400.0))


def test_numbers_reach_the_recipe() -> None:
    recipe = molecules(budget=30, rounds=2, seed=5, steps=3, final_steps=7, samples=9, pool=77, c=2.0, lora=4)
    assert (recipe.budget, recipe.rounds, recipe.seed, recipe.steps, recipe.final_steps) == (30, 2, 5, 3, 7)
    assert (recipe.samples, recipe.pool, recipe.acquisition) == (9, 77, UCB(c=2.0))
    assert isinstance(recipe.model, MaskedLMSource)
    assert isinstance(recipe.model.tuning, LoRA)
    assert isinstance(molecules().model.tuning, FullFineTuning)  # type: ignore[attr-defined]
    assert round_trip(recipe) == recipe


def test_a_run_may_stop_before_its_rounds() -> None:
    recipe = molecules(target=0.9, patience=3)
    assert recipe.stop == (TargetReached(value=0.9), NoImprovement(rounds=3))
    assert round_trip(recipe) == recipe
    assert molecules().stop == ()


def test_the_strength_is_a_budget_or_fixed() -> None:
    assert isinstance(molecules(kl_budget=3.0).strength, KLBudget)
    assert molecules(kl_budget=3.0).strength.limit == 3.0
    assert molecules(kl_budget=None, alpha=0.2, beta=0.1).strength == FixedStrength(alpha=0.2, beta=0.1)


def test_shares_are_what_is_left(known: Path) -> None:
    def shares(**options: Any) -> list[tuple[str, float]]:
        return [(source.source, round(source.share, 6)) for source in molecules(**options).candidates]

    assert shares() == [("fresh", 0.4), ("remask", 0.2), ("rewrite", 0.2), ("splice", 0.2)]
    assert shares(remask=0.0, rewrite=0.0, splice=0.0) == [("fresh", 1.0)]
    known_too = shares(library=str(known), rewrite=0.0)
    assert known_too == [("fresh", 0.35), ("remask", 0.2), ("splice", 0.2), ("library", 0.25)]


def test_what_is_not_edited_is_not_climbed() -> None:
    assert molecules().climb == Climb()
    assert molecules(generations=3).climb == Climb(generations=3)
    assert molecules(generations=0).climb is None
    assert molecules(remask=0.0, rewrite=0.0, splice=0.0).climb is None
    assert molecules(selection="everything").climb is None


def test_the_paper_s_loop_labels_each_draw_and_stays_optimistic() -> None:
    paper = molecules(selection="everything")
    assert paper.candidates == (Fresh(),)
    assert paper.final_acquisition is None
    assert isinstance(molecules().final_acquisition, Greedy)
    assert isinstance(molecules(reward="ensemble", acquisition="bootstrap").acquisition, BootstrapMax)


def test_a_batch_as_drawn_is_of_fresh_designs_and_the_end_follows_the_mean() -> None:
    recipe = molecules(selection="drawn", weight=300.0)
    assert recipe.candidates == (Fresh(),)
    assert recipe.selection == Everything()
    assert recipe.climb is None
    assert isinstance(recipe.final_acquisition, Greedy)
    assert len(recipe.screens) == 1


def test_tokens_are_as_many_as_the_model_s_letters(prior: str) -> None:
    reward = molecules(reward="tokens", prior=prior).reward_model
    assert reward == Ensemble(network=MLP(feature=OneHot(vocabulary=31)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"acquisition": "bootstrap"},
            "bootstrap needs an ensemble, got reward gp: choose reward ensemble",
        ),
        ({"final_acquisition": "bootstrap", "reward": "fingerprint"}, "needs an ensemble, got reward fingerprint"),
        (
            {"oracle": "my_assay:score", "noise": 0.1},
            "added to the oracles that come with seiko; my_assay:score",
        ),
        ({"oracle": "beauty"}, "beauty"),
        (
            {"remask": 0.6, "splice": 0.4},
            "must leave some for fresh draws, got remask 0.6, rewrite 0.2",
        ),
        ({"remask": -0.1}, "must leave some for fresh draws, got remask -0.1"),
        ({"keep": "c1c"}, "'c1c' is no SMARTS"),
        ({"selection": "everything", "keep": "C"}, "everything labels what the model draws: leave keep out"),
        ({"selection": "everything", "weight": 300.0}, "leave weight out"),
        ({"selection": "drawn", "hits": "own.smi"}, "drawn labels what the model draws: leave hits out"),
        ({"budget": 0}, "budget must be a positive number of labels, got 0"),
        ({"weight": -5.0}, "weight must be a positive number of daltons, got -5"),
        ({"weight": float("nan")}, "weight must be a positive number of daltons, got nan"),
    ],
)
def test_what_cannot_be_is_refused_before_a_label_is_bought(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        molecules(**options)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no library .*absent\.smi"):
        molecules(hits=str(tmp_path / "absent.smi"))
    with pytest.raises(FileNotFoundError, match=r"there is no library .*absent\.smi"):
        molecules(library=str(tmp_path / "absent.smi"))


def test_hits_that_are_no_molecules_are_named_before_a_run_is_made(tmp_path: Path) -> None:
    own = tmp_path / "own.smi"
    own.write_text("smiles\nCCO\nC1CC\nCCN\nCC(\n")
    with pytest.raises(ValueError, match=r"own\.smi holds 2 of 4 hits that are no SMILES .* the first is 'C1CC'"):
        molecules(hits=str(own))


def small(prior: str, **options: Any) -> Recipe:
    recipe = molecules(prior=prior, budget=8, rounds=2, steps=1, samples=16, pool=24, **options)
    return dataclasses.replace(recipe, look=16)


def test_a_small_run_of_all_parts(prior: str, known: Path, tmp_path: Path) -> None:
    recipe = small(prior, library=str(known), hits=str(known), weight=200.0)
    quick = PPO(epochs=1)
    with Campaign.open(tmp_path, dataclasses.replace(recipe, update=quick)) as campaign:
        reports = run(campaign)
        queries = list(campaign.state.queries.values())
        assert [report.labels_used for report in reports] == [4, 8]
        assert {label.status for label in campaign.state.labels.values()} == {"value"}
        assert {query.design.kind for query in queries} == {"smiles"}
        assert len({query.design.key for query in queries}) == 8
        assert all(flat(query.design.content) == query.design.content for query in queries)
        assert all(PropertyRange(descriptor="weight", high=200.0)([query.design for query in queries]))
        assert {query.source for query in queries} <= {"fresh", "remask", "rewrite", "splice", "library"}
        assert reports[-1].best is not None
        assert reports[-1].kl_pretrained is not None
        assert reports[-1].kl_pretrained > 0
    with Campaign.open(tmp_path) as again:
        assert list(again.state.queries.values()) == queries


@pytest.mark.parametrize(
    "options",
    [
        {"reward": "tokens", "acquisition": "thompson", "update": "ppo", "lora": 2},
        {"reward": "fingerprint", "update": "none", "selection": "diverse", "keep": "[#6]"},
        {"reward": "gp", "update": "none", "selection": "everything"},
        {"reward": "fingerprint", "update": "replay"},
    ],
    ids=["tokens", "screening", "paper", "replay"],
)
def test_other_choices_run_too(prior: str, tmp_path: Path, options: dict[str, Any]) -> None:
    with Campaign.open(tmp_path, small(prior, **options)) as campaign:
        reports = run(campaign)
        assert [report.labels_used for report in reports] == [4, 8]
        contents = [query.design for query in campaign.state.queries.values()]
    if "keep" in options:
        assert all(Substructure(smarts="[#6]")(contents))
