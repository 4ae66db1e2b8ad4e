"""The molecule benchmarks in their quick form on a random model: records, curves, resuming, pairs, the page."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from typer.testing import CliRunner, Result

from seiko.campaign import Campaign, Everything, Fresh, Library, Recipe, Remask
from seiko.campaign.best_draws import best_of_nats
from seiko.chemistry import FragmentAlphabet, to_symbols
from seiko.models import Architecture
from seiko.models.masked_lm import TokenIds, save_language_model
from seiko.updates import Guidance, SoftBestOf
from seiko_bench import cli
from seiko_bench.molecules import figures as figures_module
from seiko_bench.molecules import known, qed
from seiko_bench.molecules import pmo as pmo_module
from seiko_bench.molecules import prior as prior_module
from seiko_bench.molecules.compare import compare, paired
from seiko_bench.molecules.kept import kept
from seiko_bench.protocols import Protocol
from seiko_bench.tables import page

ACIDS = ("CCC", "c1ccccc1", "C1CCCC1", "COCC", "c1ccncc1", "CC(C)C", "Cc1ccc(F)cc1", "CCS", "CCN(C)C", "C#CC")
AMINES = ("CCO", "c1ccc(Cl)cc1", "C1CCN(C)CC1", "CC(=O)OC", "Cc1ccco1", "CCC#N")
MOLECULES = [f"O=C({acid.replace('1', '3')})N{amine}" for acid in ACIDS for amine in AMINES]


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a random model of short molecules."""
    folder = tmp_path_factory.mktemp("models") / "random"
    alphabet = FragmentAlphabet.learn([to_symbols(text, "selfies") for text in MOLECULES], 80, "selfies")
    torch.manual_seed(0)
    language_model = Architecture(width=8, layers=1, heads=1).build(len(alphabet), 14)
    save_language_model(language_model, TokenIds.plain(alphabet), alphabet, 14, folder)
    return str(folder)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "library.smi"
    path.write_text("\n".join(MOLECULES) + "\n")
    for module in (known, pmo_module):
        monkeypatch.setattr(module, "LIBRARY", str(path))
    known.known_mean.cache_clear()
    return path


def as_json(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(record, allow_nan=False))
    return found


@pytest.mark.parametrize("method", ["seiko", "remask-only", "screening", "graph-ga", "gp-bo", "random"])
def test_each_method_of_pmo_gives_a_record(method: str, prior: str, library: Path, tmp_path: Path) -> None:
    protocol = pmo_module.pmo(1000, ["celecoxib_rediscovery"], prior)
    record = as_json(protocol.methods[method](0, tmp_path / "runs", True))
    task = record["tasks"]["celecoxib_rediscovery"]
    assert task["calls"] == pmo_module.QUICK_CALLS
    assert 0 < task["auc10"] <= task["auc1"] <= task["best"] <= 1
    assert record["auc10"] == task["auc10"]
    assert (tmp_path / "runs" / "celecoxib_rediscovery-24" / "record.json").is_file()
    if method in ("seiko", "remask-only"):
        assert record["risen"] in (0, 1)
        assert 0 < task["fresh_validity"] <= 1
        assert task["library_mean"] == known.known_mean("celecoxib_rediscovery")
        assert (task["fresh_mean"] == task["prior_mean"]) == (method == "remask-only")
    else:
        assert record["risen"] is None
    again = protocol.methods[method](0, tmp_path / "runs", True)
    assert as_json(again) == record, "a finished task is not run again"


