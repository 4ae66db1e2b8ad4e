from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seiko.diffusion import Noise, path_kl, rollout
from seiko.models import Alphabet, Architecture, FullFineTuning, MaskedLM, MaskedLMSource, ModelPolicy, SideNetwork
from seiko.models.masked_lm import TokenBackbone, TokenIds
from seiko.models.side import MOST_STATES

LENGTH, LETTERS = 3, 4


class Counting(nn.Module):
    """A backbone that counts the states it is asked about."""

    def __init__(self, length: int = LENGTH) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shape = (length, LETTERS)
        self.table = nn.Parameter(torch.randn(length, LETTERS + 1, LETTERS))
        self.asked = 0

    def forward(self, x_t: Tensor) -> Tensor:
        self.asked += len(x_t)
        one_hot = x_t if x_t.is_floating_point() else nn.functional.one_hot(x_t, LETTERS + 1).float()
        return torch.einsum("blw,lwv->blv", one_hot, self.table).flip(1)


def moved(versions: Any) -> Any:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in versions.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return versions


def states(n: int = 20, length: int = LENGTH) -> Tensor:
    return torch.randint(0, LETTERS + 1, (n, length), generator=torch.Generator().manual_seed(2))


def language_model() -> TokenBackbone:
    torch.manual_seed(0)
    plain = Architecture(width=8, layers=1, heads=2).build(LETTERS, LENGTH)
    return TokenBackbone(plain, TokenIds.plain(Alphabet.dna()), LENGTH)


def test_it_starts_as_the_pretrained_model() -> None:
    backbone = Counting()
    versions = SideNetwork(width=8).attach(backbone)
    for name in ("pretrained", "previous", "current"):
        with versions.use(name):  # type: ignore[arg-type]
            assert torch.equal(versions(states()), backbone(states()))


def test_only_the_current_version_moves_and_previous_follows_when_told() -> None:
    backbone = Counting()
    versions = moved(SideNetwork(width=8).attach(backbone))
    before = backbone(states())
    assert not torch.allclose(versions(states()), before)
    with versions.use("previous"):
        assert torch.equal(versions(states()), before)
    versions.remember()
    with versions.use("previous"):
        assert torch.equal(versions(states()), before + versions.backbone(states()))
    versions.reset()
    assert torch.equal(versions(states()), before)


def test_no_gradient_reaches_the_backbone() -> None:
    backbone = Counting()
    versions = moved(SideNetwork(width=8).attach(backbone))
    versions(states()).square().sum().backward()
    assert backbone.table.grad is None
    assert all(p.grad is not None and bool(p.grad.any()) for p in versions.parameters())


def test_few_states_are_asked_once() -> None:
    backbone = Counting()
    versions = SideNetwork(width=8).attach(backbone)
    x = states(1000)
    first, asked = versions(x), backbone.asked
    assert asked == (LETTERS + 1) ** LENGTH
    assert torch.equal(versions(x), first)
    assert backbone.asked == asked
    assert torch.equal(first, backbone(x) + versions.backbone(x))


def test_many_states_are_never_kept() -> None:
    length = 9
    assert (LETTERS + 1) ** length > MOST_STATES
    backbone = Counting(length)
    versions = SideNetwork(width=8).attach(backbone)
    for _ in range(2):
        versions(states(5, length))
    assert backbone.asked == 10


def test_a_state_has_the_same_bits_whoever_asked_first() -> None:
    x = states(200)
    together, alone = SideNetwork().attach(language_model()), SideNetwork().attach(language_model())
    one_by_one = torch.cat([alone._remembered(row[None]) for row in x.flip(0)]).flip(0)  # type: ignore[attr-defined]
    assert torch.equal(together._remembered(x), one_by_one)  # type: ignore[attr-defined]


def test_relaxed_states_give_what_letters_give() -> None:
    versions = moved(SideNetwork(width=8).attach(Counting()))
    one_hot = nn.functional.one_hot(states(), LETTERS + 1).float().requires_grad_()
    relaxed = versions(one_hot)
    torch.testing.assert_close(relaxed, versions(states()))
    relaxed.sum().backward()
    assert one_hot.grad is not None


def test_a_tuned_model_is_saved_and_read_back(tmp_path: Path) -> None:
    model = MaskedLM(moved(SideNetwork(width=8).attach(language_model())), Alphabet.dna(), LENGTH, LENGTH)
    model.save_pretrained(tmp_path)
    for tuning in (FullFineTuning(), SideNetwork(width=5, layers=1)):
        read = MaskedLMSource(name=str(tmp_path), tuning=tuning).load()
        torch.testing.assert_close(read.predict(states(), 1), model.predict(states(), 1))
    noise = Noise.seeded(0, 50)
    trajectory = rollout(ModelPolicy(model), None, noise)
    assert float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean()) > 0


def test_a_model_tuned_twice_is_read_back(tmp_path: Path) -> None:
    first = MaskedLM(moved(SideNetwork(width=8).attach(language_model())), Alphabet.dna(), LENGTH, LENGTH)
    first.save_pretrained(tmp_path / "once")
    second = MaskedLMSource(name=str(tmp_path / "once"), tuning=SideNetwork(width=4, layers=1)).load()
    moved(second.versions)
    second.save_pretrained(tmp_path / "twice")
    read = MaskedLMSource(name=str(tmp_path / "twice")).load()
    torch.testing.assert_close(read.predict(states(), 1), second.predict(states(), 1))


def test_a_backbone_without_a_length_is_refused() -> None:
    with pytest.raises(TypeError, match="SideNetwork needs a model of sequences of one length, got Linear"):
        SideNetwork().attach(nn.Linear(2, 2))


@pytest.mark.parametrize("wrong", [{"width": 0}, {"layers": 0}])
def test_wrong_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least 1, got 0"):
        SideNetwork(**wrong)


def test_saved_weights_that_do_not_fit_are_refused() -> None:
    narrow, wide = SideNetwork(width=4).attach(Counting()), SideNetwork(width=8).attach(Counting())
    with pytest.raises(ValueError, match="saved weights do not fit this backbone"):
        wide.load_state_dict(narrow.state_dict())
