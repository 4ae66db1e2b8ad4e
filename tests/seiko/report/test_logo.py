from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from seiko.report.data import LogoData
from seiko.report.logo import draw_heat_map, draw_logo, draw_pair, information, is_logo, letter_colour, letter_heights

UNIFORM = (0.25, 0.25, 0.25, 0.25)
MIXED = (0.5, 0.25, 0.125, 0.125)


def test_information_is_the_closed_form() -> None:
    assert information([(1, 0, 0, 0), UNIFORM, (0.5, 0.5, 0, 0), MIXED]) == pytest.approx([2, 0, 1, 0.25])
    assert information([[0.05] * 20]) == pytest.approx([0], abs=1e-12)
    assert information([[1.0] + [0.0] * 31]) == pytest.approx([5])


def test_heights_are_shares_of_the_information() -> None:
    assert letter_heights([MIXED]) == pytest.approx(np.array(MIXED)[None] * 0.25)


def test_drawn_letters_have_these_heights_and_stack_with_the_most_frequent_on_top() -> None:
    axes = Figure().subplots()
    draw_logo(axes, [(0, 0, 1, 0), MIXED], "ACGT", "dna")
    boxes = [patch.get_path().get_extents() for patch in axes.patches if isinstance(patch, PathPatch)]
    fixed, *stack = boxes
    assert (fixed.y0, fixed.y1) == pytest.approx((0, 2))
    assert [box.height for box in stack] == pytest.approx([0.03125, 0.03125, 0.0625, 0.125])
    assert [box.y0 for box in stack] == pytest.approx([0, 0.03125, 0.0625, 0.125])
    assert all(1.5 < box.x0 < box.x1 < 2.5 for box in stack)
    assert axes.get_ylim()[1] == pytest.approx(2, rel=0.05)


def test_a_uniform_position_draws_no_letter_and_a_blank_letter_does_not_crash() -> None:
    axes = Figure().subplots()
    draw_logo(axes, [UNIFORM], "ACGT", "dna")
    draw_logo(axes, [(1.0, 0.0)], (" ", "A"), "tokens")
    assert not axes.patches


def test_an_i_stays_narrow() -> None:
    axes = Figure().subplots()
    draw_logo(axes, [(1.0, 0.0), (0.0, 1.0)], "IW", "protein")
    i, w = (patch.get_path().get_extents().width for patch in axes.patches)
    assert i < 0.5 < w < 1


def test_many_letters_or_positions_become_a_heat_map() -> None:
    few = LogoData(alphabet=tuple("ACGT"), before=(UNIFORM,), after=(UNIFORM,))
    assert is_logo(few)
    assert not is_logo(replace(few, before=(UNIFORM,) * 121))
    tokens = tuple(str(token) for token in range(32))
    assert not is_logo(LogoData(alphabet=tokens, before=((1 / 32,) * 32,), after=((1 / 32,) * 32,), kind="tokens"))


def test_the_heat_map_shades_by_share() -> None:
    axes = Figure().subplots()
    draw_heat_map(axes, [(1.0, 0.0, 0.0), (0.5, 0.5, 0.0)], ("a", "b", "c"))
    assert [(patch.get_alpha(), len(patch.get_path().vertices) // 5) for patch in axes.patches] == [(0.5, 2), (1.0, 1)]


@pytest.mark.parametrize(
    ("length", "narrow", "panels"), [(8, False, 2), (50, False, 2), (100, False, 4), (50, True, 6)]
)
def test_long_sequences_are_cut_into_rows_that_hold_every_position_once(length: int, narrow: bool, panels: int) -> None:
    logos = LogoData(alphabet=tuple("ACGT"), before=(MIXED,) * length, after=(MIXED,) * length)
    figure = Figure()
    draw_pair(figure, logos, narrow=narrow)
    assert len(figure.axes) == panels
    shown = sum(math.ceil(axes.get_xlim()[1] - axes.get_xlim()[0] - 0.5) for axes in figure.axes)
    assert shown == 2 * length


def test_colours_follow_the_kind() -> None:
    assert letter_colour("A", "dna", "ACGT") == "green"
    assert letter_colour("K", "protein", "KD") == "blue"
    assert letter_colour("X", "protein", "KDX") == "muted"
    assert letter_colour("7", "tokens", ("6", "7")) == "vermilion"
