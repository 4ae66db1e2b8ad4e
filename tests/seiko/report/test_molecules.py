"""The page of a run on molecules: what is drawn, what is told in words, and that other runs never ask for RDKit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from seiko.acquisition import UCB
from seiko.campaign import Campaign, Recipe
from seiko.chemistry import canonical
from seiko.models import Alphabet, Architecture, MaskedLMSource, Pretraining
from seiko.oracles import Label
from seiko.report import MoleculeData, ReportData, overview_png, render
from seiko.report.molecule_changes import change_table, drift_alarms
from seiko.report.molecule_grids import best_grid, fresh_grid, labelled
from seiko.report.molecule_pairs import draw_molecules, drawable
from seiko.report.molecules import molecule_section
from seiko.report.run import report_data
from seiko.rewards import LastLayer, OneHot
from seiko.updates import PPO

HEADS = ("", "Br", "C(C)(C)C", "CSC", "OC(=O)C", "CC(=O)", "CNC", "CS(=O)(=O)", "Cl", "CCC")
TAILS = ("", "C", "O", "N", "F", "CC", "CO", "C(=O)O", "C(N)=O", "C#N")
PAIRS = [f"{head}c1ccc({tail})cc1" if tail else f"{head}c1ccccc1" for head in HEADS for tail in TAILS]
SMALL = tuple(dict.fromkeys(text for text in map(canonical, PAIRS) if text))
LARGE = tuple(f"{text}.CCCCCCCCCCCCCCCCCCCC" for text in SMALL)
HARD = tuple(f"{text}.CCCCCCCCCCC[C@@]12CC[C@H](C[C@@H]1O)[C@]1(CC2)OC2CC1C2" for text in SMALL)
BROKEN = "C1CC"


@pytest.fixture(scope="module")
def molecules(run: ReportData) -> ReportData:
    """The run of the other tests, on molecules: sixty labels, one of them of something that is no molecule."""
    designs = [replace(row, content=SMALL[i], kind="smiles") for i, row in enumerate(run.designs)]
    designs[0] = replace(designs[0], content=BROKEN, value=99.0)
    data = MoleculeData(before=SMALL, after=(*SMALL[::-1], BROKEN))
    return replace(run, designs=tuple(designs), logos=None, molecules=data)


def test_the_best_molecules_are_the_best_labelled_ones(molecules: ReportData) -> None:
    assert molecules.molecules is not None
    grid = best_grid(molecules, molecules.molecules, "Best")
    rows = [row for row in molecules.designs if row.value is not None and row.content != BROKEN]
    values = sorted((row.value for row in rows if row.value is not None), reverse=True)
    assert [cell.value for cell in grid.cells] == [f"{value:.3f}" for value in values[:12]]
    assert {cell.nearest for cell in grid.cells} == {"similarity 1.00"}
    assert "nearest of 100 samples of the pretrained model" in grid.caption
    assert "Binding".casefold() in grid.caption.casefold()
    assert BROKEN not in labelled(molecules)


def test_a_given_reference_takes_the_place_of_the_prior(molecules: ReportData) -> None:
    data = MoleculeData(before=SMALL, after=("CCO", "c1ccccc1"), known=("OCC",), known_name="molecules of ZINC")
    grid = fresh_grid(molecules, data, "Fresh")
    assert [cell.nearest for cell in grid.cells] == ["similarity 1.00", "similarity 0.00"]
    assert "nearest of 1 molecules of ZINC" in grid.caption


def test_fresh_molecules_are_not_chosen(molecules: ReportData) -> None:
    assert molecules.molecules is not None
    grid = fresh_grid(molecules, molecules.molecules, "Fresh")
    assert len(grid.cells) == 12
    assert all(cell.value == "" for cell in grid.cells)  # the last of SMALL were never measured
    measured = next(iter(labelled(molecules)))
    data = replace(molecules.molecules, after=(BROKEN, measured, measured, "CCO"))
    assert [bool(cell.value) for cell in fresh_grid(molecules, data, "Fresh").cells] == [True, False]


def test_the_table_holds_both(molecules: ReportData) -> None:
    assert molecules.molecules is not None
    rows = {name: (before, after) for name, before, after in change_table(molecules.molecules)}
    assert rows["valid"] == ("100 %", "99 %")
    assert rows["new"] == ("—", "0 %")
    assert rows["similarity to the nearest"] == ("—", "1.00")
    assert rows["mean weight, g/mol"][0] == rows["mean weight, g/mol"][1]
    known = {row[0]: row[1:] for row in change_table(replace(molecules.molecules, known=SMALL[:50]))}
    assert known["new"][0] == known["new"][1] != "—"


def test_drift_is_an_alarm_and_told_beside_the_histograms(molecules: ReportData) -> None:
    assert molecules.molecules is not None
    assert drift_alarms(molecules.molecules) == ()
    moved = replace(molecules.molecules, after=LARGE)
    alarms = drift_alarms(moved)
    assert any(alarm.startswith("Drift. Molecular weight: of 100 new samples 100 % above ") for alarm in alarms)
    assert not any("ring" in alarm or "Polar" in alarm for alarm in alarms)
    assert "Drift: " in molecule_section(molecules, moved).histograms.caption
    assert "No drift in any of the 6" in molecule_section(molecules, molecules.molecules).histograms.caption
    # easier to make, or more drug-like, is no alarm; too few samples are no range
    better = drift_alarms(MoleculeData(before=HARD, after=SMALL))
    assert any("weight" in alarm for alarm in better)
    assert not any("QED" in alarm or "Synthetic" in alarm for alarm in better)
    assert drift_alarms(MoleculeData(before=SMALL[:19], after=LARGE)) == ()


def test_the_page(molecules: ReportData) -> None:
    page = render(molecules)
    assert page == render(molecules)
    for text in ("Best labelled molecules", "Fresh samples of the current model", "Chemical space", "Figure 9",
                 "Samples before and after", "after round 3"):  # fmt: skip
        assert text in page
    assert "No aligned sequences" not in page
    assert page.count('aria-label="Structure of ') == 24
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert not re.findall(r"https?:|//[a-z]|@import|url\((?!#)|<script|<img|class='", page)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("changes", "words"), [
    ({"molecules": MoleculeData()}, "No round has been finished yet."),
    ({"molecules": MoleculeData(), "designs": ()}, "No molecule has a measured value yet."),
    ({"molecules": MoleculeData(), "designs": ()}, "A map needs at least three different molecules."),
    ({"molecules": MoleculeData(before=SMALL, after=(BROKEN,) * 5)}, "No sample of the current model is a molecule."),
    ({"molecules": MoleculeData(before=(BROKEN,), after=SMALL)}, "There are no valid samples to compare."),
])  # fmt: skip
def test_a_run_with_little_in_it_is_told_in_words(
    molecules: ReportData, changes: dict[str, object], words: str
) -> None:
    page = render(replace(molecules, **changes))  # type: ignore[arg-type]
    assert words in page
    assert not re.findall(r">[^<]*\b(nan|None)\b[^<]*<", page.split("</style>", 1)[1].split("Recipe", 1)[0])


def test_everything_of_the_user_is_escaped(molecules: ReportData) -> None:
    assert molecules.molecules is not None
    evil = "<script>alert(1)</script>"
    known = replace(molecules.molecules, after=(evil, *SMALL), known=SMALL, known_name=evil)
    page = render(replace(molecules, reward_name=evil, molecules=known))
    assert "<script" not in page


def test_without_rdkit_the_page_says_so(molecules: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    page = render(molecules)
    assert page.count("pip install &#39;seiko[molecules]&#39;") == 4
    assert molecules.molecules is not None
    assert drift_alarms(molecules.molecules) == ()


def test_other_runs_never_ask_for_rdkit(run: ReportData, tmp_path: Path) -> None:
    code = (
        "import sys, json\n"
        "from seiko.report import ReportData, render\n"
        "import seiko.report.run, seiko.metrics\n"
        f"data = ReportData(**json.loads({json.dumps(json.dumps(_plain(run)))}))\n"
        "assert 'Figure 6' not in render(data)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('rdkit', 'umap')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=120)


def _plain(run: ReportData) -> dict[str, object]:
    names = ("title", "recipe_name", "run_name", "seiko_version", "created_at", "budget", "labels_used",
             "rounds_planned", "seed", "recipe_json")  # fmt: skip
    return {name: getattr(run, name) for name in names}


# ---------------------------------------------------------- from a campaign


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a random model of chains of four atoms, each of which is a molecule."""
    folder = tmp_path_factory.mktemp("chains")
    tokens = torch.randint(4, (64, 4), generator=torch.Generator().manual_seed(0))
    small = Architecture(width=8, layers=1, heads=1)
    Pretraining(architecture=small, steps=1, batch=8).run(
        tokens, Alphabet(letters=tuple("CNOS"), kind="smiles"), folder
    )
    return folder


