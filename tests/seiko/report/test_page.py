from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from seiko.report import render, write
from seiko.report.data import CalibrationRow, LogoData, ReportData

NAN = float("nan")


class Page(HTMLParser):
    """Collects tags, ids, attributes and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.visible = ""
        self._skip = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._skip = tag == "style"
        for name, value in attrs:
            self.attributes[name] += 1
            if name == "id":
                self.ids[value or ""] += 1

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.visible += data


@pytest.fixture(scope="module")
def html(run: ReportData) -> str:
    return render(run)


def test_the_page_holds_what_the_run_holds(html: str, run: ReportData) -> None:
    page = Page(html)
    for text in (run.title, run.run_name, "3 of 5 rounds finished", "seed 7", "26 July 2026", *run.alarms,
                 *run.recommendations, '"kl_budget": 4.0', "Figure 6"):  # fmt: skip
        assert text in page.visible
    # Four half-width figures, and two wide ones drawn for a screen and for a phone.
    assert page.tags["svg"] == 8
    assert page.attributes["aria-label"] >= 8
    # A header, five lines of the first group, and the best twenty designs in their own table.
    assert page.tags["table"] == 2


def test_the_page_runs_nothing_and_asks_nobody(html: str) -> None:
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & page.tags.keys()
    assert not [name for name in page.attributes if name.startswith("on") or name == "src"]
    assert not re.findall(r"https?:|//[a-z]|@import|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_ids_are_unique(html: str) -> None:
    assert [name for name, count in Page(html).ids.items() if count > 1] == []


def test_everything_of_the_user_is_escaped(run: ReportData, html: str) -> None:
    evil = "</svg></style></title><script>alert('x')</script><img src=x onerror=alert(1)>\"&--> style=\"font: 1px"
    designs = tuple(
        replace(row, content=evil, kind="smiles", source=evil, query_id=evil, value=row.value) for row in run.designs
    )
    text = render(
        replace(run, title=evil, recipe_name=evil, run_name=evil, seiko_version=evil, created_at=evil, recipe_json=evil,
                reward_name=evil, diversity_unit=evil, alarms=(evil,), recommendations=(evil,), designs=designs,
                logos=LogoData.from_samples([evil, "<b>"], [[evil, "<b>"]], [["<b>", "<b>"]], "tokens"))
    )  # fmt: skip
    page = Page(text)
    assert not {"script", "img", "b>"} & page.tags.keys()
    assert "onerror" not in page.attributes
    assert page.visible.count("<script>") > 5
    assert page.tags["svg"] == Page(html).tags["svg"]
    dna = render(replace(run, designs=tuple(replace(row, content="AC<script>GT") for row in run.designs)))
    assert "script" not in Page(dna).tags


def _no_labels(run: ReportData) -> ReportData:
    return replace(run, designs=(), rounds=(), logos=None, labels_used=0)


def _pending(run: ReportData) -> ReportData:
    return replace(run, designs=tuple(replace(row, status="pending", value=None) for row in run.designs), rounds=())


def _infeasible(run: ReportData) -> ReportData:
    return replace(run, designs=tuple(replace(row, status="infeasible", value=None) for row in run.designs))


def _constant(run: ReportData) -> ReportData:
    rows = (replace(row, value=0.0, predicted_mean=0.0) if row.value is not None else row for row in run.designs)
    return replace(run, designs=tuple(rows))


def _one_round(run: ReportData) -> ReportData:
    return replace(run, designs=run.designs[:20], rounds=run.rounds[:1])


def _one_label(run: ReportData) -> ReportData:
    return replace(run, designs=run.designs[:1], rounds=())


def _not_numbers(run: ReportData) -> ReportData:
    nothing = CalibrationRow(n=1, r2=NAN, spearman=NAN, nll=NAN, coverage=NAN, rmse=NAN)
    rounds = (
        replace(row, seconds=NAN, alpha=NAN, beta=NAN, kl_pretrained=NAN, kl_previous=NAN, believed_mean=NAN,
                diversity=NAN, prequential=nothing, held_out=nothing)
        for row in run.rounds
    )  # fmt: skip
    designs = tuple(replace(row, predicted_mean=NAN, predicted_std=NAN, noise=NAN) for row in run.designs)
    return replace(run, rounds=tuple(rounds), designs=designs, kl_budget=NAN, diversity_max=NAN)


def _one_letter(run: ReportData) -> ReportData:
    return replace(run, logos=LogoData(alphabet=("A",), before=((1.0,),), after=((1.0,),)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("change", "words"), [
    (_no_labels, "No labels yet."),
    (_pending, "60 pending."),
    (_infeasible, "All 60 labels so far are infeasible."),
    (_constant, "—"),
    (_one_round, "the second round brings the first ones"),
    (_one_label, "No round has been finished yet."),
    (_not_numbers, "No KL has been measured."),
    (_one_letter, "0.0 → 0.0 bits"),
])  # fmt: skip
def test_a_run_with_little_in_it_is_told_in_words(
    run: ReportData, change: Callable[[ReportData], ReportData], words: str
) -> None:
    page = Page(render(change(run)))
    assert words in page.visible
    assert not re.findall(r"\b(nan|inf|None)\b", page.visible, flags=re.IGNORECASE)


def test_the_page_is_written_whole_and_with_the_same_bytes_twice(tmp_path: Path, html: str, run: ReportData) -> None:
    path = write(run, tmp_path / "out" / "report.html")
    assert path.read_text(encoding="utf-8") == html
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
