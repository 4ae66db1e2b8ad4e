"""What `PreferenceDPO` is given in a campaign: comparisons, else what labels rank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seiko.campaign import Campaign, Comparison, Recipe
from seiko.campaign.pairs import PER_LABEL, equipped
from seiko.updates import PPO, PreferenceDPO, PreferenceUpdate

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


def test_other_updates_stay_as_they_are(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(update=PPO())) as campaign:
        assert equipped(campaign._history, 1) is campaign.recipe
