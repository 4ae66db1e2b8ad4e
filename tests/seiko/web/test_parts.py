"""The parts that need no server: access, buckets, queue, browser, uploads, pictures."""

from __future__ import annotations

import json
import xml.dom.minidom
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.comparisons import best_of
from seiko.campaign.label_file import parse_labels
from seiko.campaign.state import Query, RunState
from seiko.designs import Design
from seiko.oracles import Label
from seiko.report.style import DARK, LIGHT
from seiko.web import Options, Scale
from seiko.web.access import Access, AccessError
from seiko.web.browser import Filter, find, lines_of, to_csv
from seiko.web.fields import whole
from seiko.web.limits import Buckets
from seiko.web.pictures import letters, molecule_svg, shown_as, svg_file
from seiko.web.queue import last_choice, next_choice, open_designs, progress_of
from seiko.web.uploads import UploadGone, Uploads, mended, preview


def state_of(count: int = 6, labelled: dict[str, Label] | None = None) -> RunState:
    state = RunState()
    for i in range(1, count + 1):
        query = Query(id=f"1-{i:04d}", design=Design(f"{'ACGT'[i % 4]}CG{i}"), round=1, source="fresh", mean=i, std=0.5)
        state.queries[query.id] = query
    for id, label in (labelled or {}).items():
        state.labels[id], state.labelled_at[id] = label, 1
    return state


def rate(state: RunState, query: str, rater: str, score: float | None) -> None:
    row = {"query": query, "rater": rater, "score": score, "skipped": score is None}
    state.ratings.take([row], [], state.queries)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# ------------------------------------------------------------ options and access


def test_scales() -> None:
    stars, slider = Scale.named("stars"), Scale.named("slider")
    assert [score in stars for score in (0, 1, 2.5, 5, 6, float("nan"), float("inf"))] == [
        False, True, False, True, False, False, False,
    ]  # fmt: skip
    assert 73 in slider
    assert 0 in slider
    with pytest.raises(ValueError, match="scale must be one of stars, slider, got 'thumbs'"):
        Scale.named("thumbs")
    for wrong in ({"raters": 0}, {"best_of": 1}, {"best_of": 10}, {"batch": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Options(**wrong)


@pytest.mark.parametrize("name", ["", " anna", "a\nb", "x" * 41, "<b>", "a/b"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(AccessError, match="a name has 1 to 40"):
        Access.prepare(None, [name])


def test_people_are_added_and_keep_their_links(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    first, links = Access.prepare(path, ["anna"])
    assert [(link.name, link.role) for link in links] == [("owner", "owner"), ("anna", "rater")]
    second, more = Access.prepare(path, ["anna", "Jürgen B."])
    assert [link.name for link in more] == ["Jürgen B."]
    found = second.person(links[1].token)
    assert found is not None
    assert found.name == "anna"
    assert first.secret == second.secret
    with pytest.raises(AccessError, match="named twice"):
        Access.prepare(path, ["anna", "anna"])
    with pytest.raises(AccessError, match="'owner' is named twice"):
        Access.prepare(path, ["owner"])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"secret": "x", "people": []}', '{"secret": 1, "people": [{}]}',
     json.dumps({"secret": "s" * 64, "people": [{"name": "a", "role": "king", "token_sha256": "0" * 64}]}),
     json.dumps({"secret": "s" * 64, "people": [{"name": "a", "role": "owner", "token_sha256": "0"}]})],
)  # fmt: skip
def test_a_file_of_links_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "access.json").write_text(text)
    with pytest.raises(AccessError, match="is not a file of links"):
        Access.prepare(tmp_path / "access.json", [])


# ------------------------------------------------------------ buckets


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    buckets = Buckets(rate=0.5, burst=2, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 2]
    assert buckets.take("b") == 0
    clock.now += 2
    assert buckets.wait("a") == 0
    assert [buckets.take("a"), buckets.take("a")] == [0, 2]
    clock.now += 1000
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 2]  # never more than the burst


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 10)), max_size=60))
def test_a_bucket_never_gives_more_than_it_gains(acts: list[tuple[str, float]]) -> None:
    clock = Clock()
    buckets = Buckets(rate=1.0, burst=3, clock=clock)
    taken = {"a": 0, "b": 0}
    for name, pause in acts:
        clock.now += pause
        taken[name] += buckets.take(name) == 0
        assert taken[name] <= 3 + (clock.now - 100.0) + 1e-6


# ------------------------------------------------------------ the queue


