"""`seiko tell RUN FILE` where the file holds comparisons: what was preferred to what."""

from __future__ import annotations

from seiko.campaign.comparison_file import parse_comparisons
from seiko.campaign.comparisons import check_comparisons
from seiko.cli.output import as_csv, as_json, deliver, say
from seiko.cli.runs import open_run, read_state

__all__ = ["tell_comparisons"]

_COLUMNS = ("winner", "loser", "rater", "choice", "tie")


def tell_comparisons(run: str, data: bytes, name: str, *, dry_run: bool) -> None:
    """Take the comparisons of a file: all of them, or none if one line is wrong."""
    state = read_state(run)
    comparisons = parse_comparisons(data, state, name)
    if dry_run:
        new = check_comparisons(state.comparisons, comparisons)
        deliver(as_csv(_COLUMNS, [comparison.row() for comparison in new]), None)
        known = len(comparisons) - len(new)
        say(f"{len(new)} comparisons would be taken, {known} are known already; nothing was taken")
        return
    with open_run(run) as campaign:
        taken = campaign.compare(comparisons)
        pending, used = len(campaign.state.pending()), campaign.learns_from_comparisons
        model = type(campaign.recipe.reward_model).__name__
    deliver(as_json({"taken": taken, "known": len(comparisons) - taken, "pending": pending}), None)
    say(f"{taken} comparisons taken, {len(comparisons) - taken} known already; {pending} designs wait for a label")
    if not used:
        say(f"the reward model of this run, {model}, does not learn from comparisons: they are kept, and not used")
