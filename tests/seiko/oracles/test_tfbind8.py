"""TF Bind 8: the table's known facts, the contract of an oracle, noise that belongs to the design."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest

from seiko.data import DataUnavailable, fetch
from seiko.designs import Design
from seiko.oracles import Oracle, TFBind8


@pytest.fixture(autouse=True)
def _table() -> None:
    try:
        fetch("tfbind8")
    except DataUnavailable as error:
        pytest.skip(str(error))


def test_table_has_the_published_statistics() -> None:
    table = TFBind8().table
    assert table.dtype == np.float32
    assert table.shape == (65_536,)
    assert table.min() == 0.0
    assert TFBind8().optimum == 1.0
    assert table.mean() == pytest.approx(0.4638, abs=5e-5)
    assert np.median(table) == pytest.approx(0.4393, abs=5e-5)
    assert int((table >= 0.9).sum()) == 934


def test_table_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TFBind8().table[0] = 2.0


def test_optimum_is_one_pair_of_strands() -> None:
    labels = TFBind8()([Design("AGGTATCA"), Design("TGATACCT")])
    assert [label.value for label in labels] == [1.0, 1.0]


def test_labels_follow_the_table_in_order() -> None:
    oracle = TFBind8()
    assert isinstance(oracle, Oracle)
    words = ["".join(letters) for letters in product("ACGT", repeat=8)][::997]
    values = [label.value for label in oracle([Design(word) for word in words])]
    np.testing.assert_array_equal(values, oracle.table[::997].astype(float))


def test_both_strands_have_the_same_label() -> None:
    complement = str.maketrans("ACGT", "TGCA")
    for word in ("ACCGTTAG", "AAAAAAAC", "GTCATCAA"):
        one, other = TFBind8()([Design(word), Design(word[::-1].translate(complement))])
        assert one.value == other.value


def test_noise_belongs_to_the_design() -> None:
    oracle = TFBind8(noise=0.1, seed=5)
    designs = [Design("ACGTACGT"), Design("TTTTTTTT"), Design("ACGTACGA")]
    labels = oracle(designs)
    assert oracle(designs[::-1]) == labels[::-1]
    assert oracle(designs[1:2]) == labels[1:2]
    assert all(label.noise == 0.1 for label in labels)
    assert TFBind8(noise=0.1, seed=6)(designs) != labels
    assert TFBind8()(designs)[0].noise is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ACGT", "8 letters is needed, got 4"),
        ("", "got 0"),
        ("ACGTACGTA", "got 9"),
        ("ACGTNCGT", "letter 'N' at position 4"),
        ("acgtacgt", "letter 'a' at position 0"),
    ],
)
def test_what_is_no_8mer_is_infeasible(content: str, reason: str) -> None:
    (label,) = TFBind8()([Design(content)])
    assert label.status == "infeasible"
    assert reason in (label.reason or "")


def test_refuses_another_kind_and_bad_noise() -> None:
    with pytest.raises(ValueError, match="designs of kind 'dna', got 'protein'"):
        TFBind8()([Design("ACGTACGT", "protein")])
    with pytest.raises(ValueError, match=r"noise must be .* got -1"):
        TFBind8(noise=-1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        TFBind8().noise = 1.0  # type: ignore[misc]
