"""The theory bench on 256 sequences: the theorems hold where their conditions do, and nothing is lost on the way."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from seiko.acquisition import UCB
from seiko.campaign import Fresh
from seiko.designs import Design
from seiko.models import ModelPolicy
from seiko.rewards import FitReport, LastLayer, OneHot, Posterior
from seiko.updates import KLBudget
from seiko_bench import cli, theory_rounds
from seiko_bench.exact import law, path_kl, tilted
from seiko_bench.tables import page
from seiko_bench.theory import ABLATIONS, FIXED, REWARDS, UPDATES, Variant, theory
from seiko_bench.theory_closed import LawModel, closed_rounds
from seiko_bench.theory_figures import figures
from seiko_bench.theory_ground import Ground, small
from seiko_bench.theory_judge import judge_round, summary
from seiko_bench.theory_parts import Agreement, Covariance, InUnits
from seiko_bench.theory_rounds import rounds

ROW = {
    "round",
    "labels",
    "tv",
    "share",
    "regret",
    "bound_so_far",
    "drift_so_far",
    "holds_so_far",
    "coverage",
    "nominal",
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return small(tmp_path_factory.mktemp("ground"))


@dataclass(frozen=True)
class Told:
    """A belief with a given mean and std at each design."""

    ground: Ground
    mean: Tensor
    std: float
    scale: float = 1.0

    @property
    def report(self) -> FitReport:
        return FitReport(labels=1, held_out=None, residual_std=1.0, std_scale=1.0, seconds=0.0)

    def posterior(self, x: Tensor) -> Posterior:
        found = self.mean[(x * 4 ** torch.arange(3, -1, -1)).sum(-1)]
        return Posterior(mean=found, std=torch.full_like(found, self.std))

    def draw(self, generator: torch.Generator) -> Told:
        return dataclasses.replace(self, std=0.0)


def test_the_ground(ground: Ground) -> None:
    assert float(ground.pretrained.sum()) == pytest.approx(1)
    assert ground.kl(ground.optimum) == pytest.approx(4.0, abs=0.01)
    assert ground.share(ground.pretrained) == 0
    assert ground.share(ground.optimum) == 1
    assert float(ground.reward.max()) == 1
    assert torch.equal(ground.optimum_at(0) > 0, ground.reward == 1)
    again = small(Path(ground.source.name).parent)
    assert (again.alpha, again.unit) == (ground.alpha, ground.unit)


def test_the_reward_of_relaxed_states_is_multilinear(ground: Ground) -> None:
    x = ground.designs[[3, 77, 200]]
    assert torch.equal(ground.look_up(x), ground.reward[[3, 77, 200]].float())
    hard = torch.nn.functional.one_hot(x, 5).float()
    torch.testing.assert_close(ground.look_up(hard), ground.look_up(x))
    half = (0.5 * hard[:1] + 0.5 * hard[1:2]).requires_grad_()
    mixtures = torch.cartesian_prod(*[torch.tensor([int(a), int(b)]) for a, b in zip(x[0], x[1], strict=True)])
    found = ground.look_up(half)
    torch.testing.assert_close(found, ground.look_up(mixtures).mean()[None])
    found.sum().backward()
    assert half.grad is not None
    assert float(half.grad.abs().sum()) > 0


def test_a_model_that_has_a_given_law(ground: Ground) -> None:
    model, pretrained = (
        LawModel(ground.optimum, ground.source.load()),
        LawModel(ground.pretrained, ground.source.load()),
    )
    torch.testing.assert_close(law(ModelPolicy(model)), ground.optimum, rtol=1e-9, atol=1e-15)
    # conditionals of one joint law: the path costs what the law costs
    assert path_kl(ModelPolicy(model), ModelPolicy(pretrained)) == pytest.approx(ground.kl(ground.optimum), rel=1e-6)


def test_a_perfect_round(ground: Ground) -> None:
    belief = Told(ground, ground.reward, 0.1)
    row = judge_round(ground, belief, lambda x: belief.posterior(x).mean, alpha=ground.alpha, beta=0.0,
                      previous=ground.pretrained, current=ground.optimum)  # fmt: skip
    assert row["tv"] == row["kl_to_closed"] == row["regret"] == row["uncertainty"] == row["drift"] == 0
    assert row["share"] == row["closed_share"] == row["coverage"] == row["nominal"] == 1
    assert row["correlation"] == pytest.approx(1)
    assert row["anchor"] == 0
    assert row["exact_kl"] == pytest.approx(4.0, abs=0.01)


def test_a_wrong_round_by_hand(ground: Ground) -> None:
    belief, beta = Told(ground, 1 - ground.reward, 0.05), 0.02
    previous = ground.optimum
    row = judge_round(ground, belief, UCB(c=2.0)(belief, torch.Generator()), alpha=ground.alpha, beta=beta,
                      previous=previous, current=ground.pretrained)  # fmt: skip
    closed = tilted(ground.pretrained, 1 - ground.reward + 0.1, ground.alpha, previous, beta)
    assert row["tv"] == pytest.approx(0.5 * float((closed - ground.pretrained).abs().sum()))
    assert row["uncertainty"] == pytest.approx(0.1)
    assert row["coverage"] == pytest.approx(float(((1 - 2 * ground.reward).abs() <= 0.1).double().mean()))
    assert row["nominal"] == pytest.approx(float(((1 - 2 * ground.reward).abs() <= 0.098).double().mean()))
    assert row["optimistic"] == pytest.approx(float(ground.optimum @ (1.1 - 2 * ground.reward)))
    assert row["pessimistic"] == pytest.approx(float(closed @ (2 * ground.reward - 0.9)))
    assert row["regret"] == pytest.approx(ground.value(ground.optimum) - ground.value(closed))
    assert row["anchor"] == pytest.approx(beta * ground.kl(ground.optimum))
    found = summary([row, row | {"alpha": 2.0}])
    assert found["bound"] is None, "the bound speaks of one alpha"
    assert found["exact"][0]["bound_so_far"] == pytest.approx(2 * 0.1 + row["anchor"])


@pytest.mark.parametrize("optimism", [1.0, 12.0])
def test_regret_is_within_its_bound_where_the_conditions_hold(ground: Ground, optimism: float) -> None:
    held = 0
    for seed in range(2):
        record = closed_rounds(ground, Variant(options={"c": optimism}).recipe(ground, seed, True))
        for row in record["exact"]:
            assert row["tv"] == 0
            if row["holds_so_far"]:
                held += 1
                assert row["regret_so_far"] <= row["bound_so_far"] + 1e-9
    assert optimism == 1.0 or held > 0, "with that much optimism the conditions hold somewhere"


def test_a_model_that_lags_behind_adds_its_drift(ground: Ground) -> None:
    """The bound is proved for any law that the update leaves; here it leaves the pretrained one each time."""
    belief = Told(ground, ground.reward, 0.001)
    row = judge_round(ground, belief, UCB(c=1.0)(belief, torch.Generator()), alpha=ground.alpha, beta=3 * ground.alpha,
                      previous=ground.pretrained, current=ground.pretrained)  # fmt: skip
    found = summary([row] * 10)["exact"][-1]
    assert found["holds_so_far"]
    assert found["regret_so_far"] > found["bound_so_far"], "one anchor paid once is not enough"
    assert found["regret_so_far"] <= found["bound_so_far"] + found["drift_so_far"]


def test_a_closed_form_needs_fixed_coefficients(ground: Ground) -> None:
    recipe = dataclasses.replace(Variant().recipe(ground, 0, True), strength=KLBudget(nats=2.0))
    with pytest.raises(ValueError, match="strength must be FixedStrength, got KLBudget"):
        closed_rounds(ground, recipe)


def test_rounds_are_judged_and_an_interrupted_run_goes_on(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Variant().recipe(ground, 1, True)
    whole = rounds(ground, recipe, tmp_path / "whole")
    assert [row["labels"] for row in whole["exact"]] == [10, 20]
    assert all(set(row) >= ROW for row in whole["exact"])
    assert whole["share"] == whole["exact"][-1]["share"]
    assert whole["exact"][0]["alpha"] == pytest.approx(ground.alpha, rel=1e-3), "counted in reward units in all rounds"
    assert whole["exact"][1]["alpha"] == whole["exact"][0]["alpha"]

    def killed(*arguments: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    judge = theory_rounds._judge_last
    monkeypatch.setattr(theory_rounds, "_judge_last", killed)
    with pytest.raises(KeyboardInterrupt):
        rounds(ground, recipe, tmp_path / "parts")
    monkeypatch.setattr(theory_rounds, "_judge_last", judge)
    resumed = rounds(ground, recipe, tmp_path / "parts")
    assert resumed | {"seconds": 0} == whole | {"seconds": 0}

    (tmp_path / "parts" / "theory.json").unlink()
    with pytest.raises(ValueError, match="2 rounds of which 0 were judged"):
        rounds(ground, recipe, tmp_path / "parts")
    with pytest.raises(ValueError, match="no update"):
        rounds(ground, dataclasses.replace(recipe, update=None), tmp_path / "none")


def test_the_rounds_law_is_the_model_s(ground: Ground, tmp_path: Path) -> None:
    from seiko.campaign import Campaign

    record = rounds(ground, Variant().recipe(ground, 0, True), tmp_path)
    with Campaign.open(tmp_path / "run", modules=theory_rounds.MODULES) as campaign:
        torch.testing.assert_close(law(ModelPolicy(campaign.model)), theory_rounds.read_law(tmp_path / "law-2.npy"))
    assert record["exact_mean"] == pytest.approx(record["model_mean"], abs=0.03), "exact and by 2,000 samples"
    assert record["exact_kl"] <= record["kl"] + 0.02, "a law is nearer than its path"


@pytest.mark.parametrize("method", ["fixed-ppo", "fixed-smc", "rounds-default", "ablation-covariance", "closed-iid"])
def test_each_kind_of_method_gives_a_record(tmp_path: Path, method: str) -> None:
    protocol = theory(120.0)
    record = protocol.methods[method](0, tmp_path, True)
    found: dict[str, Any] = json.loads(json.dumps(record, allow_nan=False))
    assert {"share", "exact_mean", "exact_kl", "seed"} <= set(found)
    if method.startswith("fixed"):
        assert found["checkpoints"][-1]["tv"] == found["tv"]
        assert (found["floor"] is None) == (method == "fixed-ppo")
        assert found["floor"] is None or (found["floor"] < found["tv"] + 0.1 and 0.9 < found["floor_ratio"] < 1.1)
        assert found["share"] > (0.0 if method == "fixed-ppo" else 0.5), "a few steps go up; draws are there at once"
    else:
        assert len(found["exact"]) == 2
        assert (found["bound"] is None) == (method == "rounds-default")
    assert protocol.methods[method](0, tmp_path, True)["share"] == record["share"], "kept, or made again the same"


def test_every_combination_has_a_method() -> None:
    methods = set(theory(1.0).methods)
    assert {f"fixed-{name}" for name in FIXED} <= methods
    assert {f"rounds-{reward}-{update}" for reward in REWARDS for update in UPDATES} <= methods
    assert {f"{kind}-{name}" for kind in ("ablation", "closed") for name in ABLATIONS} <= methods


def test_the_ablations_leave_out_what_they_say(ground: Ground) -> None:
    recipes = {name: variant.recipe(ground, 0, True) for name, variant in ABLATIONS.items()}
    full = recipes["nominal"].strength.start()
    assert recipes["no-pretrained"].strength.start() == (0, full[1])
    assert recipes["no-previous"].strength.start() == (full[0], 0)
    assert recipes["iid"].selection.iid
    assert type(recipes["greedy"].acquisition).__name__ == "Greedy"
    belief = recipes["covariance"].reward_model
    assert isinstance(belief, InUnits)
    assert isinstance(belief.reward_model, Covariance)


def test_the_covariance_does_not_shrink_and_the_ridge_form_does() -> None:
    x = torch.randint(4, (3200, 6), generator=torch.Generator().manual_seed(0))
    y = (x == 1).float().mean(1)
    right = LastLayer(features=OneHot(vocabulary=4), ridge=1.0, rescale=False)
    wrong = Covariance(reward_model=right)
    std = {n: [float(model.fit(x[:n], y[:n], None, 0).posterior(x[:500]).std.mean()) for model in (right, wrong)]
           for n in (100, 3200)}  # fmt: skip
    assert std[3200][0] < 0.4 * std[100][0]
    belief = wrong.fit(x, y, None, 0)
    phi = belief.feature(x).double()
    quadratic = torch.einsum("nd,de,ne->n", phi[:9], torch.cov(phi.T, correction=0), phi[:9])
    torch.testing.assert_close(belief.posterior(x[:9]).std.double(), belief.scale * quadratic.sqrt(), rtol=1e-4, atol=0)
    assert std[3200][1] > 0.7 * std[100][1]


def test_units_change_the_scale_and_nothing_else() -> None:
    x, y = torch.randint(4, (40, 6), generator=torch.Generator().manual_seed(0)), torch.arange(40.0)
    model = LastLayer(features=OneHot(vocabulary=4))
    plain, held = model.fit(x, y, None, 0), InUnits(reward_model=model, scale=0.25).fit(x, y, None, 0)
    assert (held.scale, held.report.labels) == (0.25, 40)
    assert torch.equal(held.posterior(x).mean, plain.posterior(x).mean)
    drawn = held.draw(torch.Generator().manual_seed(1))
    assert drawn.scale == 0.25
    assert torch.equal(drawn.posterior(x).mean, plain.draw(torch.Generator().manual_seed(1)).posterior(x).mean)
    with pytest.raises(ValueError, match="scale must be a positive number of reward units, got 0"):
        InUnits(reward_model=model, scale=0.0)


def test_agreement_sees_both_strands() -> None:
    values = [label.value for label in Agreement()([Design(content=s, kind="dna") for s in ("GATA", "TATC", "GATC")])]
    assert values == [1.0, 1.0, 0.5625]


def test_the_command_writes_results_figures_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    methods = "fixed-smc,rounds-windows-ppo,closed-windows,closed-greedy"
    arguments = ["theory", "--quick", "--seeds", "1", "--methods", methods,
                 "--seconds", "60", "--out", "results", "--figures", "docs"]  # fmt: skip
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    written = ["results/theory-fixed-smc.json", "results/theory-rounds-windows-ppo.json",
               "results/theory-closed-windows.json", "results/theory-closed-greedy.json"]  # fmt: skip
    drawn = [f"docs/theory-{name}.png" for name in ("fixed", "tv", "regret", "coverage", "share")]
    assert result.stdout.split() == written + drawn
    assert all((tmp_path / path).stat().st_size > 0 for path in written + drawn)
    command = json.loads((tmp_path / written[0]).read_text())["command"]
    assert command == "seiko bench theory --seeds 1 --methods fixed-smc --quick --seconds 60"
    found = page(tmp_path / "results")
    assert "## Theory: TF Bind 8" in found
    assert "| fixed-smc | 1 |" in found
    assert "seeds where its conditions hold |" in found
    wrong = CliRunner().invoke(cli.app, ["theory", "--methods", "magic-*"])
    assert wrong.exit_code == 2
    assert "theory has no method" in " ".join(wrong.stderr.replace("│", " ").split())


def test_no_results_no_figures(tmp_path: Path) -> None:
    assert figures(tmp_path, tmp_path / "docs") == []


def test_a_law_that_collapses_ends_its_run_and_says_in_which_round(ground: Ground) -> None:
    recipe = dataclasses.replace(
        Variant(alpha=0.0, beta=0.02).recipe(ground, 0, True), budget=120, rounds=3, candidates=(Fresh(),)
    )
    record = closed_rounds(ground, recipe)
    assert record["collapsed"] == 2
    assert record["labels"] == 40
    assert len(record["exact"]) == 1
    assert closed_rounds(ground, Variant().recipe(ground, 0, True))["collapsed"] is None
