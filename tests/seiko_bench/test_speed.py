"""The three ways must have one gradient, and what is counted must be what is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.models.random_pipeline import SD15_UNET
from seiko_bench.speed import memory
from seiko_bench.speed.memory import counted, in_process, measured
from seiko_bench.speed.protocol import speed
from seiko_bench.speed.setting import TINY
from seiko_bench.speed.tables import sections
from seiko_bench.speed.time import measure_time
from seiko_bench.speed.ways import OURS, Theirs, floor, ours


def test_one_gradient_three_ways() -> None:
    found = measure_time(TINY, 1)
    assert found["gradient_norm"] > 0
    assert max(found["gradient_difference"].values()) < 1e-3  # tiny networks: rounding is larger against the norm
    assert set(found["of_theirs"]) == set(OURS) == set(found["of_floor"])


def test_a_reference_at_other_weights_is_another_gradient() -> None:
    subject = TINY.build()
    theirs = Theirs(subject, copies=2)
    theirs.step()
    expected = subject.gradient()
    with torch.no_grad():
        for parameter in theirs.reference.parameters():
            parameter.mul_(1.05)
    subject.clear()
    theirs.step()
    assert float((subject.gradient() - expected).norm() / expected.norm()) > 1e-2


def test_an_explicit_inverse_and_a_root_are_one_reward() -> None:
    subject = TINY.build()
    x = torch.randn(2, *subject.model.event_shape)
    reward = subject.reward
    phi = reward.features(x).double()
    inverse = torch.linalg.inv(reward.matrix.double())
    expected = phi @ reward.weights.double() + ((phi @ inverse) * phi).sum(1).sqrt()
    torch.testing.assert_close(reward.with_root(reward.root(), x).double(), expected, atol=1e-4, rtol=1e-4)


def test_the_floor_leaves_no_gradient_behind() -> None:
    subject = TINY.build()
    assert floor(subject).processor > 0
    assert all(p.grad is None for p in subject.model.versions.parameters())
    ours(subject, OURS["kept-one"])
    assert float(subject.gradient().norm()) > 0


def test_published_sizes_and_what_their_graphs_hold() -> None:
    found, double = counted(SD15_UNET, 1), counted(SD15_UNET, 2)
    assert found["parameters"] == 859_520_964
    assert double["graph"] == pytest.approx(2 * found["graph"], rel=0.01)
    assert counted(SD15_UNET, 1, frugal=False)["graph"] > 1.1 * found["graph"]


def test_counts_are_what_a_processor_keeps() -> None:
    from diffusers import UNet2DConditionModel

    from seiko.models import LoRA
    from seiko.models.latent_image_source import ATTENTION
    from seiko.models.lean import lean
    from seiko.models.random_pipeline import _UNET

    unet: dict[str, Any] = {**_UNET, "cross_attention_dim": 16}
    backbone: Any = LoRA(rank=4, scale=4.0, target_modules=ATTENTION).attach(
        memory._Whole(UNet2DConditionModel(**unet))
    )
    lean(backbone.backbone)
    weights = {p.untyped_storage().data_ptr() for p in backbone.backbone.parameters()}
    saved: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        alive.append(tensor)
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        backbone(torch.zeros(1, 4, 8, 8, requires_grad=True), torch.zeros(1), torch.zeros(1, 77, 16), None)
    held = sum(size for storage, size in saved.items() if storage not in weights)
    assert counted(unet, 1)["graph"] == pytest.approx(held, rel=0.1)


@pytest.mark.slow
def test_a_process_of_its_own_says_what_it_held() -> None:
    found = measured("tiny", "kept-none")
    assert found["peak"] >= found["before_step"] > found["before_build"] > 0
    assert found["gradient_norm"] == pytest.approx(in_process("tiny", "kept-none", 1)["gradient_norm"], rel=1e-3)
    with pytest.raises(RuntimeError, match="ended with"):
        measured("tiny", "no-such-way")


def test_tables_show_every_way(tmp_path: Path) -> None:
    record = speed().methods["time"](0, tmp_path, True)
    (tmp_path / "speed-time.json").write_text(json.dumps({"command": "seiko bench speed", "runs": [record]}))
    ((text, header, rows),) = sections(tmp_path)
    assert "seiko bench speed" in text
    assert len(rows) == 5
    assert all(len(row) == len(header) for row in rows)
