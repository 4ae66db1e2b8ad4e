"""Krippendorff's alpha against published and closed forms, and raters beside each other."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.agreement import krippendorff_alpha, rater_summaries
from seiko.campaign.ratings import RatingBook

NOTHING = None
# Krippendorff (2011), example C: four observers, twelve units; its interval alpha is .849.
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NOTHING, NOTHING, NOTHING],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NOTHING, 3],
    [NOTHING, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NOTHING],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NOTHING],
]

Designs = st.lists(st.lists(st.integers(1, 5).map(float), min_size=0, max_size=4), min_size=0, max_size=12)


def by_definition(designs: list[list[float]]) -> float | None:
    """Sum over pairs, as it is defined."""
    paired = [scores for scores in designs if len(scores) > 1]
    values = [score for scores in paired for score in scores]
    n = len(values)
    expected = math.fsum((x - y) ** 2 for x, y in itertools.permutations(values, 2)) / (n * (n - 1)) if n else 0.0
    if expected == 0:
        return None
    observed = math.fsum(
        (x - y) ** 2 / (len(scores) - 1) for scores in paired for x, y in itertools.permutations(scores, 2)
    )
    return 1 - observed / n / expected


def test_the_published_example() -> None:
    designs = [[float(v) for v in column if v is not None] for column in zip(*PUBLISHED, strict=True)]
    assert krippendorff_alpha(designs) == pytest.approx(0.849, abs=5e-4)


@given(Designs)
def test_the_definition(designs: list[list[float]]) -> None:
    found, wanted = krippendorff_alpha(designs), by_definition(designs)
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        assert found == pytest.approx(wanted, abs=1e-9)
        assert found <= 1


@given(Designs, st.floats(0.1, 10), st.floats(-5, 5))
def test_the_unit_of_the_scale_does_not_matter(designs: list[list[float]], unit: float, zero: float) -> None:
    found = krippendorff_alpha(designs)
    other = krippendorff_alpha([[zero + unit * score for score in scores] for scores in designs])
    if found is not None:
        assert other == pytest.approx(found, abs=1e-6)


def test_closed_forms() -> None:
    assert krippendorff_alpha([[1.0, 1.0], [5.0, 5.0]]) == 1
    # two raters who always contradict: D_o = 16, D_e = 2 * 4 * 4 * 16 / (8 * 7) = 64 / 7
    assert krippendorff_alpha([[1.0, 5.0]] * 4) == pytest.approx(1 - 16 / (64 / 7))
    assert krippendorff_alpha([[3.0, 3.0], [3.0, 3.0]]) is None  # nothing could disagree
    assert krippendorff_alpha([[1.0], [5.0], []]) is None
    assert krippendorff_alpha([]) is None


def test_raters_beside_each_other() -> None:
    book = RatingBook()
    rows = [("q1", "ada", 5.0), ("q1", "bo", 3.0), ("q2", "ada", 4.0), ("q2", "bo", 3.0), ("q2", "cy", 2.0)]
    given_rows = [{"query": q, "rater": r, "score": s, "skipped": False} for q, r, s in rows]
    given_rows.append({"query": "q3", "rater": "bo", "score": None, "skipped": True})
    book.take(given_rows, [], dict.fromkeys(("q1", "q2", "q3")))
    ada, bo, cy = rater_summaries(book)
    assert (ada.rater, ada.scored, ada.skipped, ada.mean, ada.shared) == ("ada", 2, 0, 4.5, 2)
    assert ada.offset == pytest.approx(((5 - 3) + (4 - 2.5)) / 2)
    assert (bo.scored, bo.skipped) == (2, 1)
    assert (cy.spread, cy.offset) == (None, -1.5)
