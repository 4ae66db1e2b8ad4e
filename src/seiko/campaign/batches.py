"""How many labels a round buys: equal parts of what is left, or the numbers that a recipe states."""

from __future__ import annotations

__all__ = ["batch_size", "check_batches", "doubling"]


def check_batches(batches: tuple[int, ...], budget: int, rounds: int) -> None:
    """Raise `ValueError` unless there is a batch of at least one label for each round, together the budget."""
    if len(batches) != rounds:
        raise ValueError(f"batches must have one number for each of {rounds} rounds, got {len(batches)}: {batches}")
    if min(batches) < 1:
        raise ValueError(f"every batch must have at least 1 label, got {batches}")
    if sum(batches) != budget:
        raise ValueError(f"batches must add up to the budget of {budget} labels, got {sum(batches)}: {batches}")


def batch_size(left: int, rounds: int, batches: tuple[int, ...] | None, finished: int) -> int:
    """Return the labels of the next batch.

    Args:
        left: Labels that the budget has left; larger batches than planned may have spent more than their share.
        rounds: Rounds in all.
        batches: Labels of each round; None for equal parts.
        finished: Rounds that are finished.
    """
    if batches is None or finished == rounds - 1:  # the last round buys what is left
        return -(-left // (rounds - finished))
    return min(left, batches[finished])


def doubling(budget: int, rounds: int) -> tuple[int, ...]:
    """Return batches that double from round to round, as in the paper: 15,360 in 4 is 1,024, 2,048, 4,096, 8,192.

    Raises:
        ValueError: If the first would have no label.
    """
    whole = 2**rounds - 1
    first = [budget * 2**i // whole for i in range(rounds - 1)]
    if budget < whole:
        raise ValueError(f"{rounds} rounds that double need a budget of at least {whole} labels, got {budget}")
    return (*first, budget - sum(first))
