"""What `PreferenceDPO` is given in a campaign (comparisons, else what labels rank), and `Replay` (the best)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seiko.campaign import Campaign, Comparison, Prompts, Recipe
from seiko.campaign.equipment import PER_LABEL, equipped
from seiko.updates import DPO, PPO, FixedStrength, KLBudget, PreferenceDPO, PreferenceUpdate, Replay, ReplayUpdate

Tiny = Callable[..., Recipe]


def test_comparisons_are_the_pairs_and_the_model_moves(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(update=PreferenceDPO())) as campaign:
        first, second, third, fourth = campaign.ask()
        campaign.compare(
            [
                Comparison(winner=first.id, loser=second.id),
                Comparison(winner=third.id, loser=second.id),
                Comparison(winner=first.id, loser=fourth.id, tie=True),
            ]
        )
        update = equipped(campaign._history, 1).update
        assert isinstance(update, PreferenceUpdate)
        assert [d.content for d in campaign.model.export(update.winners)] == [
            first.design.content,
            third.design.content,
        ]
        assert [d.content for d in campaign.model.export(update.losers)] == [second.design.content] * 2


def test_labels_rank_where_nobody_compared(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(update=PreferenceDPO())) as campaign:
        assert equipped(campaign._history, 1).update is None  # nothing to learn from yet
        queries = campaign.ask()
        campaign.tell({query.id: float(i) for i, query in enumerate(queries)})
        update = equipped(campaign._history, 1).update
        assert isinstance(update, PreferenceUpdate)
        value = {query.design.content: i for i, query in enumerate(queries)}
        pairs = zip(campaign.model.export(update.winners), campaign.model.export(update.losers), strict=True)
        assert all(value[winner.content] > value[loser.content] for winner, loser in pairs)
        assert 1 <= len(update.winners) <= PER_LABEL * len(queries)
        report = campaign.advance()
        assert report.alpha is not None
        assert report.kl_pretrained > 0


def test_a_pair_is_of_one_prompt_and_learnt_for_it(tmp_path: Path, pictures: Tiny) -> None:
    with Campaign.open(
        tmp_path / "run", pictures(update=PreferenceDPO(), prompts=Prompts(querying=("left", "right")))
    ) as campaign:
        queries = campaign.ask(12)
        campaign.tell({query.id: float(i) for i, query in enumerate(queries)})
        update = equipped(campaign._history, 1).update
        assert isinstance(update, PreferenceUpdate)
        assert update.conditioning is not None
        prompt = {query.design.content: query.design.prompt for query in queries}
        table = campaign.model.encode(["left", "right"])  # type: ignore[attr-defined]
        both = zip(campaign.model.export(update.winners), campaign.model.export(update.losers), strict=True)
        for (winner, loser), row in zip(both, update.conditioning, strict=True):
            assert prompt[winner.content] == prompt[loser.content] == ("left" if row.equal(table[0]) else "right")
        left, right = ([q for q in queries if q.design.prompt == name] for name in ("left", "right"))
        campaign.compare([Comparison(winner=left[0].id, loser=right[0].id)])
        again = equipped(campaign._history, 1).update  # what was compared was not drawn for the same
        assert isinstance(again, PreferenceUpdate)
        assert again.winners.equal(update.winners)
        campaign.compare([Comparison(winner=right[1].id, loser=right[0].id)])
        update = equipped(campaign._history, 1).update
        assert isinstance(update, PreferenceUpdate)
        assert len(update.winners) == 1
        assert campaign.advance().kl_pretrained > 0


def test_pairs_of_paths_are_drawn_for_one_prompt(tmp_path: Path, pictures: Tiny) -> None:
    recipe = pictures(
        update=DPO(), samples=2, prompts=Prompts(querying=("left", "right"))
    )  # alone, each of the two would often have no partner
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        campaign.tell({query.id: float(i) for i, query in enumerate(campaign.ask(12))})
        assert campaign.advance().kl_pretrained > 0


def test_other_updates_stay_as_they_are(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(update=PPO())) as campaign:
        assert equipped(campaign._history, 1) is campaign.recipe


def test_the_best_are_replayed(tmp_path: Path, tiny: Tiny) -> None:
    recipe = tiny(update=Replay(best=3, share=1.0, learning_rate=1e-2), strength=KLBudget(nats=0.5))
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        assert equipped(campaign._history, 1).update is None  # nothing to learn from yet
        queries = campaign.ask()
        campaign.tell({query.id: float(i) for i, query in enumerate(queries)})
        update = equipped(campaign._history, 1).update
        assert isinstance(update, ReplayUpdate)
        assert [d.content for d in campaign.model.export(update.x)] == [
            query.design.content for query in queries[:-4:-1]
        ]
        report = campaign.advance()
        assert 0 < report.kl_pretrained < 0.8  # of 0.5 nats, told from other draws


def test_of_each_prompt_the_best_are_replayed(tmp_path: Path, pictures: Tiny) -> None:
    recipe = pictures(update=Replay(best=4, share=1.0), prompts=Prompts(querying=("left", "right")))
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        queries = campaign.ask(12)
        campaign.tell({q.id: i + 100.0 * (q.design.prompt == "left") for i, q in enumerate(queries)})
        update = equipped(campaign._history, 1).update
        assert isinstance(update, ReplayUpdate)
        assert update.conditioning is not None
        table = campaign.model.encode(["left", "right"])  # type: ignore[attr-defined]
        best = {name: [q for q in queries if q.design.prompt == name][:-3:-1] for name in ("left", "right")}
        content = {q.design.content: q.design.prompt for of_prompt in best.values() for q in of_prompt}
        replayed = campaign.model.export(update.x)
        assert {d.content for d in replayed} == set(content)  # two of each, whatever the other has
        for design, row in zip(replayed, update.conditioning, strict=True):
            assert content[design.content] == ("left" if row.equal(table[0]) else "right")
        assert campaign.advance().kl_pretrained > 0


def test_replay_is_held_by_a_budget_alone(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match=r"Replay has no anchor but a KL budget, got strength Fixed.* KLBudget"):
        tiny(update=Replay(), strength=FixedStrength())
