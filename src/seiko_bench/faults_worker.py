"""What is killed, in a process of its own: reads lines, forks for each, so that a start costs milliseconds.

    run PLACE             the closed loop
    verbs PLACE           ask, tell part by part, advance, each with the ledger opened anew, as commands do
    crowd PLACE N OPS     N processes at once, OPS operations each: ask for more, tell, look

Each line printed is a fact that somebody relies on: ``told ID VALUE`` once `tell` has returned, ``asked ID`` once an
operation of the crowd was given a query, ``finished``.

    python -m seiko_bench.faults_worker MODEL LETTERS
"""

from __future__ import annotations

import os
import random
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

torch.set_num_threads(1)  # a fork keeps no threads

import seiko.campaign.ledger.postgres  # noqa: E402 - what is imported late is imported before the forks
import seiko.campaign.loop  # noqa: E402
from seiko.campaign import BudgetSpent, Campaign, run  # noqa: E402
from seiko.models import MaskedLMSource  # noqa: E402
from seiko_bench.tiny import answer, tiny  # noqa: E402

with suppress(ImportError):
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

__all__ = ["CROWD", "main"]

PART = 4
CROWD = {"budget": 1_000_000, "rounds": 1, "pool": 16, "look": 16, "update": None, "same": None}
"""Changes of the tiny recipe for the crowd: one round without an end, and little to draw."""


def say(line: str) -> None:
    """Print in one piece, with nothing left in a buffer."""
    os.write(1, f"{line}\n".encode())


class Loud(Campaign):
    """A campaign that says what it has promised."""

    def tell(self, labels: Mapping[str, Any], **changes: Any) -> int:
        """Tell, then say so."""
        new = super().tell(labels, **changes)
        for id, label in labels.items():
            say(f"told {id} {label.value!r}")
        return new


def closed(place: str, model: Path) -> None:
    """Run the loop to its end."""
    with Loud.open(place, tiny(model)) as campaign:
        run(campaign, answer)


def verbs(place: str, model: Path) -> None:
    """Do what a laboratory does, a command at a time."""
    done = False
    while not done:
        say("at ask")
        with Loud.open(place, tiny(model)) as campaign:
            queries = campaign.ask()
            done = campaign.done
        for start in range(0, len(queries), PART):
            say("at tell")
            part = queries[start : start + PART]
            with Loud.open(place) as campaign:
                campaign.tell(dict(zip([q.id for q in part], answer([q.design for q in part]), strict=True)))
        if not done:
            say("at advance")
            with Loud.open(place) as campaign:
                campaign.advance()


def crowd(place: str, model: Path, processes: int, operations: int) -> None:
    """Be many at once."""
    children = []
    for who in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                one_of_many(place, model, who, operations)
                say("whole")
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def one_of_many(place: str, model: Path, who: int, operations: int) -> None:
    """Ask for one design more, tell what waits, look; in random order."""
    choices = random.Random(who)
    with Campaign.open(place, tiny(model, **CROWD)) as campaign:
        for operation in range(operations):
            pending = campaign.state.pending()
            act = choices.random()
            if act < 0.2 or not pending:
                with suppress(BudgetSpent):
                    campaign.ask(campaign.state.batch_of(1)[0] + 1)
                say(f"asked {operation}")
            elif act < 0.8:
                query = choices.choice(pending)
                (label,) = answer([query.design])
                campaign.tell({query.id: label})
                say(f"told {query.id} {label.value!r}")
            else:
                state = campaign.state  # once: others may ask between two looks
                assert state.charged == len(state.queries)
                say(f"looked {operation}")


def main(model: Path) -> None:
    """Serve lines until there are no more."""
    seiko.campaign.loop.PART = PART
    MaskedLMSource(name=str(model)).load()  # warms what is imported late
    say("ready")
    for line in sys.stdin:
        what, place, *numbers = line.split()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                match what:
                    case "run":
                        closed(place, model)
                    case "verbs":
                        verbs(place, model)
                    case "crowd":
                        crowd(place, model, *map(int, numbers))
                say("finished")
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        say(f"started {child}")
        sys.stdin.readline()  # until it is waited for, a child that ended can still be signalled, and its id is its own
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
