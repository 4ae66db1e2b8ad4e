from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure

from seiko.report.style import DARK, LIGHT, draw_svg, replace_bytes


def draw(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "o-", color=LIGHT["blue"])
    axes.set_title("$a & <b> _1$")


def test_a_drawing_is_well_formed_themed_and_keeps_the_text() -> None:
    svg = draw_svg(draw, (4, 3), prefix="one", alt='A "line" & <more>')
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'A "line" & <more>'
    assert "$a & <b> _1$" in [node.text for node in root.iter("text")]
    assert "var(--blue)" in svg
    assert not [colour for colour in LIGHT.values() if colour in svg]
    assert "http" not in svg
    assert "font-family" not in svg


def test_ids_of_two_figures_do_not_collide_and_references_resolve() -> None:
    one, two = (draw_svg(draw, (4, 3), prefix=prefix, alt="") for prefix in ("one", "two"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r"(?:href=\"|url\()#([^\")]+)", one)) == ids[0]


def test_a_user_configuration_of_matplotlib_changes_nothing() -> None:
    plain = draw_svg(draw, (4, 3), prefix="one", alt="")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.hashsalt": None, "axes.facecolor": "red"}):
        assert draw_svg(draw, (4, 3), prefix="one", alt="") == plain
        assert matplotlib.rcParams["lines.linewidth"] == 9


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_has_the_contrast_of_wcag_aa(theme: dict[str, str]) -> None:
    for name in ("ink", "muted"):
        light, dark = sorted((_luminance(theme[name]), _luminance(theme["ground"])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_colours_are_distinct_and_both_themes_name_the_same() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_a_file_is_replaced_whole_or_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = replace_bytes(tmp_path / "new" / "page.html", b"first")
    assert path.read_bytes() == b"first"

    def full_disk(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("seiko.report.style.os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        replace_bytes(path, b"second")
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    assert path.read_bytes() == b"first"
