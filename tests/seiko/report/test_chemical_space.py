from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seiko.chemistry import morgan_counts
from seiko.report.chemical_space import HISTOGRAMS, draw_histograms, draw_map, embed

CHAINS = ["C" * n for n in range(1, 13)]
RINGS = ["c1ccccc1" + "C" * n for n in range(13)]


def test_the_map_is_the_first_two_components() -> None:
    places, names = embed(CHAINS + RINGS)
    counts = morgan_counts(CHAINS + RINGS).double().log1p()
    centred = counts - counts.mean(0)
    _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
    wanted = (centred @ axes[:2].T).numpy()
    np.testing.assert_allclose(np.abs(places), np.abs(wanted), atol=1e-3)
    share = 100 * float(singular[0] ** 2 / singular.square().sum())
    assert names[0] == f"component 1, {share:.0f} % of the variance"
    # chains and rings lie apart
    assert places[: len(CHAINS), 0].max() < places[len(CHAINS) :, 0].min()
    for some in (CHAINS, RINGS, CHAINS[:5] + RINGS[3:], CHAINS[6:] + RINGS[:4]):
        places, _ = embed(some)
        assert (places.max(axis=0) >= -places.min(axis=0)).all()  # the same side every time


def test_the_map_of_one_molecule_many_times_is_a_point() -> None:
    places, names = embed(["CCO"] * 4)
    assert np.abs(places).max() == 0.0
    assert "0 %" in names[0]


def test_umap_draws_the_map_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class UMAP:
        def __init__(self, **options: Any) -> None:
            seen.update(options)

        def fit_transform(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
            return x[:, :2].astype(np.float32)

    module: Any = ModuleType("umap")
    module.UMAP = UMAP
    monkeypatch.setitem(sys.modules, "umap", module)
    places, names = embed([*CHAINS, *RINGS] * 2)
    assert places.shape == (50, 2)
    assert names == ("UMAP, first", "UMAP, second")
    assert seen["random_state"] == 0
    assert embed(CHAINS)[1][0].startswith("component 1")


def test_every_molecule_is_on_the_map() -> None:
    axes = Figure().subplots()
    draw_map(axes, CHAINS[:5], [("CCO", 0.1), ("CCCCCN", 0.9), ("Sc1ccccc1", 0.5)], RINGS[:4], "QED")
    before, after = axes.lines
    assert (len(before.get_xdata()), len(after.get_xdata())) == (5, 4)
    [labelled] = axes.collections
    assert len(labelled.get_offsets()) == 3
    # the best molecule is drawn last, on top of the others, and in another colour
    places, _ = embed([*CHAINS[:5], "CCO", "CCCCCN", "Sc1ccccc1", *RINGS[:4]])
    np.testing.assert_allclose(labelled.get_offsets()[-1], places[6])
    assert len({tuple(colour) for colour in labelled.get_facecolors()}) == 3
    bar = next(other for other in axes.figure.axes if other is not axes)
    assert bar.get_ylabel() == "QED"


@pytest.mark.filterwarnings("error")
def test_one_value_and_no_label_can_be_drawn() -> None:
    draw_map(Figure().subplots(), CHAINS[:2], [("CCO", 0.5), ("CCN", 0.5)], [], "QED")
    draw_map(Figure().subplots(), CHAINS[:3], [], RINGS[:2], "QED")


def test_histograms_are_shares_on_common_bins() -> None:
    figure = Figure()
    draw_histograms(figure, CHAINS, RINGS)
    assert [axes.get_xlabel() for axes in figure.axes] == list(HISTOGRAMS.values())
    for axes in figure.axes:
        before, after = (patch.get_data() for patch in axes.patches)
        assert before.values.sum() == pytest.approx(1.0)
        assert after.values.sum() == pytest.approx(1.0)
        np.testing.assert_array_equal(before.edges, after.edges)
    weights: SimpleNamespace = figure.axes[3].patches[0].get_data()
    assert weights.edges[0] == pytest.approx(16.04, abs=0.01)  # methane