def test_what_is_finished_answers_its_own_question_alone(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(len(made))
        return {"value": made[-1]}

    for calls, expected in ((10, 0), (10, 0), (20, 1), (10, 2)):
        assert kept(tmp_path / "new" / "record.json", {"calls": calls}, make) == {"value": expected}


def test_sums_over_tasks_and_models_that_rose() -> None:
    row: dict[str, Any] = dict.fromkeys(pmo_module.SUMMED, 0.25) | {"library_mean": 0.5, "seconds": 3.0}
    records = {"a": row | {"fresh_mean": 0.6}, "b": row | {"fresh_mean": 0.4}, "c": row | {"fresh_mean": None}}
    record = pmo_module._record(records, 7)
    assert (record["auc10"], record["risen"], record["seconds"], record["longest"]) == (0.75, 1, 9.0, 3.0)
    assert record["seed"] == 7


def test_the_methods_differ_in_one_thing_each(
    prior: str, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Recipe] = {}

    def record(folder: Path, recipe: Recipe) -> None:
        made[folder.name] = recipe
        raise InterruptedError

    monkeypatch.setattr(Campaign, "open", record)
    for name in ("seiko", "remask-only"):
        setting = pmo_module.Setting(
            task="median1", calls=1000, seed=3, folder=tmp_path / name, quick=False, prior=prior
        )
        with pytest.raises(InterruptedError):
            pmo_module.METHODS[name](setting)
    ours, still = made["seiko"], made["remask-only"]
    assert (ours.budget, ours.rounds, ours.seed) == (1000, pmo_module.ROUNDS, 3)
    assert still.update is None
    assert ours.update is not None
    assert ours.candidates == still.candidates
    assert {type(source) for source in ours.candidates} >= {Fresh, Remask, Library}
    assert (ours.reward_model, ours.acquisition, ours.pool) == (still.reward_model, still.acquisition, still.pool)


SLOW = ("guidance", "seiko-bootstrap")


@pytest.mark.parametrize(
    "method",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in qed.qed("seiko:zinc250k").methods],
)
def test_each_method_of_qed_gives_a_curve(method: str, prior: str, tmp_path: Path) -> None:
    record = as_json(qed.qed(prior).methods[method](0, tmp_path / "run", True))
    assert [row["labels"] for row in record["curve"]] == [0, 10, 20]
    for row in record["curve"]:
        assert record[f"mean_{row['labels']}"] == row["mean"]
        assert 0 < row["mean"] < 0.95
        assert row["validity"] == 1
        assert 0 < row["diversity"] <= 1
        assert (row["kl"] == 0) == (row["labels"] == 0)
        assert ("best_of_mean" in row) == (
            row["labels"] > 0 and method not in ("guidance", "online-ppo", "seiko-best-of")
        )
        if "best_of_mean" in row:
            assert record[f"best_of_mean_{row['labels']}"] == row["best_of_mean"] != row["mean"]
            assert row["best_of_kl"] == pytest.approx(row["kl"] + best_of_nats(qed.BEST_OF))
    assert record["seed"] == 0
    assert record["best"] >= 0
    assert as_json(qed.qed(prior).methods[method](0, tmp_path / "run", True)) == record, "a finished run stays as it is"


def test_the_curves_of_all_methods_begin_alike(prior: str, tmp_path: Path) -> None:
    methods = qed.qed(prior).methods
    begin = [methods[name](0, tmp_path / name, True)["curve"][0] for name in ("greedy", "non-adaptive", "online-ppo")]
    assert begin[0] == begin[1] == begin[2]


def test_what_stands_behind_the_names_of_qed() -> None:
    def recipe(name: str) -> Recipe:
        return qed._recipe("seiko:zinc250k", 2000, 8, 1, False, qed.ADAPTIVE[name])

    ours, greedy = recipe("seiko-ucb"), recipe("greedy")
    assert ours.budget // ours.rounds == qed.BATCH
    assert ours.steps == qed.STEPS
    assert ours.candidates == greedy.candidates == (Fresh(),)
    assert ours.selection == greedy.selection == Everything()
    assert recipe("seiko-top").climb is not None
    assert isinstance(recipe("guidance").update, Guidance)
    assert isinstance(recipe("seiko-best-of").update, SoftBestOf)
    assert ours.acquisition != greedy.acquisition == ours.final_acquisition
    assert qed.ONLINE.strength.nats == ours.strength.limit
    assert {recipe(name).look for name in qed.ADAPTIVE} == {ours.look}
    assert {recipe(name).strength.limit for name in qed.ADAPTIVE} == {ours.strength.limit}


def test_all_labels_at_once_get_the_steps_of_all_rounds() -> None:
    recipe = qed._recipe("seiko:zinc250k", 1000, 1, 1, False, qed._all_at_once(4))
    assert recipe.rounds == 1
    assert recipe.final_steps == 4 * qed.STEPS
    assert [type(source) for source in recipe.candidates] == [Fresh]


def test_gates_are_those_of_the_prior() -> None:
    good = prior_module.gates(0.70, 3.4, -0.3, 0.049)
    assert [gate["holds"] for gate in good.values()] == [True] * 4
    bad = prior_module.gates(0.699, 3.41, 0.31, 0.05)
    assert [gate["holds"] for gate in bad.values()] == [False] * 4


