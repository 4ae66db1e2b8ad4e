"""Images on the command line: folders out, folders back in, and what would mix them up is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from seiko.campaign import Campaign
from seiko.cli.images import MANIFEST, read_manifest
from seiko.imaging import from_png, image_design

Invoke = Callable[..., Result]

DARKROOM = '''
from __future__ import annotations

from seiko.acquisition import UCB
from seiko.campaign import Prompts, Recipe
from seiko.models import ImageToySource
from seiko.rewards import Identity, LastLayer
from seiko.updates import DirectBackprop, KLBudget

__all__ = ["darkroom"]


def darkroom(*, budget: int = 6, rounds: int = 2, prompts: tuple[str, ...] = ("left", "top")) -> Recipe:
    """Wait for people who look at pictures."""
    return Recipe(
        name="darkroom",
        model=ImageToySource(size=4),
        prompts=Prompts(querying=prompts) if prompts else None,
        reward_model=LastLayer(features=Identity()),
        acquisition=UCB(),
        update=DirectBackprop(),
        strength=KLBudget(nats=1.0),
        steps=2,
        samples=8,
        look=12,
        pool=20,
        budget=budget,
        rounds=rounds,
    )
'''


@pytest.fixture
def pictures_run(seiko: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a run of images whose first batch of three waits in the folder `plate`."""
    (tmp_path / "darkroom.py").write_text(DARKROOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SEIKO_MODULES", "darkroom")
    assert seiko("init", "darkroom:darkroom", "--out", "run").exit_code == 0
    result = seiko("ask", "run", "--out", "plate")
    assert result.exit_code == 0, result.output
    yield tmp_path / "run"
    sys.modules.pop("darkroom", None)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def fill(folder: Path, values: list[str]) -> None:
    rows = table(folder / MANIFEST)
    with (folder / MANIFEST).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "value": value} for row, value in zip(rows, values, strict=True))