def test_the_record_of_a_run_on_molecules(prior: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        name="chains",
        model=MaskedLMSource(name=str(prior)),
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=UCB(),
        update=PPO(),
        steps=2,
        samples=16,
        pool=40,
        budget=12,
        rounds=2,
    )
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        assert report_data(campaign).molecules is None  # nothing was asked yet
        queries = campaign.ask()
        first = report_data(campaign).molecules
        assert first == MoleculeData()  # no round is finished, so no model is loaded
        campaign.tell({query.id: Label(value=query.design.content.count("C") / 4) for query in queries})
        campaign.advance()
        data = report_data(campaign, known=["CCO"])
        assert data.logos is None
        assert data.molecules is not None
        assert data.molecules.before == tuple(design.content for design in campaign.sample(200, round=0))
        assert data.molecules.after == campaign.state.reports[-1].samples
        assert data.molecules.known == ("CCO",)
        page = render(data)
        assert "Best labelled molecules" in page
        assert "similarity to the nearest of 1 known molecules" in page
        assert page == render(report_data(campaign, known=["CCO"]))


def test_the_overview_shows_the_first_samples_of_both_models(tmp_path: Path, molecules: ReportData) -> None:
    assert molecules.molecules is not None
    data = replace(molecules.molecules, before=("CCO", "CCO", BROKEN, "CCN"), after=("c1ccccc1",))
    run = replace(molecules, molecules=data)
    one = overview_png(run, tmp_path / "one.png").read_bytes()
    assert overview_png(run, tmp_path / "two.png").read_bytes() == one
    assert overview_png(replace(run, molecules=None), tmp_path / "none.png").read_bytes() != one
    figure = Figure()
    draw_molecules(figure, data, after="after round 3")
    before, after = figure.axes
    assert (before.get_title(), after.get_title()) == (
        "pretrained model: its first samples",
        "after round 3: its first samples",
    )
    tiles = [np.asarray(axes.images[0].get_array()) for axes in (before, after)]
    height, width = tiles[0].shape[0] // 2, tiles[0].shape[1] // 4
    inked = [[bool(tile[:height, i * width : (i + 1) * width, 3].any()) for i in range(4)] for tile in tiles]
    assert inked == [[True, True, False, False], [True, False, False, False]]  # distinct, and molecules at all
    assert not drawable(replace(data, after=(BROKEN,)))
    assert not drawable(None)