def test_a_prior_beside_zinc(prior: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prior_module, "zinc", lambda split, n=None: MOLECULES[split * 10 : 30 + split * 10])
    monkeypatch.setattr(prior_module, "zinc_properties", lambda: torch.tensor([[0.7, 3.0, 2.0], [0.8, 3.1, 3.0]]))
    protocol = prior_module.prior(prior)
    assert list(protocol.methods) == ["random"]
    record = as_json(protocol.methods["random"](0, tmp_path, True))
    assert record["zinc_logp"] == 2.5
    assert record["gates"]["logp_difference"]["value"] == pytest.approx(record["logp"] - 2.5)
    assert record["gates_held"] == sum(gate["holds"] for gate in record["gates"].values())
    assert set(protocol.headline) <= set(record)
    assert record["seconds_for_1000"] > 0


def test_the_splits_of_zinc(data_dir: Path) -> None:
    train, test = (prior_module.zinc(split, 50) for split in (prior_module.TRAIN, prior_module.TEST))
    assert len(train) == len(test) == 50
    assert not set(train) & set(test)
    means = prior_module.zinc_properties().mean(0)
    assert means.tolist() == pytest.approx([0.732, 3.05, 2.46], abs=0.01)


def runs(*values: tuple[float, float]) -> list[dict[str, Any]]:
    return [
        {"seed": seed, "tasks": {"a": {"auc10": a, "fresh_mean": a}, "b": {"auc10": b, "fresh_mean": b}}}
        for seed, (a, b) in enumerate(values)
    ]


def test_pairs_by_task_and_seed() -> None:
    found = paired(runs((0.5, 0.3), (0.7, 0.3), (0.6, 0.9)), runs((0.4, 0.4), (0.5, 0.2)))
    assert found["seeds"] == [0, 1]
    assert found["tasks"]["a"]["mean"]["value"] == pytest.approx(0.15)
    assert found["tasks"]["b"]["mean"]["value"] == pytest.approx(0.0)
    assert found["sum"]["mean"]["value"] == pytest.approx(0.15)
    assert found["a_task"]["mean"]["value"] == pytest.approx(0.075)
    assert found["a_task"]["mean"]["high"] == pytest.approx(0.15), "tasks are resampled, not seeds"
    assert "a" in found["ahead"]
    assert (found["won"], found["lost"]) == ([], []), "two seeds decide nothing"
    better, worse = runs((0.5, 0.3), (0.7, 0.3), (0.6, 0.5)), runs((0.4, 0.4), (0.5, 0.4), (0.5, 0.1))
    found, turned = paired(better, worse), paired(worse, better)
    assert (found["ahead"], found["behind"], found["won"], found["lost"]) == (["a", "b"], [], ["a"], [])
    assert (turned["ahead"], turned["behind"], turned["won"], turned["lost"]) == ([], ["a", "b"], [], ["a"])
    assert paired(runs((0.5, 0.3)), [])["sum"] is None


