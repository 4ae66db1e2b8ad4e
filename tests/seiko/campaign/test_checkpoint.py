"""A state from a checkpoint is the state that all events give, or there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from seiko.campaign import Campaign, Recipe, RunState, checkpoint, run
from seiko.campaign.checkpoint import MAKER, keep, kept, refresh, restored
from seiko.campaign.ledger import Checkpoint, Ledger, NewEvent
from seiko.campaign.verification import verify
from seiko.designs import Design
from seiko.oracles import Label

Oracle = Callable[[Sequence[Design]], list[Label]]


@pytest.fixture
def story(place: str, tiny: Callable[..., Recipe], oracle: Oracle) -> tuple[str, RunState]:
    """Return a finished run with infeasible and failed labels, and its state as all events give it."""
    with Campaign.open(place, tiny()) as campaign:
        first = campaign.ask()
        campaign.tell({first[0].id: None, first[1].id: Label.failed("spilt")})
        campaign.tell({query.id: 0.5 for query in first[2:]})
        campaign.tell({first[1].id: Label(value=0.25, noise=0.1)})
        campaign.advance()
        run(campaign, oracle)
        return place, campaign.state


def refreshed(place: str) -> RunState:
    state = RunState()
    with Ledger.open(place) as ledger:
        refresh(ledger, state)
    return state


def test_a_kept_state_comes_back_equal(story: tuple[str, RunState]) -> None:
    place, state = story
    assert restored(kept(state)) == state
    with Ledger.open(place) as ledger:
        assert ledger.checkpoint() is None, "a short run needs none"
        keep(ledger, state)
        assert verify(ledger).faults == []
    assert refreshed(place) == state


def test_events_after_the_checkpoint_are_folded(
    place: str, tiny: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY", 3)
    with Campaign.open(place, tiny()) as campaign:
        queries = campaign.ask()
        campaign.tell({queries[0].id: 0.1})
    refreshed(place)
    with Ledger.open(place) as ledger:
        found = ledger.checkpoint()
        assert found is not None
        assert (found.seq, found.maker) == (3, MAKER)
    with Campaign.open(place, tiny()) as campaign:
        campaign.tell({queries[1].id: 0.2})
        expected = campaign.state
        assert set(expected.labels) == {queries[0].id, queries[1].id}
    assert refreshed(place) == expected
    with Ledger.open(place) as ledger:
        found = ledger.checkpoint()
        assert found is not None
        assert found.seq == 3, "one event more is not worth another"


@pytest.mark.parametrize("change", [{"maker": "seiko 0.0.1"}, {"digest": "0" * 64}])
def test_another_past_or_maker_is_passed_over(story: tuple[str, RunState], change: dict[str, str]) -> None:
    place, state = story
    with Ledger.open(place) as ledger:
        values = {"digest": ledger.digest_of(3) or "", "maker": MAKER} | change
        ledger.keep_checkpoint(Checkpoint(seq=3, data=kept(RunState(last_seq=3)), **values))
    assert refreshed(place) == state


def test_a_wrong_checkpoint_is_a_fault(story: tuple[str, RunState]) -> None:
    place, _ = story
    with Ledger.open(place) as ledger:
        wrong = kept(RunState(last_seq=3))
        ledger.keep_checkpoint(Checkpoint(seq=3, digest=ledger.digest_of(3) or "", maker=MAKER, data=wrong))
        (fault,) = verify(ledger).faults
    assert fault.startswith("the checkpoint at event 3 is not what the events say")


def test_damage_before_the_checkpoint_is_not_used_and_verify_finds_it(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "run") as ledger:
        ledger.append([NewEvent("opened", {"recipe": {"type": "x"}}), NewEvent("told", {"labels": {}})], expected=0)
        state = RunState()
        refresh(ledger, state)
        keep(ledger, state)
    with closing(sqlite3.connect(tmp_path / "run" / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET payload = replace(payload, 'x', 'y') WHERE seq = 1")
    assert refreshed(str(tmp_path / "run")) == state
    with Ledger.open(tmp_path / "run") as ledger:
        assert any("event 1 is damaged" in fault for fault in verify(ledger).faults)
