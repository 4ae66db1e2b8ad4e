"""Vectors of images are computed once a run, are the same however they came about, and never another network's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from seiko.campaign.embeddings import Embeddings
from seiko.designs import Design
from seiko.rewards import Identity, VisionEmbedding

VIEW = Identity()


class Network:
    """A matrix product, not the same to the last bit at every place of a batch; counts what it is asked."""

    def __init__(self, seed: int = 0) -> None:
        self.matrix = torch.randn(64, 5, generator=torch.Generator().manual_seed(seed))
        self.asked = 0

    def __call__(self, design: Design) -> Tensor:
        self.asked += 1
        generator = torch.Generator().manual_seed(int(design.content, 16))
        return torch.randn(64, generator=generator) @ self.matrix


def pictures(n: int, prompt: str | None = None) -> list[Design]:
    return [Design(f"{i:x}", "image", prompt) for i in range(n)]


def test_each_image_passes_once_a_run(tmp_path: Path) -> None:
    network, designs = Network(), pictures(20)
    embeddings = Embeddings(VIEW, tmp_path / "e.sqlite")
    first = embeddings(designs[:11], network)
    assert network.asked == 11
    again = embeddings(designs, network)
    assert network.asked == 20, "nine are new"
    torch.testing.assert_close(again[:11], first, rtol=0, atol=0)
    later = Network()
    reopened = Embeddings(VIEW, tmp_path / "e.sqlite")(designs, later)
    assert later.asked == 1, "one vector is looked at again"
    assert torch.equal(reopened, again)
    assert torch.equal(Embeddings(VIEW, None)(designs, Network()), again), "whatever stood in a batch beside it"
    assert torch.equal(embeddings([designs[3], designs[3]], network), again[[3, 3]])


def test_prompt_and_view_are_part_of_the_name(tmp_path: Path) -> None:
    network, file = Network(), tmp_path / "e.sqlite"
    for view in (VIEW, VisionEmbedding(model="a"), VisionEmbedding(model="b")):
        for prompt in (None, "", "a cat"):
            Embeddings(view, file)(pictures(1, prompt), network)
    assert network.asked == 9


def test_other_weights_under_the_same_name_are_found_out(tmp_path: Path) -> None:
    file = tmp_path / "e.sqlite"
    Embeddings(VIEW, file)(pictures(20), Network(0))
    other = Network(1)
    found = Embeddings(VIEW, file)(pictures(20), other)
    assert torch.equal(found, Embeddings(VIEW, None)(pictures(20), Network(1)))
    assert other.asked == 21
    last = Network(1)
    Embeddings(VIEW, file)(pictures(20), last)
    assert last.asked == 1, "the new ones were kept"


@pytest.mark.parametrize("damage", [b"", b"no database", None])
def test_a_damaged_or_missing_file_costs_time_only(tmp_path: Path, damage: bytes | None) -> None:
    file = tmp_path / "e.sqlite"
    expected = Embeddings(VIEW, file)(pictures(3), Network())
    file.unlink() if damage is None else file.write_bytes(damage)
    assert torch.equal(Embeddings(VIEW, file)(pictures(3), Network()), expected)
    network = Network()
    assert torch.equal(Embeddings(VIEW, file)(pictures(3), network), expected)
    assert network.asked == 1, "mended"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    assert len(Embeddings(VIEW, tmp_path / "none" / "e.sqlite")(pictures(3), Network())) == 3


def test_a_kill_keeps_what_was_done(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def stop(done: int, total: int) -> None:
        if done > 200:
            raise Killed

    file, designs = tmp_path / "e.sqlite", pictures(260)
    with pytest.raises(Killed):
        Embeddings(VIEW, file)(designs, Network(), stop)
    network = Network()
    found = Embeddings(VIEW, file)(designs, network)
    assert network.asked == 260 - 128 + 1
    assert torch.equal(found, Embeddings(VIEW, None)(designs, Network()))
