from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seiko.chemistry import FragmentAlphabet, to_symbols
from seiko.designs import Design
from seiko.models import Alphabet
from seiko.models.alphabet import Fragmented, Letters, alphabet_of


@given(st.lists(st.lists(st.integers(0, 19), min_size=4, max_size=4), max_size=5))
def test_what_is_written_is_read_back(rows: list[list[int]]) -> None:
    tokens = torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)
    for alphabet in (Alphabet.protein(), Alphabet.numbers(20)):
        assert torch.equal(alphabet.read(alphabet.write(tokens), 4), tokens)


def test_the_three_alphabets() -> None:
    x = torch.tensor([[0, 3]])
    assert Alphabet.dna().write(x) == [Design(content="AT", kind="dna")]
    assert Alphabet.protein().write(x) == [Design(content="AE", kind="protein")]
    assert Alphabet.numbers(12).write(torch.tensor([[0, 11]])) == [Design(content="0 11", kind="tokens")]
    assert [len(alphabet) for alphabet in (Alphabet.dna(), Alphabet.protein(), Alphabet.numbers(12))] == [4, 20, 12]


def test_a_design_that_does_not_fit_is_named() -> None:
    dna = Alphabet.dna()
    with pytest.raises(ValueError, match="'ACX' has the letter 'X'"):
        dna.read([Design(content="ACX")])
    with pytest.raises(ValueError, match="'AC' is of kind 'protein'"):
        dna.read([Design(content="AC", kind="protein")])
    with pytest.raises(ValueError, match="'AC' has 2 letters, this model's have 3"):
        dna.read([Design(content="AC")], 3)


def test_nothing_is_read_as_no_rows() -> None:
    assert Alphabet.dna().read([], 8).shape == (0, 8)


@pytest.mark.parametrize(
    ("letters", "separator", "message"),
    [
        (("A",), "", "at least two different names"),
        (("A", "A"), "", "at least two different names"),
        (("[C]", "[O]"), "", "need a separator"),
        (("a b", "c"), " ", "hold the separator|contain the separator"),
        (("", "c"), " ", "may be empty"),
    ],
)
def test_letters_that_cannot_be_told_apart_are_refused(letters: tuple[str, ...], separator: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Alphabet(letters=letters, kind="tokens", separator=separator)


def test_letters_are_read_from_json_whatever_their_kind() -> None:
    fragments = FragmentAlphabet.learn([to_symbols("CCO", "selfies"), to_symbols("CCN", "selfies")], 5, "selfies")
    for alphabet in (Alphabet.dna(), Alphabet.numbers(12), fragments):
        again = alphabet_of(json.loads(json.dumps(dataclasses.asdict(alphabet))))
        assert again == alphabet
        assert isinstance(again, Letters)
    assert isinstance(fragments, Fragmented)
    assert not isinstance(Alphabet.dna(), Fragmented)


def test_the_distance_of_sequences_is_hamming_s() -> None:
    x = torch.tensor([[0, 1, 2], [3, 3, 3]])
    assert Alphabet.dna().distance(x, x[:1]).tolist() == [[0], [3]]
