"""What the owner says of one design, plates, and what can be taken out of a run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from seiko.campaign import Ledger, State
from seiko.campaign.ledger.transfer import import_file
from seiko.oracles import Label

ACTS = ("retract", "abandon", "fail")


def stages(served: Any) -> dict[str, str]:
    with served.desk.reading() as state:
        return {id: str(state.stage(id)) for id in state.queries}


def test_only_the_owner_says_so_and_only_with_our_form(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    anna, owner = served.log_in("anna"), served.log_in()
    assert anna.get("/designs/1-0001").status_code == 403
    assert anna.get("/plates").status_code == 403
    assert anna.post("/plates", wells="96").status_code == 403
    for name in ("labels.csv", "labels.jsonl", "report.html", "run.jsonl"):
        assert anna.get(f"/export/{name}").status_code == 403
    for act in ACTS:
        assert anna.post(f"/designs/1-0001/{act}", reason="mine").status_code == 403
        assert owner.client.post(f"/designs/1-0001/{act}", data={"reason": "no csrf"}).status_code == 403
        assert owner.post(f"/designs/1-0001/{act}", reason=" ").status_code == 422
        assert owner.post(f"/designs/9-0001/{act}", reason="unknown").status_code == 404
    assert set(stages(served).values()) == {"pending"}


def test_a_label_is_retracted_with_its_reason(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    assert "Retract the label" not in owner.get("/designs/1-0001").text
    assert owner.post("/designs/1-0001/retract", reason="too early").status_code == 409
    served.desk.tell({"1-0001": [Label(value=1.5, noise=0.1)]})
    assert "Retract the label" in owner.get("/designs/1-0001").text
    answer = owner.post("/designs/1-0001/retract", reason="=contaminated, seen <b>later</b>")
    assert answer.headers["location"] == "/designs/1-0001?done=retracted"
    text = owner.get(answer.headers["location"]).text
    assert "The label was retracted." in text
    assert "seen &lt;b&gt;later&lt;/b&gt;" in text
    assert stages(served)["1-0001"] == State.RETRACTED
    again = owner.post("/designs/1-0001/retract", reason="again")
    assert again.headers["location"] == "/designs/1-0001?done=nothing"


def test_one_of_several_measurements_is_retracted(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    served.desk.tell({"1-0001": [Label(value=1.0), Label(value=9.0, replicate=2)]})
    assert '<option value="2">2</option>' in owner.get("/designs/1-0001").text
    owner.post("/designs/1-0001/retract", reason="a bubble", replicate="2")
    with served.desk.reading() as state:
        assert [label.value for label in state.standing("1-0001")] == [1.0]
    assert owner.post("/designs/1-0001/retract", reason="x", replicate="0").status_code == 422


def test_what_broke_is_repeated_or_given_up_and_taken_up_again(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    owner.post("/designs/1-0001/fail", reason="the tip was blocked", retry="1")
    assert stages(served)["1-0001"] == State.FAILED
    owner.post("/designs/1-0001/fail", reason="blocked again", retry="0")
    assert stages(served)["1-0001"] == State.FAILED_FOR_GOOD
    owner.post("/designs/1-0001/fail", reason="a new machine", retry="1")
    assert stages(served)["1-0001"] == State.FAILED
    text = owner.get("/designs/1-0001").text
    assert text.index("a new machine") < text.index("blocked again") < text.index("the tip was blocked")
    owner.post("/designs/1-0002/abandon", reason="cannot be synthesised")
    assert stages(served)["1-0002"] == State.ABANDONED
    with served.desk.reading() as state:
        assert state.charged == 3
    assert "cannot be synthesised" in owner.get("/designs/1-0002").text


def test_labels_and_the_whole_run_are_taken_out(serve: Any, several: Path, tmp_path: Path) -> None:
    served = serve(several)
    owner = served.log_in()
    served.desk.tell({"1-0002": [Label(values=(("potency", 7.0), ("clearance", 50.0)), reason="=SUM(A1)")]})
    table = owner.get("/export/labels.csv")
    assert table.headers["content-disposition"] == 'attachment; filename="several-labels.csv"'
    [row] = csv.DictReader(io.StringIO(table.text))
    assert (row["id"], row["potency"], row["reason"]) == ("1-0002", "7.0", "'=SUM(A1)")
    [line] = map(json.loads, owner.get("/export/labels.jsonl").text.splitlines())
    assert (line["clearance"], line["reason"]) == (50.0, "=SUM(A1)")
    report = owner.get("/export/report.html")
    assert report.headers["content-disposition"].startswith("attachment")
    assert "Several objectives" in report.text
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(owner.get("/export/run.jsonl").content)
    import_file(copy, tmp_path / "copy")
    with Ledger.open(several) as one, Ledger.open(tmp_path / "copy") as other:
        assert one.last_seq == 3
        assert one.digest_of(3) == other.digest_of(3) is not None


def test_a_batch_is_laid_out_and_its_plate_told(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    assert "No plates yet" in owner.get("/plates").text
    controls = "wild=ACACAC\n\nbuffer\n"
    answer = owner.post("/plates", wells="96", replicates="2", control_wells="3", controls=controls)
    assert answer.headers["location"] == "/plates"
    served.app.state.web.jobs.wait(120)
    text = owner.get("/plates").text
    assert "Laid out: P1" in text
    assert text.count('class="well pending"><a') == 8 + 3  # twice each of four, and the wild type
    assert text.count('class="well control" title') == 3
    rows = list(csv.DictReader(io.StringIO(owner.get("/plates/P1.csv").text)))
    assert len(rows) == 14
    for i, row in enumerate(rows):
        row["value"] = str(i)
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    assert "<strong>11</strong> labels would be taken" in owner.upload(file.getvalue().encode()).text
    assert owner.get("/plates/P9.csv").status_code == 404


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"wells": "97"}, "a plate has 96 or 384 wells, got 97"),
        ({"replicates": "x"}, "replicates must be a number"),
        ({"controls": "wild type=ACGT"}, "a control is NAME or NAME=DESIGN"),
        ({"controls": "a\na=ACGTAC"}, "the control a is there twice"),
    ],
)
def test_a_layout_that_cannot_be_meant(serve: Any, sequences: Path, fields: dict[str, str], says: str) -> None:
    answer = serve(sequences).log_in().post("/plates", **fields)
    assert answer.status_code == 422
    assert says in answer.text