def test_the_figure_shows_what_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(method: str, values: list[dict[str, Any]]) -> None:
        (tmp_path / f"pmo-{method}.json").write_text(json.dumps({"method": method, "runs": values}))

    write("seiko", runs((0.5, 0.3), (0.7, 0.3)))
    assert figures_module.figures(tmp_path, tmp_path) == [], "there is nothing to compare with"
    write("random", [{"seed": 0, "tasks": {"b": {"auc10": 0.4}}}])
    drawn: list[Figure] = []
    monkeypatch.setattr(figures_module, "draw_png", lambda draw, size, dpi, path: (draw(new(drawn)), path)[1])
    assert figures_module.figures(tmp_path, tmp_path / "docs") == [tmp_path / "docs" / "pmo.png"]
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"], "seiko's largest lead on top"
    dots = {line.get_label(): list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"}
    assert dots == {"seiko": pytest.approx([0.3, 0.6]), "random": [0.4]}
    bars = [list(line.get_xdata()) for line in axes.lines if line.get_marker() != "o"]
    assert bars == [[0.3, 0.3], [0.5, 0.7], [0.4, 0.4]], "from the least to the largest seed"


def new(figures: list[Figure]) -> Figure:
    figures.append(Figure())
    return figures[-1]


def test_tasks_that_are_known_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def solve(setting: pmo_module.Setting) -> dict[str, Any]:
        ran.append(setting.task)
        zero = dict.fromkeys(pmo_module.SUMMED, 0.5)
        return {**zero, "calls": setting.calls, "seconds": 1.0}

    monkeypatch.setitem(pmo_module.METHODS, "random", solve)
    protocol = pmo_module.pmo(100, ["qed", "median1"], "none")
    assert protocol.parts is not None
    few = pmo_module.pmo(100, ["qed"], "none").methods["random"](0, tmp_path, False)
    record = protocol.parts("random", 0, tmp_path, False, few)
    assert ran == ["qed", "median1"]
    assert record == protocol.methods["random"](0, tmp_path, False)
    ran.clear()
    more = pmo_module.pmo(200, ["qed"], "none").parts
    assert more is not None
    assert more("random", 0, tmp_path, False, few)["tasks"]["qed"]["calls"] == 200, "those were fewer calls"
    assert ran == ["qed"]


class Here:
    """A process pool that works in this process, at once."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, function: Any, *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*arguments))
        return future


def test_the_command_writes_files_pairs_and_the_page(
    prior: str, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "ProcessPoolExecutor", Here)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    arguments = ["--quick", "--seeds", "2", "--tasks", "median1,qed", "--calls", "500", "--out", "results"]
    monkeypatch.setitem(pmo_module.METHODS, "seiko", pmo_module.METHODS["graph-ga"])
    result = CliRunner().invoke(cli.app, ["pmo", *arguments, "--methods", "seiko,random"])
    assert result.exit_code == 0, result.output
    files = ["results/pmo-seiko.json", "results/pmo-random.json", "results/paired-pmo.json", "results/pmo.png"]
    assert result.stdout.split() == files
    assert (tmp_path / "results" / "pmo.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / "results" / "pmo-random.json").read_text())
    assert found["command"] == "seiko bench pmo --seeds 2 --methods random --quick --calls 500 --tasks median1,qed"
    assert found["benchmark"] == "PMO: 2 tasks, 500 calls each"

    def mean_of(method: str) -> float:
        runs = json.loads((tmp_path / "results" / f"pmo-{method}.json").read_text())["runs"]
        return float(np.mean([run["tasks"]["median1"]["auc10"] for run in runs]))

    assert found["summary"]["tasks.median1.auc10"]["mean"]["value"] == pytest.approx(mean_of("random"))
    text = page(tmp_path / "results")
    assert "## PMO: 2 tasks, 500 calls each" in text
    assert f"| median1 | {mean_of('seiko'):.3f} | {mean_of('random'):.3f} |" in text
    assert "| random | 2 | 2 | " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pmo", "--tasks", "median3"], "no PMO task is called 'median3'; there are albuterol_similarity"),
        (["qed", "--methods", "magic"], "qed has no method 'magic'; there are: seiko-ucb"),
        (["nothing"], "there are: tfbind8, ehrlich, theory, pmo, qed, prior"),
    ],
)
def test_wrong_usage_is_named(arguments: list[str], message: str) -> None:
    result: Result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_nothing_to_compare(tmp_path: Path) -> None:
    assert compare(tmp_path) is None


def test_gates_on_the_page(tmp_path: Path) -> None:
    run = {"gates": prior_module.gates(0.72, 3.5, 0.1, 0.01)}
    result = {"benchmark": "Prior", "method": "x", "command": "seiko bench prior", "summary": {}, "runs": [run]}
    (tmp_path / "prior-x.json").write_text(json.dumps(result))
    text = page(tmp_path)
    assert "| x | qed | 0.720 | 0.7 | yes |" in text
    assert "| x | sa | 3.500 | 3.4 | no |" in text


def test_protocols_say_what_they_are() -> None:
    for protocol in (qed.qed("p"), pmo_module.pmo(100, [], "p"), prior_module.prior("seiko:zinc250k")):
        assert isinstance(protocol, Protocol)
        assert len(set(protocol.headline)) == len(protocol.headline)
    assert list(prior_module.prior("seiko:zinc250k").methods) == ["zinc250k"]
    assert next(iter(pmo_module.pmo(100, [], "p").methods)) == "seiko"
    assert "20 tasks" in pmo_module.pmo(100, [], "p").description
