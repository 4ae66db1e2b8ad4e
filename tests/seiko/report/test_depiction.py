from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from seiko.report.depiction import depict, paint
from seiko.report.style import LIGHT

DRUG = "C[C@H](N)c1ccc(S(=O)(=O)N2CCOC[C@@H]2C)c(Cl)c1F"


def test_a_drawing_is_small_themed_and_the_same_every_time() -> None:
    svg = depict(DRUG)
    assert svg == depict(DRUG)
    assert len(svg) < 8000
    assert svg.count("<svg ") == svg.count("</svg>") == 1
    HTMLParser().feed(svg)
    used = set(re.findall(r"var\(--(\w+)\)", svg))
    assert used == {"ink", "blue", "vermilion", "green", "orange"}  # carbon, nitrogen, oxygen, halogens, sulphur
    assert used <= set(LIGHT)
    assert not re.findall(r"#[0-9a-f]{6}|https?:|class=|<!--|rdkit", svg, re.IGNORECASE)


def test_every_bond_is_drawn() -> None:
    [ethane] = re.findall(r' d="([^"]*)"', depict("CC"))
    assert ethane.count("M") == 1
    benzene, *_corners = re.findall(r' d="([^"]*)"', depict("c1ccccc1"))
    assert benzene.count("M") == 9  # three of the six bonds are double


def test_small_molecules_are_not_blown_up() -> None:
    [(left, right)] = re.findall(r' d="M ([\d.]+),[\d.]+ L ([\d.]+),', depict("CC"))
    assert float(right) - float(left) == pytest.approx(30, abs=1)


def test_the_label_is_escaped_and_nonsense_refused() -> None:
    assert 'aria-label="Structure of C/C=C/C"' in depict("C/C=C/C")
    assert "&gt;" in depict("N->[Fe]")
    with pytest.raises(ValueError, match=r"only a molecule can be drawn, got '<b>'"):
        depict("<b>")


def test_pixels_have_the_size_asked_for_on_clear_ground() -> None:
    pixels = paint(DRUG, size=(100, 60), scale=3)
    assert pixels.shape == (180, 300, 4)
    assert (paint(DRUG, size=(100, 60), scale=3) == pixels).all()
    inked = pixels[..., 3] > 0
    assert 0.01 < inked.mean() < 0.3
    colours = {tuple((colour * 255).round().astype(int)) for colour in pixels[pixels[..., 3] == 1][:, :3]}
    assert len(colours) >= 3  # carbon, and the colours of other elements
    with pytest.raises(ValueError, match="only a molecule can be drawn"):
        paint("no molecule")
