"""The pages: who sees what, what forms change, and that everything works without a script."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from seiko.campaign import Campaign, Ledger
from seiko.web import Scale

OWNERS = [
    "/", "/overview/live", "/designs", "/designs/1-0001", "/designs.csv", "/upload", "/plates", "/people", "/jobs/live",
    "/export/labels.csv", "/export/labels.jsonl", "/export/report.html", "/export/run.jsonl",
]  # fmt: skip


def kinds(run: Path) -> list[str]:
    with Ledger.open(run) as ledger:
        return [event.kind for event in ledger]


def cards(text: str) -> list[str]:
    return re.findall(r'id="q-(1-[0-9]{4})" tabindex="0" data-open', text)


def test_nobody_sees_anything_before_coming_in(serve: Any, sequences: Path) -> None:
    client = serve(sequences).client()
    for path in (*OWNERS, "/rate", "/compare", "/pictures/1-0001", "/figures/reward.svg"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path
    assert client.get("/rate", headers={"HX-Request": "true"}).headers["hx-redirect"] == "/login"
    assert client.get("/login").status_code == 200


def test_a_rater_sees_the_queue_and_nothing_of_the_owners(serve: Any, sequences: Path) -> None:
    anna = serve(sequences).log_in("anna")
    assert anna.get("/").headers["location"] == "/rate"
    for path in OWNERS[1:]:
        assert anna.get(path).status_code == 403, path
    for path in ("/jobs/ask", "/jobs/advance", "/jobs/stop", "/upload/x/take", "/upload/x/mend"):
        assert anna.post(path).status_code == 403, path
    assert anna.upload(b"id,value\n1-0001,1\n").status_code == 403
    queue = anna.get("/rate").text
    assert len(cards(queue)) == 4
    assert "0.5" not in queue  # what the model believes would sway them
    assert "/designs" not in queue


def test_the_owner_sees_all_pages(serve: Any, sequences: Path) -> None:
    owner = serve(sequences).log_in()
    for path in (*OWNERS, "/rate"):
        assert owner.get(path).status_code == 200, path
    overview = owner.get("/").text
    assert "Round 1 of 2" in overview
    assert "<strong>4</strong> of 4 designs wait for a label" in overview
    assert "No round is finished yet" in overview
    assert owner.get("/figures/reward.svg").status_code == 404  # nothing to draw yet
    assert owner.get("/nothing").status_code == 404


def test_the_overview_is_sent_again_only_when_something_changed(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    [stamp] = re.findall(r'name="version" value="([^"]+)"', owner.get("/").text)
    assert owner.get(f"/overview/live?version={stamp}").status_code == 204
    owner.post("/rate", query="1-0001", score="4")
    live = owner.get(f"/overview/live?version={stamp}")
    assert live.status_code == 200
    assert "<strong>3</strong> of 4 designs wait" in live.text


def test_figures_are_drawn_from_labels_without_a_model(serve: Any, sequences: Path) -> None:
    import xml.dom.minidom

    served = serve(sequences)
    owner = served.log_in()
    owner.post("/rate", query="1-0001", score="4")
    owner.post("/rate", query="1-0002", score="2")
    answer = owner.get("/figures/reward.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert xml.dom.minidom.parseString(answer.content).documentElement.tagName == "svg"
    with served.desk.campaign() as campaign:
        assert "_history" not in vars(campaign)  # nothing asked for a model


def test_one_score_is_a_label_where_one_rater_is_asked_for(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    anna = served.log_in("anna")
    assert anna.post("/rate", query="1-0002", score="4").headers["location"] == "/rate"
    assert "1-0002" not in cards(anna.get("/rate").text)
    with served.desk.reading() as state:
        assert state.labels["1-0002"].value == 4
        assert state.labels["1-0002"].noise is None
    assert kinds(sequences)[-2:] == ["rated", "told"]


def test_a_score_by_htmx_answers_with_the_card_and_the_progress(serve: Any, sequences: Path) -> None:
    anna = serve(sequences).log_in("anna")
    answer = anna.post("/rate", htmx=True, query="1-0002", score="4")
    assert answer.status_code == 200
    assert 'id="q-1-0002"' in answer.text
    assert "data-open" not in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert "<strong>1</strong> of 4 judged" in answer.text
    assert "<html" not in answer.text


def test_two_raters_make_a_label_with_its_noise(serve: Any, sequences: Path) -> None:
    served = serve(sequences, ("anna", "ben", "cleo"), raters=2)
    anna, ben = served.log_in("anna"), served.log_in("ben")
    anna.post("/rate", query="1-0001", score="2")
    with served.desk.reading() as state:
        assert "1-0001" not in state.labels
    ben.post("/rate", query="1-0001", score="4")
    with served.desk.reading() as state:
        label = state.labels["1-0001"]
        assert label.value == 3
        assert label.noise == pytest.approx(1.0)  # sd sqrt(2), over sqrt(2)
    assert "1-0001" not in cards(served.log_in("cleo").get("/rate").text)


def test_skip_and_undo(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    anna = served.log_in("anna")
    anna.post("/rate", query="1-0001", skip="1")
    assert "1-0001" not in cards(anna.get("/rate").text)
    assert "1-0001" in cards(served.log_in("ben").get("/rate").text)  # another one may know
    anna.post("/rate", query="1-0003", score="5")
    back = anna.post("/rate/undo", htmx=True)
    assert back.headers["hx-redirect"] == "/rate?first=1-0003"
    assert cards(anna.get("/rate?first=1-0003").text)[0] == "1-0003"
    with served.desk.reading() as state:
        assert not state.labels
        assert len(state.pending()) == 4
    anna.post("/rate", query="1-0003", score="1")  # thought better of it
    with served.desk.reading() as state:
        assert state.labels["1-0003"].value == 1
    assert anna.post("/rate/undo", query="1-0001").headers["location"] == "/rate?first=1-0001"
    anna.post("/rate/undo")
    assert anna.post("/rate/undo").status_code == 409


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"query": "1-0001", "score": "6"}, "a score must be 1 to 5 in steps of 1"),
        ({"query": "1-0001", "score": "2.5"}, "a score must be 1 to 5"),
        ({"query": "1-0001", "score": "nan"}, "a score must be 1 to 5"),
        ({"query": "1-0001", "score": "four"}, "a score must be 1 to 5"),
        ({"query": "1-0001"}, "a score must be 1 to 5"),
        ({"score": "4"}, "the form names no design"),
    ],
)
def test_a_score_that_cannot_be_meant(serve: Any, sequences: Path, fields: dict[str, str], says: str) -> None:
    anna = serve(sequences).log_in("anna")
    before = kinds(sequences)
    answer = anna.post("/rate", **fields)
    assert answer.status_code == 422
    assert says in answer.text
    by_htmx = anna.post("/rate", htmx=True, **fields)
    assert by_htmx.headers["hx-retarget"] == "#notice"
    assert "<html" not in by_htmx.text
    assert kinds(sequences) == before


def test_a_design_that_was_never_asked(serve: Any, sequences: Path) -> None:
    anna = serve(sequences).log_in("anna")
    answer = anna.post("/rate", query="9-0001", score="4")
    assert answer.status_code == 404
    assert "was never asked" in answer.text
    assert anna.get("/pictures/9-0001").status_code == 404
    assert anna.get("/pictures/1-0001").status_code == 404  # a sequence is text


def test_the_slider_is_a_scale_of_its_own(serve: Any, sequences: Path) -> None:
    served = serve(sequences, scale=Scale.named("slider"))
    anna = served.log_in("anna")
    assert 'type="range"' in anna.get("/rate").text
    assert anna.post("/rate", query="1-0001", score="101").status_code == 422
    anna.post("/rate", query="1-0001", score="73")
    with served.desk.reading() as state:
        assert state.labels["1-0001"].value == 73


def test_images_come_as_they_are_and_may_be_kept(serve: Any, images: Path) -> None:
    anna = serve(images).log_in("anna")
    answer = anna.get("/pictures/1-0001")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert "immutable" in answer.headers["cache-control"]
    assert "private" in answer.headers["cache-control"]
    assert anna.get("/rate").text.count('src="/pictures/1-') == 24


def test_a_damaged_image_is_a_sentence(serve: Any, images: Path) -> None:
    served = serve(images)
    with served.desk.reading() as state:
        name = state.queries["1-0001"].design.content
    path = next(path for path in images.rglob(name) if path.is_file())
    path.chmod(0o644)
    path.write_bytes(b"\x89PNG other")
    answer = served.log_in("anna").get("/pictures/1-0001")
    assert answer.status_code == 503
    assert "damaged" in answer.text


# ------------------------------------------------------------ comparing


def shown(text: str) -> list[str]:
    return re.findall(r'name="shown" value="([^"]+)"', text)


def test_the_best_of_three_is_one_choice(serve: Any, sequences: Path) -> None:
    served = serve(sequences, best_of=3)
    anna = served.log_in("anna")
    assert anna.get("/").headers["location"] == "/compare"
    first = shown(anna.get("/compare").text)
    assert len(first) == 3
    answer = anna.post("/compare", htmx=True, shown=first, winner=first[1])
    assert answer.status_code == 200
    assert set(shown(answer.text)) != set(first)
    with served.desk.reading() as state:
        assert {(c.winner, c.loser) for c in state.comparisons} == {(first[1], first[0]), (first[1], first[2])}
        assert {c.rater for c in state.comparisons} == {"anna"}
    back = anna.post("/compare/undo", htmx=True)
    assert set(shown(back.text)) == set(first)
    with served.desk.reading() as state:
        assert len(state.comparisons) == 0
    assert anna.post("/compare/undo").status_code == 409


def test_what_cannot_be_compared(serve: Any, sequences: Path) -> None:
    anna = serve(sequences, best_of=2).log_in("anna")
    one, two = shown(anna.get("/compare").text)
    assert anna.post("/compare", shown=[one, two], winner="1-0009").status_code == 422
    assert anna.post("/compare", shown=[one, one], winner=one).status_code == 422
    assert anna.post("/compare", shown=[one, "9-0001"], winner=one).status_code == 404
    assert anna.post("/compare", winner=one).status_code == 422
    anna.post("/compare", shown=[one, two], skip="1")
    assert set(shown(anna.get("/compare").text)) != {one, two}


# ------------------------------------------------------------ uploading


GOOD = b"id,value,noise\n1-0001,.1,.01\n1-0002,.2,\n"
WRONG = b"id,value\n1-0001,.1\n1-0002,abc\n"


def test_a_file_is_shown_before_it_is_taken(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    before = kinds(sequences)
    preview = owner.upload(GOOD)
    assert preview.status_code == 200
    assert "<strong>2</strong> labels would be taken" in preview.text
    assert "2 would still be missing" in preview.text
    assert kinds(sequences) == before
    [id] = set(re.findall(r"/upload/([\w-]+)/take", preview.text))
    assert "<strong>2</strong> labels would be taken" in owner.get(f"/upload/{id}").text  # a reload
    taken = owner.post(f"/upload/{id}/take")
    assert taken.headers["location"] == "/upload?taken=2"
    assert "2 labels taken. 2 are missing." in owner.get(taken.headers["location"]).text
    assert kinds(sequences) == [*before, "told"]
    assert owner.post(f"/upload/{id}/take").status_code == 404  # it is no longer there
    assert "2 are known already" in owner.upload(GOOD).text


def test_an_error_names_line_and_column_and_is_mended_in_place(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    before = kinds(sequences)
    wrong = owner.upload(WRONG)
    assert wrong.status_code == 422
    assert "<strong>Line 3, column value:</strong>" in wrong.text
    assert "&#39;abc&#39;" in wrong.text
    [id] = set(re.findall(r"/upload/([\w-]+)/mend", wrong.text))
    assert owner.post(f"/upload/{id}/take").status_code == 422  # not even by hand
    assert kinds(sequences) == before
    mended = owner.post(f"/upload/{id}/mend", line="3", text="1-0002,.25")
    assert mended.status_code == 200
    [new] = set(re.findall(r"/upload/([\w-]+)/take", mended.text))
    owner.post(f"/upload/{new}/take")
    with served.desk.reading() as state:
        assert {id: label.value for id, label in state.labels.items()} == {"1-0001": 0.1, "1-0002": 0.25}


def test_a_file_belongs_to_who_sent_it(serve: Any, sequences: Path) -> None:
    from seiko.web.uploads import UploadGone, Uploads

    uploads = Uploads()
    kept = uploads.put("owner", "plate.csv", GOOD)
    with pytest.raises(UploadGone):
        uploads.get(kept.id, "somebody")
    owner = serve(sequences).log_in()
    assert owner.get("/upload/nothing").status_code == 404
    assert owner.post("/upload").status_code == 422
    assert owner.post("/upload/x/mend", line="0", text="a").status_code == 404


def test_a_file_that_was_overtaken_is_checked_again(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    [id] = set(re.findall(r"/upload/([\w-]+)/take", owner.upload(GOOD).text))
    owner.post("/rate", query="1-0001", score="5")  # somebody was faster
    late = owner.post(f"/upload/{id}/take")
    assert late.status_code in (409, 422)
    assert "already" in late.text
    with served.desk.reading() as state:
        assert state.labels["1-0001"].value == 5
        assert "1-0002" not in state.labels  # all or nothing


# ------------------------------------------------------------ designs and people


def test_designs_are_found_and_downloaded(serve: Any, sequences: Path) -> None:
    owner = serve(sequences).log_in()
    owner.post("/rate", query="1-0002", score="4")
    assert "<strong>4</strong> designs" in owner.get("/designs").text
    assert "<strong>1</strong> design<" in owner.get("/designs?text=ccg").text
    part = owner.get("/designs?state=pending", headers={"HX-Request": "true", "HX-Target": "found"})
    assert "<strong>3</strong> designs" in part.text
    assert "<html" not in part.text
    table = owner.get("/designs.csv?state=labelled")
    assert table.headers["content-disposition"] == 'attachment; filename="run-designs.csv"'
    [row] = csv.DictReader(io.StringIO(table.text))
    assert (row["id"], row["design"], row["value"]) == ("1-0002", "CCGTAC", "4.0")
    assert owner.get("/designs?page=99&sort=frob&round=x&state=y").status_code == 200


def test_empty_pages_say_what_to_do(serve: Any, recipe: Any, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "empty", recipe):
        pass
    owner = serve(tmp_path / "empty").log_in()
    assert 'No design has been asked for yet: <a href="/">ask for a batch</a>' in owner.get("/designs").text
    assert "No design waits for a label." in owner.get("/upload").text
    assert "No design waits for a label." in owner.get("/plates").text
    assert 'action="/plates"' not in owner.get("/plates").text
    assert "there is no page at this address" in owner.get("/nothing").text


def test_agreement_is_shown(serve: Any, sequences: Path) -> None:
    served = serve(sequences, raters=2)
    owner, anna, ben = served.log_in(), served.log_in("anna"), served.log_in("ben")
    assert "Agreement needs designs that several people scored" in owner.get("/people").text
    for query, a, b in (("1-0001", 1, 1), ("1-0002", 5, 5), ("1-0003", 3, 5)):
        anna.post("/rate", query=query, score=str(a))
        ben.post("/rate", query=query, score=str(b))
    anna.post("/rate", query="1-0004", skip="1")
    text = owner.get("/people").text
    # D_o = 2 * 2² / 6 = 4/3; D_e over 1, 1, 5, 5, 3, 5: 2 * (6 * 86 - 20²) / 30 = 116/15
    assert f"<strong>{1 - (4 / 3) / (116 / 15):.2f}</strong>" in text
    assert "anna <strong>3</strong> · ben <strong>5</strong>" in text
    assert "Skipped by all who saw them" in text
