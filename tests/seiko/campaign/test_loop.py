"""The closed loop runs to the end, resumes, and keeps what was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import seiko.campaign.loop
from seiko.campaign import Campaign, Recipe, State, run
from seiko.designs import Design
from seiko.oracles import Ehrlich, Label

Tiny = Callable[..., Recipe]
Story = Callable[[Campaign], dict[str, Any]]


def test_it_runs_to_the_end(tmp_path: Path, tiny: Tiny, oracle: Any) -> None:
    finished, stages = [], []
    with Campaign.open(tmp_path, tiny()) as campaign:
        reports = run(
            campaign,
            oracle,
            progress=lambda stage, done, total, numbers: stages.append(stage),
            finished=finished.append,
        )
        assert campaign.done
        assert reports == finished == campaign.state.reports
        assert [report.labels_used for report in reports] == [4, 8, 12]
        assert len(oracle.asked) == len(set(oracle.asked)) == 12
        assert set(stages) == {"ask", "label", "fit", "update", "land", "look"}
        assert run(campaign, oracle) == reports
    assert len(oracle.asked) == 12, "a finished run asks nothing"


def test_an_oracle_that_breaks_loses_nothing_that_it_answered(
    tmp_path: Path, tiny: Tiny, oracle: Any, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seiko.campaign.loop, "PART", 3)
    with Campaign.open(tmp_path / "whole", tiny()) as campaign:
        run(campaign, oracle)
        expected = story(campaign)
    calls = 0

    def moody(designs: Sequence[Design]) -> list[Label]:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            raise ConnectionError("the instrument does not answer")
        assert len(designs) <= 3
        labels: list[Label] = oracle(designs)
        return labels

    oracle.asked.clear()
    with Campaign.open(tmp_path / "broken", tiny()) as campaign:
        for _ in range(50):
            try:
                run(campaign, moody)
                break
            except ConnectionError:
                continue
        assert campaign.done
        assert story(campaign) == expected
    assert len(oracle.asked) == len(set(oracle.asked)) == 12, "nothing was measured twice"


def test_a_wrong_number_of_labels_is_not_taken(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny()) as campaign:
        with pytest.raises(ValueError, match="the oracle answered 4 designs with 1 labels; none was taken"):
            run(campaign, lambda designs: [Label(value=1.0)])
        assert campaign.state.labels == {}
        assert len(campaign.state.queries) == 4


def test_without_an_oracle_there_is_no_loop(tmp_path: Path, tiny: Tiny) -> None:
    with (
        Campaign.open(tmp_path, tiny()) as campaign,
        pytest.raises(ValueError, match="this recipe has no oracle: use ask, tell and advance"),
    ):
        run(campaign)


def test_the_recipe_s_own_oracle_is_asked(tmp_path: Path, tiny: Tiny) -> None:
    oracle = Ehrlich(vocabulary=4, length=6, motifs=1, motif_length=2, quantisation=2)
    with (
        Campaign.open(tmp_path, tiny(oracle=oracle)) as campaign,
        pytest.raises(ValueError, match="answers designs of kind 'tokens', got 'dna'"),
    ):
        run(campaign)


def test_a_budget_that_was_spent_early_ends_the_loop(tmp_path: Path, tiny: Tiny, oracle: Any) -> None:
    with Campaign.open(tmp_path, tiny()) as campaign:
        campaign.ask(12)
        assert len(run(campaign, oracle)) == 1
        assert len(oracle.asked) == 12


def test_failed_measurements_do_not_stop_the_loop(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny()) as campaign:
        reports = run(campaign, lambda designs: [Label.failed("broke") for _ in designs])
        assert [report.labels_used for report in reports] == [0, 0, 0]


class Streaming:
    """Gives its labels one by one, last design first, and does what it is told with one of them."""

    def __init__(self, oracle: Any, at: int, mood: str) -> None:
        self.oracle, self.at, self.mood, self.given = oracle, at, mood, 0

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        raise AssertionError("it is read as it streams")

    def answers(self, designs: Sequence[Design]) -> Iterator[tuple[int, Label]]:
        for position in reversed(range(len(designs))):
            self.given += 1
            if self.given == self.at and self.mood == "raise":
                raise ConnectionError("the instrument does not answer")
            if self.given == self.at and self.mood == "leave":
                continue
            yield position, self.oracle([designs[position]])[0]


def test_a_streaming_oracle_is_told_label_by_label(tmp_path: Path, tiny: Tiny, oracle: Any, story: Story) -> None:
    with Campaign.open(tmp_path / "whole", tiny()) as campaign:
        run(campaign, oracle)
        expected = story(campaign)
    for mood, error in (("raise", ConnectionError), ("leave", ValueError)):
        oracle.asked.clear()
        with Campaign.open(tmp_path / mood, tiny()) as campaign:
            with pytest.raises(error):
                run(campaign, Streaming(oracle, 7, mood))
            assert len(campaign.state.labels) == (6 if mood == "raise" else 7), "what it answered is kept"
            run(campaign, Streaming(oracle, 0, ""))
            assert story(campaign) == expected
        assert len(oracle.asked) == len(set(oracle.asked)) == 12, "nothing was measured twice"


def test_what_is_to_be_repeated_is_repeated_once(tmp_path: Path, tiny: Tiny, oracle: Any) -> None:
    broken: list[Design] = []

    def moody(designs: Sequence[Design]) -> list[Label]:
        for design in designs:
            if design not in broken and len(set(broken)) < 2:
                broken.append(design)
        known = [broken[0], *broken[1:2]]
        labels: list[Label] = oracle(designs)
        seen = [oracle.asked.count(design) for design in designs]
        return [
            Label.failed("bubble", retry=True) if design == known[0] or (design == known[-1] and count == 1) else label
            for design, label, count in zip(designs, labels, seen, strict=True)
        ]

    with Campaign.open(tmp_path, tiny()) as campaign:
        reports = run(campaign, moody)
        assert len(reports) == 3
        assert [oracle.asked.count(design) for design in broken] == [2, 2]
        stages = [campaign.state.stage(query.id) for query in campaign.state.queries.values()]
        assert stages.count(State.FAILED_FOR_GOOD) == 1
        assert stages.count(State.FAILED) == 0
        assert campaign.state.charged == campaign.state.answered == len(stages) - 1
