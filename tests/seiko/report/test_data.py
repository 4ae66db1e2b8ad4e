from __future__ import annotations

import math

import pytest

from seiko.report.data import DesignRow, LogoData, letter_frequencies


def row(**changes: object) -> DesignRow:
    fields = {"round": 1, "query_id": "q", "content": "A", "kind": "dna", "source": "fresh", "status": "pending"}
    return DesignRow(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_label_is_present_exactly_when_its_status_says_so() -> None:
    assert row(status="value", value=0.5).value == 0.5
    assert row().value is None
    with pytest.raises(ValueError, match="needs a finite number, got None"):
        row(status="value")
    with pytest.raises(ValueError, match="needs a finite number, got nan"):
        row(status="value", value=math.nan)
    with pytest.raises(ValueError, match=r"'infeasible' has no value, got 0\.5"):
        row(status="infeasible", value=0.5)
    # The type checker that the tests run under refuses it before the class can.
    with pytest.raises((ValueError, TypeError), match="late"):
        row(status="late")


def test_letters_are_counted_by_position() -> None:
    assert letter_frequencies(["AC", "AG", "AC", "TC"], "ACGT") == ((0.75, 0, 0, 0.25), (0, 0.75, 0.25, 0))
    assert letter_frequencies([["10", "2"]], ["2", "10"]) == ((0, 1), (1, 0))


def test_letters_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        letter_frequencies([], "ACGT")
    with pytest.raises(ValueError, match="one length, got 2 and 3"):
        letter_frequencies(["AC", "ACG"], "ACGT")
    with pytest.raises(ValueError, match="letter 'N' is not in the alphabet"):
        letter_frequencies(["AN"], "ACGT")


@pytest.mark.parametrize(("matrix", "message"), [
    (((0.5, 0.4),), "before, position 1: frequencies must be >= 0 and sum to 1"),
    (((0.5, 0.5), (1.5, -0.5)), "before, position 2: frequencies"),
    (((1.0,),), "2 letters, 1 numbers"),
    (((math.nan, 1.0),), "frequencies"),
])  # fmt: skip
def test_frequencies_must_be_frequencies(matrix: tuple[tuple[float, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogoData(alphabet=("A", "B"), before=matrix, after=((0.5, 0.5),))
