"""How a file is read: columns of other names, units, what was measured before; nothing is taken before one says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.label_file import Reading
from seiko.campaign.state import RunState
from seiko.campaign.units import Units
from seiko.web.reading import formula, guess, header_of, reading_of

FROM_A_READER = b"Sample,Kd_nM,SD\n1-0001,1000,100\n1-0002,10,1\n"
BEFORE = b"sequence,Kd_nM\nAAAAAA,100\nCCCCCC,1000\n"


def id_of(text: str, step: str = "take") -> str:
    [id] = set(re.findall(rf"/upload/([\w-]+)/{step}", text))
    return str(id)


def kinds(served: Any) -> list[str]:
    with served.desk.campaign() as campaign:
        return [event.kind for event in campaign.ledger]


# ------------------------------------------------------------ the parts


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"Sample;Kd (nM)\n1;2\n", ["Sample", "Kd (nM)"]),
        (b'\xef\xbb\xbf{"id": "1-0001", "value": 2}\n', ["id", "value"]),
        (b"P1,1,2,3,4,5,6,7,8,9,10,11,12\nA,1\n", []),  # a plate
        (b"a,a,,b\n", ["a", "b"]),
        (b"\xff\xfe", []),
        (b"", []),
    ],
)
def test_a_file_names_its_columns(data: bytes, names: list[str]) -> None:
    assert header_of(data) == names


@given(st.binary(max_size=60))
def test_no_file_breaks_the_header(data: bytes) -> None:
    assert all(isinstance(name, str) for name in header_of(data))


def test_a_form_says_how_to_read() -> None:
    form = {"column.value": "Kd_nM", "column.id": "ID", "column.other": "x", "scale": "1e-3", "log10": "1"}
    assert reading_of(form, ["id", "value"]) == Reading(columns={"value": "Kd_nM"}, units=Units(scale=1e-3, log10=True))
    assert formula(reading_of(form | {"minimise": "1"}, ["value"])) == "label = −log10(0.001 × Kd_nM)"
    assert formula(Reading()) == "label = value"
    for wrong in ("0", "-1", "x", "nan", "1,5"):
        with pytest.raises(ValueError, match="the factor must be a positive number"):
            reading_of({"scale": wrong}, [])


def test_the_next_file_is_read_like_the_last_as_far_as_it_can_be() -> None:
    last = Reading(columns={"value": "Kd"}, units=Units(scale=2.0, minimise=True), plate="P1")
    assert guess(["id", "kd"], RunState(), None, last) == Reading(columns=last.columns, units=last.units)
    assert guess(["id", "ki"], RunState(), None, last) == Reading(units=Units(minimise=True))
    known = RunState(units=Units(scale=1e-3, log10=True))
    assert guess(["id"], known, None, None) == Reading(units=Units(log10=True))  # after a restart


# ------------------------------------------------------------ on the page


def test_columns_and_units_are_chosen_and_nothing_is_taken_before(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    first = owner.upload(FROM_A_READER)
    assert first.status_code == 422
    assert "<strong>Line 1, column id:</strong>" in first.text
    assert '<option value="Kd_nM">Kd_nM</option>' in first.text
    chosen = {"column.id": "Sample", "column.value": "Kd_nM", "column.noise": "SD", "log10": "1", "minimise": "1"}
    read = owner.post(f"/upload/{id_of(first.text, 'read')}/read", **chosen)
    assert read.status_code == 200
    assert "<strong>2</strong> labels would be taken" in read.text
    assert "<code>label = −log10(Kd_nM)</code>" in read.text
    assert kinds(served) == ["opened", "asked"]
    owner.post(f"/upload/{id_of(read.text)}/take")
    with served.desk.reading() as state:
        assert {id: label.value for id, label in state.labels.items()} == {"1-0001": -3, "1-0002": -1}
        assert state.labels["1-0002"].noise == pytest.approx(1 / (10 * 2.302585))
        assert state.units == Units(log10=True, minimise=True)
    next_one = owner.upload(b"Sample,Kd_nM,SD\n1-0003,100,1\n").text  # the same mapping again
    assert "<strong>1</strong> label would be taken" in next_one
    assert '<option value="Kd_nM" selected>' in next_one


def test_units_of_another_sense_than_the_runs_are_refused(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    owner.post(f"/upload/{id_of(owner.upload(b'id,value' + bytes([10]) + b'1-0001,1').text)}/take")
    text = owner.upload(b"id,value\n1-0002,2\n").text
    wrong = owner.post(f"/upload/{id_of(text, 'read')}/read", log10="1")
    assert wrong.status_code == 422
    assert "were made with neither --log10 nor --minimise" in wrong.text
    assert owner.post(f"/upload/{id_of(wrong.text, 'read')}/read", scale="0").status_code == 422


def test_an_error_names_the_files_own_line_and_is_mended_under_the_mapping(serve: Any, sequences: Path) -> None:
    owner = serve(sequences).log_in()
    first = owner.upload(b"Sample,Kd\n1-0001,-5\n").text
    read = owner.post(
        f"/upload/{id_of(first, 'read')}/read", **{"column.id": "Sample", "column.value": "Kd"}, log10="1"
    )
    assert "<strong>Line 2, column value:</strong> a logarithm needs a positive value" in read.text
    mended = owner.post(f"/upload/{id_of(read.text, 'mend')}/mend", line="2", text="1-0001,5")
    assert "<strong>1</strong> label would be taken" in mended.text  # the mapping is kept


def test_a_property_is_read_from_a_column_of_another_name(serve: Any, several: Path) -> None:
    owner = serve(several).log_in()
    first = owner.upload(b"id,pIC50,CL\n1-0001,6,40\n").text
    assert 'name="scale"' not in first  # its unit is the recipe's
    chosen = {"column.potency": "pIC50", "column.clearance": "CL"}
    read = owner.post(f"/upload/{id_of(first, 'read')}/read", **chosen).text
    assert "<strong>1</strong> label would be taken" in read


def attach(owner: Any, data: bytes) -> Any:
    return owner.client.post("/upload", data={"csrf": owner.csrf, "attach": "1"}, files={"file": ("old.csv", data)})


def test_measurements_of_before_are_attached(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    chosen = {"column.design": "sequence", "column.value": "Kd_nM", "log10": "1", "minimise": "1"}
    text = attach(owner, BEFORE).text
    read = owner.post(f"/upload/{id_of(text, 'read')}/read", **chosen).text
    assert "<strong>2</strong> measurements would be attached" in read
    assert kinds(served) == ["opened", "asked"]
    answer = owner.post(f"/upload/{id_of(read)}/take")
    assert answer.headers["location"] == "/upload"
    served.app.state.web.jobs.wait(120)
    assert "2 measurements attached, 0 known already" in owner.get("/upload").text
    with served.desk.reading() as state:
        assert {q.design.content: state.labels[q.id].value for q in state.queries.values() if not q.own} == {
            "AAAAAA": -2, "CCCCCC": -3,
        }  # fmt: skip
        assert state.charged == 4


def test_a_design_that_the_model_does_not_know_is_named_by_its_line(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    text = attach(owner, b"design,value\nAAAAAA,1\nNOSUCH,2\n").text
    id = id_of(text)
    owner.post(f"/upload/{id}/take")
    served.app.state.web.jobs.wait(120)
    assert f'<a href="/upload/{id}">Mend the file</a>' in owner.get("/upload").text
    wrong = owner.get(f"/upload/{id}")
    assert wrong.status_code == 422
    assert "<strong>Line 3, column design:</strong>" in wrong.text
    assert kinds(served) == ["opened", "asked"]
    mended = owner.post(f"/upload/{id}/mend", line="3", text="CCCCCC,2")
    assert "<strong>2</strong> measurements would be attached" in mended.text


def test_several_properties_that_were_measured_before_are_attached(serve: Any, several: Path) -> None:
    served = serve(several)
    owner = served.log_in()
    text = attach(owner, b"design,potency,clearance\nAAAAAA,7,30\n").text
    owner.post(f"/upload/{id_of(text)}/take")
    served.app.state.web.jobs.wait(120)
    assert "1 measurement attached" in owner.get("/upload").text
    assert attach(owner, b"design,potency\nAAAAAA,7\n").status_code == 422


def test_images_are_attached_with_their_files(serve: Any, images: Path) -> None:
    owner = serve(images).log_in()
    wrong = attach(owner, b"design,value\nabc,7\n")
    assert wrong.status_code == 422
    assert "images are attached with their files" in wrong.text
