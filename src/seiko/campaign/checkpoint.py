"""Open a long run without folding its whole past: the state after some event is kept beside the events.

    state_n = restored(checkpoint of m) then events m+1 .. n,      m <= n

Its queries and labels are columns (`seiko.campaign.register`), of which opening makes no object.

A checkpoint names the digest of event m, and whoever made it had read and verified all events up to m. It is passed
over if it is damaged, if that digest is not event m's, or if this version of the library folds into another shape; then
all events are folded, and the next checkpoint is kept. `seiko ledger verify` reads everything again.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from seiko import __version__
from seiko.campaign.artifacts import LedgerError
from seiko.campaign.columns import column, pack, shape
from seiko.campaign.ledger import Checkpoint, Ledger
from seiko.campaign.register import Register
from seiko.campaign.state import Query, RunState, fold
from seiko.campaign.vectors import Reader, Writer

__all__ = ["EVERY", "MAKER", "keep", "kept", "refresh", "restored"]

EVERY = 20_000
"""Events that are worth a checkpoint; fewer are folded in less time than it takes to notice."""

SHARE = 20
"""A checkpoint is as long as the past: the next is kept when the past has grown by one part in so many."""

FORMAT = 2
"""Of a checkpoint's bytes; raised when they are written otherwise."""

MAKER = f"seiko {__version__} {FORMAT} {hashlib.sha256(shape(RunState).encode()).hexdigest()[:16]}"


def refresh(ledger: Ledger, state: RunState) -> None:
    """Take a state up to the last event, from the checkpoint if it is new; keep another if that took long."""
    with _no_collection():
        first, covered = state.last_seq == 0, 0
        if first and (found := ledger.checkpoint()) is not None and found.maker == MAKER:
            vars(state).update(vars(restored(found.data)))
            covered = state.last_seq
            state.recount()  # now, while no collection disturbs it
        for event in ledger.read(after=state.last_seq):
            fold(state, event)
        if first and state.last_seq - covered >= max(EVERY, covered // SHARE):
            with suppress(LedgerError):  # a full disk or a reader without rights: it is only a convenience
                keep(ledger, state)


def keep(ledger: Ledger, state: RunState) -> None:
    """Keep a state as the ledger's checkpoint."""
    digest = ledger.digest_of(state.last_seq)
    if digest is not None:
        ledger.keep_checkpoint(Checkpoint(seq=state.last_seq, digest=digest, maker=MAKER, data=kept(state)))


def kept(state: RunState) -> bytes:
    """Return a state as bytes."""
    writer = Writer()
    rest = replace(state, queries={}, labels={}, labelled_at={})
    return writer.sealed({"register": Register.packed(state, Query, writer), "rest": pack([rest], RunState, writer)})


def restored(data: bytes) -> RunState:
    """Return the state that `kept` was given; its queries and labels stay in the bytes until they are looked up."""
    reader = Reader(data)
    (state,) = column(reader.tree["rest"], RunState, reader).take()
    assert isinstance(state, RunState)
    state.register = Register.read(reader.tree["register"], Query, reader)
    state.queries, state.labels, state.labelled_at = state.register.shelves()
    state.__post_init__()
    return state


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stop the search for cycles while many objects are made that have none: it would take most of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
