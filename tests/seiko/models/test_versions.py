from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seiko.designs import Design
from seiko.diffusion import DDIM, CosineSchedule, GradientWindow, Noise, path_kl, rollout
from seiko.models import DiffusionModel, FullFineTuning, LoRA, ModelPolicy, Tuning, Versions

TUNINGS = pytest.mark.parametrize("tuning", [FullFineTuning(), LoRA(rank=2, scale=4.0)], ids=["full", "lora"])
X = torch.linspace(-1, 1, 6).reshape(3, 2)
PROCESS = DDIM(schedule=CosineSchedule(end=0.02), num_steps=4, predicts="data")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))


def move(versions: Versions, by: float = 0.1) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in versions.parameters():
            p.add_(by * torch.randn(p.shape, generator=generator))


def outputs(versions: Versions) -> dict[str, Tensor]:
    found = {}
    for name in ("pretrained", "previous", "current"):
        with versions.use(name), torch.no_grad():  # type: ignore[arg-type]
            found[name] = versions(X)
    return found


@dataclass(frozen=True)
class Network:
    """A two-dimensional diffusion model with a small network, to try versions under a policy."""

    versions: Versions
    process: DDIM = PROCESS
    event_shape: tuple[int, ...] = (2,)

    def predict(self, x_t: Tensor, k: Any, conditioning: Any = None) -> Tensor:
        return self.versions(x_t)

    def decode(self, x_0: Tensor) -> Tensor:
        return x_0

    def distance(self, x: Tensor, z: Tensor) -> Tensor:
        return torch.cdist(x, z)

    def export(self, x_0: Tensor) -> list[Design]:
        return []

    def ingest(self, designs: Any) -> Tensor:
        return torch.zeros(0, 2)


@TUNINGS
def test_all_versions_start_equal_to_the_backbone(tuning: Tuning) -> None:
    backbone = network()
    expected = backbone(X).detach()
    assert isinstance(tuning, Tuning)
    for output in outputs(tuning.attach(backbone)).values():
        assert torch.equal(output, expected)


@TUNINGS
def test_only_current_moves_until_it_is_remembered(tuning: Tuning) -> None:
    versions = tuning.attach(network())
    before = outputs(versions)
    move(versions)
    moved = outputs(versions)
    assert torch.equal(moved["pretrained"], before["pretrained"])
    assert torch.equal(moved["previous"], before["previous"])
    assert not torch.allclose(moved["current"], before["current"])
    versions.remember()
    move(versions)
    again = outputs(versions)
    assert torch.equal(again["pretrained"], before["pretrained"])
    assert torch.equal(again["previous"], moved["current"])
    assert not torch.allclose(again["current"], moved["current"])
    versions.reset()
    assert torch.equal(outputs(versions)["current"], before["pretrained"])
    assert torch.equal(outputs(versions)["previous"], moved["current"])


@TUNINGS
def test_what_was_in_use_is_restored_however_the_context_ends(tuning: Tuning) -> None:
    versions = tuning.attach(network())
    move(versions)
    found = outputs(versions)
    with pytest.raises(KeyboardInterrupt), versions.use("pretrained"):
        raise KeyboardInterrupt
    assert torch.equal(versions(X).detach(), found["current"])
    with versions.use("previous"):
        with versions.use("current"):
            assert torch.equal(versions(X).detach(), found["current"])
        assert torch.equal(versions(X).detach(), found["previous"])
    assert torch.equal(versions(X).detach(), found["current"])


@TUNINGS
def test_an_anchor_evaluated_in_between_does_not_take_the_gradient(tuning: Tuning) -> None:
    versions = tuning.attach(network())
    move(versions)
    versions(X).sum().backward()
    expected = [p.grad.clone() for p in versions.parameters()]  # type: ignore[union-attr]
    assert any(float(g.abs().max()) > 0 for g in expected)
    for p in versions.parameters():
        p.grad = None
    loss = versions(X).sum()
    for name in ("pretrained", "previous"):
        with versions.use(name):  # type: ignore[arg-type]
            versions(X)
    with versions.use("previous"):
        loss.backward()
    for p, gradient in zip(versions.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient)


