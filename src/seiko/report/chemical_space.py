"""Where the molecules lie, and what they are like: a map of fingerprints and histograms of properties.

    map   the first two principal components of log(1 + c), c the Morgan counts of all molecules shown

The logarithm keeps the ten carbons of every aromatic ring from being all that the first component sees. Where the
optional umap-learn is installed it draws the map in place of PCA: neighbours are kept better, distances mean less.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from seiko.report.style import LIGHT

__all__ = ["HISTOGRAMS", "draw_histograms", "draw_map", "embed"]

Floats = NDArray[np.float64]

HISTOGRAMS = {"qed": "QED", "logp": "logP", "sa": "synthetic accessibility", "weight": "weight, g/mol"}
"""Properties that are drawn, with their words."""

UMAP_LEAST = 50
"""Molecules below which the map is PCA in any case: there are too few neighbours to learn from."""


def embed(smiles: Sequence[str]) -> tuple[Floats, tuple[str, str]]:
    """Return places `[n, 2]` on the map and the names of its axes; the same molecules give the same map.

    Args:
        smiles: At least three valid molecules.
    """
    from seiko.chemistry import morgan_counts

    counts = morgan_counts(smiles).to(torch.float64).log1p()
    if len(smiles) >= UMAP_LEAST:
        try:
            umap = importlib.import_module("umap")
        except ImportError:
            pass
        else:
            places = umap.UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(counts.numpy())
            return np.asarray(places, dtype=np.float64), ("UMAP, first", "UMAP, second")
    centred = counts - counts.mean(dim=0)
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    values = values.clamp_min(0.0).flip(0)
    places = vectors.flip(1)[:, :2] * values[:2].sqrt()
    # An eigenvector's sign is arbitrary: the molecule farthest out lies on the positive side.
    signs = places.gather(0, places.abs().argmax(dim=0, keepdim=True)).sign()
    shares = (100 * values[:2] / values.sum().clamp_min(1e-12)).tolist()
    names = [f"component {i}, {share:.0f} % of the variance" for i, share in enumerate(shares, start=1)]
    return (places * signs).numpy().round(4), (names[0], names[1])


def draw_map(
    axes: Axes, before: Sequence[str], labelled: Sequence[tuple[str, float]], after: Sequence[str], value_name: str
) -> None:
    """Plot samples of the pretrained model, labelled molecules coloured by value, and samples of the current model.

    Args:
        axes: Empty axes.
        before: Valid SMILES.
        labelled: Valid SMILES with their values.
        after: Valid SMILES.
        value_name: Name of the value.
    """
    texts = [*before, *(text for text, _ in labelled), *after]
    places, names = embed(texts)
    first, last = len(before), len(texts) - len(after)
    axes.plot(*places[:first].T, "o", ms=3.4, mew=0, color=LIGHT["muted"], alpha=0.5, zorder=2)
    if labelled:
        values = np.array([value for _, value in labelled])
        edges = np.unique(MaxNLocator(7).tick_values(values.min(), values.max()))
        # The ends of the map would vanish on one of the page's two grounds.
        colours = ListedColormap(colormaps["plasma"](np.linspace(0.3, 0.88, len(edges) - 1)))
        scale = ScalarMappable(BoundaryNorm(edges, len(edges) - 1), colours)
        order = np.argsort(values, kind="stable")
        x, y = places[first:last][order].T
        axes.scatter(x, y, s=13, lw=0, c=scale.to_rgba(values[order]), zorder=3)
        bar = axes.figure.colorbar(scale, ax=axes, fraction=0.045, pad=0.02)
        bar.set_label(value_name)
        bar.outline.set_visible(False)
    axes.plot(*places[last:].T, "o", ms=4.6, mew=0.9, mec=LIGHT["ink"], mfc="none", alpha=0.8, zorder=4)
    handles = [Line2D([], [], ls="", marker="o", ms=4, mew=0, color=LIGHT["muted"], label="pretrained model")]
    if labelled:
        handles.append(Line2D([], [], ls="", marker="o", ms=4, mew=0, color=LIGHT["purple"], label="labelled"))
    handles.append(
        Line2D([], [], ls="", marker="o", ms=4.6, mew=0.9, mec=LIGHT["ink"], mfc="none", label="current model")
    )
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=3, handletextpad=0.2)
    axes.set(xlabel=names[0], ylabel=names[1], xticks=[], yticks=[])


def draw_histograms(figure: Figure, before: Sequence[str], after: Sequence[str]) -> None:
    """Plot the properties of valid samples before and after tuning, shares of samples on common bins."""
    from seiko.chemistry import properties

    handles: list[StepPatch] = []
    tables = [properties(texts, tuple(HISTOGRAMS)).to(torch.float64).numpy() for texts in (before, after)]
    for column, (axes, words) in enumerate(zip(figure.subplots(2, 2).flat, HISTOGRAMS.values(), strict=True)):
        x, y = tables[0][:, column], tables[1][:, column]
        edges = np.histogram_bin_edges(np.concatenate([x, y]), bins=20)
        shares = [np.histogram(values, edges)[0] / max(1, len(values)) for values in (x, y)]
        handles = [
            axes.stairs(shares[0], edges, fill=True, color=LIGHT["muted"], alpha=0.35, lw=0),
            axes.stairs(shares[1], edges, color=LIGHT["blue"], lw=1.5),
        ]
        axes.set_xlabel(words)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.xaxis.set_major_locator(MaxNLocator(4))
    figure.legend(handles, ["pretrained model", "current model"], loc="outside upper left", ncols=2)