def test_each_rater_has_an_order_of_their_own_and_keeps_it() -> None:
    state = state_of(40)
    anna, ben = ([query.id for query in open_designs(state, name)] for name in ("anna", "ben"))
    assert sorted(anna) == sorted(ben) == list(state.queries)
    assert anna != ben != list(state.queries)
    rate(state, anna[0], "anna", 3.0)
    rate(state, anna[5], "anna", None)
    assert [query.id for query in open_designs(state, "anna")] == [id for id in anna[1:] if id != anna[5]]
    assert [query.id for query in open_designs(state, "ben")] == ben
    assert (progress_of(state, "anna").done, progress_of(state, "anna").total) == (2, 40)


def test_what_is_labelled_is_no_longer_asked() -> None:
    state = state_of(4, {"1-0002": Label(value=1.0)})
    assert "1-0002" not in [query.id for query in open_designs(state, "anna")]


def test_every_design_is_compared_about_equally_often_and_no_pair_twice() -> None:
    state = state_of(6)
    shown: dict[str, int] = dict.fromkeys(state.queries, 0)
    pairs = set()
    for seq in range(15):
        chosen = [query.id for query in next_choice(state, "anna", 2)]
        assert len(chosen) == 2
        assert frozenset(chosen) not in pairs
        pairs.add(frozenset(chosen))
        for id in chosen:
            shown[id] += 1
        assert max(shown.values()) - min(shown.values()) <= 2
        rows = [comparison.row() for comparison in best_of(chosen[0], chosen[1:], "anna")]
        state.comparisons.fold(seq, {"comparisons": rows}, state.queries.__contains__)
    assert next_choice(state, "anna", 2) == []  # all 15 pairs of 6
    assert len(next_choice(state, "ben", 2)) == 2
    assert len(next_choice(state, "anna", 3)) == 3
    assert len(last_choice(state.comparisons, "anna")) == 1
    assert last_choice(state.comparisons, "cleo") == []


def test_what_somebody_cannot_say_is_not_asked_again() -> None:
    state = state_of(3)
    first = frozenset(query.id for query in next_choice(state, "anna", 2))
    second = frozenset(query.id for query in next_choice(state, "anna", 2, [first]))
    assert first != second
    assert next_choice(state, "anna", 4) == []


def test_only_images_for_one_prompt_are_compared() -> None:
    state = state_of(6)
    for i, (id, query) in enumerate(list(state.queries.items())):
        state.queries[id] = replace(query, design=replace(query.design, prompt=("cat", "dog")[i % 2]))
    for seq in range(6):
        chosen = next_choice(state, "anna", 2)
        assert len({query.design.prompt for query in chosen}) == 1
        rows = [comparison.row() for comparison in best_of(chosen[0].id, [chosen[1].id], "anna")]
        state.comparisons.fold(seq, {"comparisons": rows}, state.queries.__contains__)
    assert next_choice(state, "anna", 2) == []  # three pairs of cats, three of dogs
    assert len(next_choice(state, "anna", 4)) == 4  # better than nothing


# ------------------------------------------------------------ the browser


def test_filter_sort_and_page() -> None:
    labels = {"1-0001": Label(value=2.0), "1-0002": Label(value=-1.0), "1-0003": Label.infeasible("no")}
    lines = lines_of(state_of(6, labels))

    def ids(**wanted: object) -> list[str]:
        return [line.query.id[-1] for line in find(lines, Filter(**wanted)).lines]  # type: ignore[arg-type]

    assert ids() == list("123456")
    assert ids(descending=True) == list("654321")
    assert ids(sort="value") == list("213456")  # what has no value comes last, either way
    assert ids(sort="value", descending=True) == list("123456")
    assert ids(sort="predicted", descending=True) == list("654321")
    assert ids(sort="error") == list("213456")  # (-1 - 2) / .5 and (2 - 1) / .5
    assert ids(state="pending") == list("456")
    assert ids(state="infeasible") == ["3"]
    assert ids(text="acg") == ["4"]
    assert ids(text="1-0005") == ["5"]
    assert ids(source="remask") == ids(round=2) == []
    found = find(lines, Filter(size=4, page=2))
    assert ([line.query.id[-1] for line in found.lines], found.count, found.pages) == (["5", "6"], 6, 2)
    assert find(lines, Filter(size=4, page=9)).page == 2


def test_a_downloaded_batch_can_be_told() -> None:
    state = state_of(3)
    rows = to_csv(lines_of(state), Filter(state="pending")).replace("pending,,,", "pending,,1.5,")
    labels = parse_labels(rows.encode(), state)
    assert {id: label.value for id, [label] in labels.items()} == dict.fromkeys(state.queries, 1.5)


