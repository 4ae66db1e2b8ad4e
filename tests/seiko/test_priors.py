"""A name finds its prior, and nothing outside of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from seiko import priors
from seiko.priors import SIDE_FILE, prior_folder, shipped


def test_a_shipped_prior_is_found_by_name() -> None:
    folder = Path(priors.__file__).parent / "tfbind8"
    assert shipped("seiko:tfbind8") == prior_folder("seiko:tfbind8") == folder


def test_a_shipped_prior_may_be_in_the_format_of_diffusers() -> None:
    folder = Path(priors.__file__).parent / "mnist"
    assert shipped("seiko:mnist") == prior_folder("seiko:mnist") == folder
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 6_000_000


@pytest.mark.parametrize("name", ["tfbind8", "facebook/esm2_t6_8M_UR50D", "/somewhere", "", "SEIKO:tfbind8"])
def test_other_names_are_not_shipped(name: str) -> None:
    assert shipped(name) is None


@pytest.mark.parametrize("name", ["absent", "", "..", "../models", "tfbind8/..", "/etc", "ehrlich/../tfbind8"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"no shipped prior is called 'seiko:.*there are: .*seiko:tfbind8"):
        shipped(f"seiko:{name}")


def test_a_folder_with_its_alphabet_is_found(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=rf"a directory with a {SIDE_FILE} .* or 'seiko:NAME'.* got '{tmp_path}"
    ):
        prior_folder(str(tmp_path))
    (tmp_path / SIDE_FILE).write_text("{}")
    assert prior_folder(str(tmp_path)) == tmp_path
