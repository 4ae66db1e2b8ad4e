"""A campaign with several objectives: labels are completed, each property is fitted, the front is pushed out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("botorch")

from seiko.campaign import Campaign, Objectives, Property, Recipe, run
from seiko.campaign.hypervolume import ExpectedHypervolume
from seiko.designs import Design
from seiko.oracles import Label, Measured
from seiko.rewards.several import Several

Tiny = Callable[..., Recipe]


class Share:
    """Answers with the share of a letter."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        return [Label(value=design.content.count(self.letter) / len(design.content)) for design in designs]


BOTH = Measured(oracles=(Share("A"), Share("C")), names=("a", "c"))
WEIGHTED = Objectives(properties=(Property(name="a", weight=2.0), Property(name="c", goal="min")))
PARETO = Objectives(
    properties=(Property(name="a", reference=-0.1, unit=0.2), Property(name="c", reference=-0.1, unit=0.2)),
    combine="pareto",
)


@pytest.mark.parametrize("objectives", [WEIGHTED, PARETO], ids=["weighted", "pareto"])
def test_a_whole_run(tmp_path: Path, tiny: Tiny, objectives: Objectives) -> None:
    with Campaign.open(tmp_path / "run", tiny(objectives=objectives)) as campaign:
        run(campaign, BOTH)
        belief = campaign.belief()
        assert isinstance(belief, Several)
        state = campaign.state
        for query, label in state.values():
            assert dict(label.values)["a"] == query.design.content.count("A") / 6
            assert label.value == pytest.approx(objectives.overall(dict(label.values)))
        last = state.reports[-1]
        assert last.best == pytest.approx(max(label.value or 0.0 for _, label in state.values()))
        assert last.alpha is not None
        assert all(query.mean is not None for query in state.asked(2))
    with Campaign.open(tmp_path / "run") as again:
        assert again.recipe.objectives == objectives
        assert [label.values for label in again.state.labels.values()] == [
            label.values for label in state.labels.values()
        ]


def test_a_front_is_pushed_by_the_batch_and_scalarised_for_the_update(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(objectives=PARETO)) as campaign:
        queries = campaign.ask()
        campaign.tell({q.id: label for q, label in zip(queries, BOTH([q.design for q in queries]), strict=True)})
        campaign.advance()
        history = campaign._history
        belief = history.belief(1)
        assert isinstance(history.push(1, belief), ExpectedHypervolume)
        assert not isinstance(history.objective(1), ExpectedHypervolume)
        asked = campaign.ask()
    with Campaign.open(tmp_path / "run") as again:
        assert again.ask() == asked


def test_a_label_without_a_property_is_refused_and_nothing_taken(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(objectives=WEIGHTED)) as campaign:
        first, second, *_ = campaign.ask()
        whole, part = Label(values=(("a", 0.5), ("c", 0.5))), Label(values=(("a", 0.5),))
        with pytest.raises(ValueError, match=f"'{second.id}' has no c"):
            campaign.tell({first.id: whole, second.id: part})
        with pytest.raises(ValueError, match="has no a"):
            campaign.tell({first.id: 0.5})
        assert campaign.state.labels == {}
        assert campaign.tell({first.id: whole, second.id: None}) == 2
        assert campaign.tell({first.id: whole}) == 0
        replicates = [Label(values=(("a", 0.5), ("c", 0.5))), Label(values=(("a", 0.7), ("c", 0.1)))]
        third = campaign.ask()[0]
        campaign.tell({third.id: replicates})
        [(_, label)] = [pair for pair in campaign.state.values() if pair[0] == third]
        assert dict(label.values) == pytest.approx({"a": 0.6, "c": 0.3})


def test_measured_asks_each_part_once_and_passes_on_what_cannot_be_labelled() -> None:
    class Counting(Share):
        asked = 0

        def __call__(self, designs: Sequence[Design]) -> list[Label]:
            self.asked += 1
            return [
                Label.infeasible("no A") if "A" not in design.content else label
                for design, label in zip(designs, super().__call__(designs), strict=True)
            ]

    part = Counting("A")
    found = Measured(oracles=(part, Share("C")), names=("a", "c"))([Design("ACCC"), Design("CCCC")])
    assert part.asked == 1
    assert found[0] == Label(values=(("a", 0.25), ("c", 0.75)))
    assert found[1].status == "infeasible"
    with pytest.raises(ValueError, match="as many names, all different"):
        Measured(oracles=(part, part), names=("a", "a"))