def test_ask_writes_a_folder_of_images(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    rows = table(tmp_path / "plate" / MANIFEST)
    assert [row["id"] for row in rows] == ["1-0001", "1-0002", "1-0003"]
    assert {row["prompt"] for row in rows} <= {"left", "top"}
    assert all(row["value"] == "" for row in rows)
    for row in rows:
        data = (tmp_path / "plate" / row["file"]).read_bytes()
        assert from_png(data).shape == (1, 4, 4)
        assert hashlib.sha256(data).hexdigest() == row["design"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["darkroom.py", "plate", "run"], "nothing is left over"
    listed = seiko("ask", "run")
    assert listed.stdout.splitlines()[0] == "id,design,kind,round,source,predicted_mean,predicted_std,prompt"
    assert [row["design"] for row in csv.DictReader(io.StringIO(listed.stdout))] == [row["design"] for row in rows]


def test_asking_again_changes_nothing_and_loses_nothing(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in (tmp_path / "plate").iterdir()}
    assert seiko("ask", "run", "--out", "plate").exit_code == 0
    fill(tmp_path / "plate", ["1", "2", "3"])
    result = seiko("ask", "run", "--out", "plate")
    assert result.exit_code == 2
    assert "labels were written into its table" in result.stderr
    assert seiko("ask", "run", "--out", "plate", "--force").exit_code == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "plate").iterdir()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    (tmp_path / "notes").write_text("mine")
    for place, words in (("mine", "holds something else"), ("notes", "is a file"), ("no/where", "no folder")):
        result = seiko("ask", "run", "--out", place, "--force")
        assert result.exit_code == 2
        assert words in result.stderr
        assert "the batch is kept" in result.stderr
    assert (tmp_path / "mine" / "diary.txt").read_text() == "mine"


def test_tell_takes_the_folder_back(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    fill(tmp_path / "plate", ["0.5", "", "0.25"])
    result = seiko("tell", "run", "plate")
    assert result.exit_code == 0, result.output
    with Campaign.open(pictures_run, modules=("darkroom",)) as campaign:
        assert {id: label.value for id, label in campaign.state.labels.items()} == {"1-0001": 0.5, "1-0003": 0.25}
    assert [row["id"] for row in csv.DictReader(io.StringIO(seiko("ask", "run").stdout))] == ["1-0002"]
    fill(tmp_path / "plate", ["0.5", "1.5", "0.25"])
    assert seiko("tell", "run", "plate").exit_code == 0
    assert seiko("advance", "run").exit_code == 0
    report = seiko("report", "run", "--reference", "plate")
    assert report.exit_code == 0, report.output
    assert "similarity 1.00" in (pictures_run / "report.html").read_text()


def test_swapped_and_edited_files_are_refused(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plate"
    fill(folder, ["1", "2", "3"])
    one, two = folder / "1-0001.png", folder / "1-0002.png"
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    result = seiko("tell", "run", "plate")
    assert result.exit_code == 2
    assert "1-0001.png is not the image that query 1-0001 asked for" in result.stderr.replace("\n", " ")
    one.unlink()  # the table alone may come back
    assert seiko("tell", "run", "plate", "--dry-run").exit_code == 0
    one.write_bytes(data)
    assert seiko("tell", "run", "plate").exit_code == 0


def test_a_table_that_cannot_be_meant_names_its_line(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plate"
    fill(folder, ["", "", "much"])
    result = seiko("tell", "run", "plate")
    assert result.exit_code == 2
    assert "line 4, column value: must be a number, got 'much'" in result.stderr.replace("\n", " ")
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("1-0003.png", "../run/ledger.sqlite"))
    result = seiko("tell", "run", "plate")
    assert result.exit_code == 2
    assert "is no file of this folder" in result.stderr
    (folder / MANIFEST).unlink()
    assert "without manifest.csv" in seiko("tell", "run", "plate").stderr


def test_open_rows_keep_the_line_numbers(pictures_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plate"
    lines = (folder / MANIFEST).read_text().splitlines()
    assert lines[1].startswith("1-0001")
    lines[1] = '1-0001,1-0001.png,"two\nlines",,1,fresh,,,'
    (folder / MANIFEST).write_text("\n".join(lines) + "\n")
    with Campaign.open(pictures_run, modules=("darkroom",)) as campaign:
        data, path = read_manifest(folder, campaign.state)
    assert path == str(folder / MANIFEST)
    assert data.decode().split("\n")[:4] == [lines[0], "", "", ""]


def test_sample_writes_images(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    result = seiko("sample", "run", "--n", "4", "--format", "png", "--out", "drawn")
    assert result.exit_code == 0, result.output
    rows = table(tmp_path / "drawn" / MANIFEST)
    assert [row["file"] for row in rows] == [f"sample-{i:05d}.png" for i in range(1, 5)]
    with Campaign.open(pictures_run, modules=("darkroom",)) as campaign:
        drawn = campaign.sample(4)
    assert [row["design"] for row in rows] == [design.content for design in drawn]
    assert [row["prompt"] for row in rows] == [design.prompt for design in drawn]
    assert seiko("sample", "run", "--n", "3", "--prompt", "bottom", "--format", "png", "--out", "b").exit_code == 0
    assert {row["prompt"] for row in table(tmp_path / "b" / MANIFEST)} == {"bottom"}
    listed = seiko("sample", "run", "--n", "2", "--prompt", "right")
    assert listed.stdout.splitlines()[0] == "design,kind,prompt"
    assert "name a folder for them" in seiko("sample", "run", "--n", "2", "--format", "png").stderr
    assert "got the prompt 'middle'" in seiko("sample", "run", "--n", "2", "--prompt", "middle").stderr
    assert "use csv or png" in seiko("sample", "run", "--n", "2", "--format", "fasta").stderr


def test_export_writes_labelled_images(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    fill(tmp_path / "plate", ["0.5", "0.75", ""])
    assert seiko("tell", "run", "plate").exit_code == 0
    result = seiko("export", "run", "--labels", "--format", "png", "--out", "labelled")
    assert result.exit_code == 0, result.output
    rows = table(tmp_path / "labelled" / MANIFEST)
    assert [(row["id"], row["value"], row["status"]) for row in rows] == [
        ("1-0001", "0.5", "value"), ("1-0002", "0.75", "value"),
    ]  # fmt: skip
    assert all((tmp_path / "labelled" / row["file"]).is_file() for row in rows)
    csv_table = seiko("export", "run", "--labels").stdout.splitlines()
    assert csv_table[0].startswith("id,design,kind,round")
    assert csv_table[0].endswith(",prompt")
    assert "ImageToy cannot be exported" in seiko("export", "run", "--model", "--out", "m").stderr


def test_measured_images_are_attached(seiko: Invoke, pictures_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    images = [image_design(torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(i))) for i in range(2)]
    for name, image in zip(("a.png", "b.png"), images, strict=True):
        (folder / name).write_bytes(image.data or b"")
    (folder / MANIFEST).write_text("file,prompt,value\na.png,left,0.1\nb.png,,0.2\na.png,left,0.3\n")
    assert seiko("tell", "run", "old", "--attach", "--dry-run").exit_code == 0
    result = seiko("tell", "run", "old", "--attach")
    assert result.exit_code == 0, result.output
    with Campaign.open(pictures_run, modules=("darkroom",)) as campaign:
        attached = [query.design for query in campaign.state.queries.values() if query.round == 0]
        assert [(design.content, design.prompt) for design in attached] == [
            (images[0].content, "left"), (images[1].content, None),
        ]  # fmt: skip
        assert [campaign.bytes_of(design) for design in attached] == [image.data for image in images]
    fill(tmp_path / "plate", ["0.5", "1.5", "0.25"])
    assert seiko("tell", "run", "plate").exit_code == 0
    advanced = seiko("advance", "run")  # the fit sees the attached ones, too
    assert advanced.exit_code == 0, advanced.output
    (folder / "a.png").write_bytes(image_design(torch.rand(1, 5, 5)).data or b"")
    assert "are (1, 4, 4), got (1, 5, 5)" in seiko("tell", "run", "old", "--attach").stderr
    (folder / MANIFEST).write_text("file,value\n../plate/1-0001.png,1\n")
    assert "is no file of this folder" in seiko("tell", "run", "old", "--attach").stderr
    assert "name a folder" in seiko("tell", "run", str(folder / MANIFEST), "--attach").stderr


def test_prompts_for_a_model_that_takes_none(seiko: Invoke, plates: Path, finished_run: Path) -> None:
    for place in (str(plates / "model"), str(finished_run)):
        result = seiko("sample", place, "--n", "2", "--prompt", "a cat")
        assert result.exit_code == 2, result.output
        assert "takes no prompts" in result.stderr
    assert "is for images" in seiko("export", str(finished_run), "--labels", "--format", "png", "--out", "x").stderr