@TUNINGS
@pytest.mark.parametrize("anchor", ["pretrained", "previous"])
def test_an_anchor_passes_the_gradient_to_its_input_only(tuning: Tuning, anchor: Any) -> None:
    versions = tuning.attach(network())
    move(versions)
    versions.remember()
    x = X.clone().requires_grad_()
    with versions.use(anchor):
        versions(x).sum().backward()
    assert float(x.grad.abs().max()) > 0  # type: ignore[union-attr]
    assert all(p.grad is None for p in versions.parameters())


@TUNINGS
def test_checkpointing_gives_the_same_gradient_beside_two_anchors(tuning: Tuning) -> None:
    model = Network(tuning.attach(network()))
    assert isinstance(model, DiffusionModel)
    move(model.versions)
    model.versions.remember()
    move(model.versions)
    gradients = []
    for checkpoint in (False, True):
        policy = ModelPolicy(model, checkpoint=checkpoint)
        trajectory = rollout(policy, None, Noise.seeded(0, 8), gradient=GradientWindow(3))
        anchors = [ModelPolicy(model, name, checkpoint) for name in ("pretrained", "previous")]  # type: ignore[arg-type]
        loss = sum((path_kl(trajectory, anchor).mean() for anchor in anchors), start=trajectory.x_0.mean())
        gradients.append(torch.autograd.grad(loss, policy.parameters()))
    for plain, recomputed in zip(*gradients, strict=True):
        assert float(plain.abs().max()) > 0
        torch.testing.assert_close(recomputed, plain)


@TUNINGS
def test_saved_weights_are_a_copy_and_come_back(tuning: Tuning) -> None:
    versions = tuning.attach(network())
    move(versions)
    saved, output = versions.state_dict(), versions(X).detach()
    move(versions)
    assert not torch.allclose(versions(X).detach(), output)
    versions.load_state_dict(saved)
    assert torch.equal(versions(X).detach(), output)
    other = tuning.attach(network())
    other.load_state_dict(saved)
    assert torch.equal(other(X).detach(), output)


@TUNINGS
def test_weights_of_another_backbone_are_refused_and_nothing_changes(tuning: Tuning) -> None:
    versions = tuning.attach(network())
    move(versions)
    before, saved = versions(X).detach(), versions.state_dict()
    name = next(iter(saved))
    cut = {**saved, name: saved[name][:1, :1]}
    with pytest.raises(ValueError, match=r"has shape \(1, 1\), expected"):
        versions.load_state_dict(cut)
    with pytest.raises(ValueError, match="is missing on one side"):
        versions.load_state_dict({key: value for key, value in saved.items() if key != name})
    with pytest.raises(ValueError, match="'stranger' is missing on one side"):
        versions.load_state_dict({**saved, "stranger": X})
    assert torch.equal(versions(X).detach(), before)


@TUNINGS
def test_merged_is_the_current_version_without_versions(tuning: Tuning) -> None:
    versions = tuning.attach(network())
    move(versions)
    plain, expected = versions.merged(), versions(X).detach()
    torch.testing.assert_close(plain(X), expected, atol=1e-6, rtol=1e-5)
    assert set(plain.state_dict()) == set(network().state_dict())
    move(versions)
    torch.testing.assert_close(plain(X), expected, atol=1e-6, rtol=1e-5)


def test_adapters_start_equal_whatever_the_global_random_state() -> None:
    states = []
    for seed in (1, 2):
        backbone = network()
        torch.manual_seed(seed)
        states.append(LoRA(rank=2).attach(backbone).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_lora_keeps_the_backbone_still_and_can_name_its_layers() -> None:
    backbone = network()
    versions = LoRA(rank=2, target_modules=("2",)).attach(backbone)
    assert all("2.lora_" in name for name in versions.state_dict())
    assert not any(p.requires_grad for name, p in backbone.named_parameters() if ".current." not in name)


def test_rank_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="rank must be at least 1, got 0"):
        LoRA(rank=0)
