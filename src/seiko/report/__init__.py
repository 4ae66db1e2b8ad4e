"""A run on one page: what was measured, how far the model moved, and whether its predictions can be trusted.

Read it downwards: `data` (the record), `summary` (numbers derived from it), `style`, `logo` and `figures` (drawings),
`depiction`, `chemical_space` and `molecule*` (runs on molecules, which alone ask for RDKit), `images`, `thumbnails` and
`nearest` (runs on images, which alone ask for Pillow), `page` (the HTML file).
"""

from __future__ import annotations

from seiko.report.data import CalibrationRow, DesignRow, LogoData, MoleculeData, ReportData, RoundRow
from seiko.report.figures import overview_png
from seiko.report.image_data import ImageData, NaturalnessRow, PairRow, PromptRow
from seiko.report.page import render, write

__all__ = [
    "CalibrationRow",
    "DesignRow",
    "ImageData",
    "LogoData",
    "MoleculeData",
    "NaturalnessRow",
    "PairRow",
    "PromptRow",
    "ReportData",
    "RoundRow",
    "overview_png",
    "render",
    "write",
]