@given(st.dictionaries(st.sampled_from(["text", "state", "round", "source", "sort", "down", "page"]), st.text()))
def test_any_address_is_some_page(values: dict[str, str]) -> None:
    found = find(lines_of(state_of(6)), Filter.read(values))
    assert 1 <= found.page <= found.pages


def test_a_whole_number_in_a_field() -> None:
    assert [whole(text, 1, 384) for text in ("1", " 96 ", "384", "007")] == [1, 96, 384, 7]
    wrong = ("0", "385", "0000000000001", "\u0661", "1.0", "-1", "", None, 5)
    assert [whole(text, 1, 384) for text in wrong] == [None] * len(wrong)


# ------------------------------------------------------------ uploads


def test_files_wait_a_while_and_not_too_many() -> None:
    clock = Clock()
    uploads = Uploads(most=2, seconds=60, clock=clock)
    first, second, third = (uploads.put("owner", f"{i}.csv", b"x") for i in range(3))
    with pytest.raises(UploadGone, match="choose it again"):
        uploads.get(first.id, "owner")
    assert uploads.get(third.id, "owner") is third
    uploads.drop(third.id)
    with pytest.raises(UploadGone):
        uploads.get(third.id, "owner")
    clock.now += 61
    with pytest.raises(UploadGone):
        uploads.get(second.id, "owner")


def test_a_preview_says_what_would_be_taken() -> None:
    state = state_of(3, {"1-0001": Label(value=1.0)})
    uploads = Uploads()
    found = preview(uploads.put("owner", "a.csv", b"id,value\n1-0001,1\n1-0002,2\n"), state)
    assert ([row.query.id for row in found.new], found.known, found.missing) == (["1-0002"], 1, 1)
    wrong = preview(uploads.put("owner", "a.csv", b"id,value\n1-0001,1\n1-0002,x\n1-0003,3\n"), state)
    assert wrong.error is not None
    assert (wrong.error.line, wrong.error.column) == (3, "value")
    assert wrong.lines == ((1, "id,value"), (2, "1-0001,1"), (3, "1-0002,x"), (4, "1-0003,3"), (5, ""))
    assert wrong.new == []


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_one_line_is_mended_and_the_rest_is_kept(ending: str) -> None:
    upload = Uploads().put("owner", "a.csv", ending.join(["id,value", "1-0001,x", "1-0002,2", ""]).encode())
    assert mended(upload, 2, "1-0001,1").decode() == ending.join(["id,value", "1-0001,1", "1-0002,2", ""])
    assert mended(upload, 2, " ").decode() == ending.join(["id,value", "1-0002,2", ""])
    for line, text in ((0, "a"), (5, "a"), (2, "a\nb")):
        with pytest.raises(ValueError, match="line"):
            mended(upload, line, text)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_file_breaks_the_preview(data: bytes, name: str) -> None:
    state = state_of(2)
    found = preview(Uploads().put("owner", name, b"id,value\n" + data), state)
    assert (found.error is None) or not found.new


# ------------------------------------------------------------ pictures


def test_letters_have_colours_by_kind() -> None:
    assert [(letter.text, letter.name) for letter in letters(Design("ACX", "dna"))] == [
        ("A", "A"), ("C", "C"), ("X", "none"),
    ]  # fmt: skip
    assert [letter.name for letter in letters(Design("KDW", "protein"))] == ["plus", "minus", "ring"]
    assert [letter.text for letter in letters(Design("12 3 12", "tokens"))] == ["12", "3", "12"]
    assert shown_as(Design("A" * 601, "dna")) == "text"
    assert shown_as(Design("0" * 64, "image")) == "image"


def test_a_molecule_is_a_file_that_follows_the_colours() -> None:
    pytest.importorskip("rdkit")
    drawing = molecule_svg("c1ccccc1O")
    assert drawing is not None
    root = xml.dom.minidom.parseString(drawing).documentElement
    assert root.tagName == "svg"
    assert root.namespaceURI == "http://www.w3.org/2000/svg"
    assert f"--ink: {DARK['ink']}" in drawing.decode()
    assert molecule_svg("no molecule") is None
    with pytest.raises(ValueError, match="must begin with <svg"):
        svg_file("<p>")


def test_page_and_figures_have_the_same_colours() -> None:
    import seiko.web

    text = (Path(seiko.web.__file__).parent / "static" / "app.css").read_text()
    light, dark = text.split("prefers-color-scheme: dark")[:2]
    for colours, part in ((LIGHT, light), (DARK, dark)):
        for name, value in colours.items():
            assert f"--{name}: {value};" in part, name
