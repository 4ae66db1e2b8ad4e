"""Fronts and hypervolumes that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("botorch")

from seiko.metrics.pareto import hypervolume, hypervolume_curve, pareto_front

STAIRS = torch.tensor([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [1.0, 1.0], [2.0, 1.5]])


def test_the_front_is_what_nothing_dominates() -> None:
    assert pareto_front(STAIRS).tolist() == [True, True, True, False, False]
    assert pareto_front(torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])).tolist() == [True, True, False]
    assert pareto_front(torch.zeros(0, 2)).tolist() == []


def test_a_staircase() -> None:
    # three columns one wide, 3 + 2 + 1 high
    assert hypervolume(STAIRS, torch.zeros(2)) == pytest.approx(6.0)
    assert hypervolume(STAIRS[:1], torch.zeros(2)) == pytest.approx(3.0)
    assert hypervolume(STAIRS, torch.tensor([0.0, 1.0])) == pytest.approx(3.0)  # (3, 1) is not above it
    assert hypervolume(STAIRS, torch.tensor([5.0, 0.0])) == 0.0


def test_two_boxes_in_three_dimensions() -> None:
    boxes = torch.tensor([[2.0, 2.0, 1.0], [1.0, 1.0, 3.0]])
    assert hypervolume(boxes, torch.zeros(3)) == pytest.approx(4.0 + 3.0 - 1.0)


def test_a_sphere_s_octant_of_many_points() -> None:
    angle = torch.linspace(0, torch.pi / 2, 400)
    quarter = torch.stack([angle.cos(), angle.sin()], dim=1)
    assert hypervolume(quarter, torch.zeros(2)) == pytest.approx(torch.pi / 4, abs=0.005)


def test_the_curve_grows_to_the_whole() -> None:
    curve = hypervolume_curve(STAIRS, torch.zeros(2))
    assert [count for count, _ in curve] == [1, 2, 3, 4, 5]
    assert [volume for _, volume in curve] == pytest.approx([3.0, 5.0, 6.0, 6.0, 6.0])
    assert len(hypervolume_curve(torch.rand(1000, 2), torch.zeros(2), points=10)) == 10
    assert hypervolume_curve(torch.zeros(0, 2), torch.zeros(2)) == []


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        hypervolume(torch.tensor([[float("nan"), 1.0]]), torch.zeros(2))
    with pytest.raises(ValueError, match="the reference needs 2 numbers"):
        hypervolume(STAIRS, torch.zeros(3))
