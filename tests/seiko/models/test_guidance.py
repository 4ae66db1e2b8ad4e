from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from seiko import config
from seiko.designs import Design
from seiko.diffusion import DDIM, CosineSchedule, Noise, draw
from seiko.models import (
    ClassifierFree,
    ClassifierFreeSource,
    Conditional,
    GraphSource,
    ModelPolicy,
    PixelImageSource,
)


class ByClass:
    """A class-conditional model of two numbers; class 2 is no class. It remembers how it was called."""

    event_shape = (2,)
    versions = None
    process = DDIM(schedule=CosineSchedule(end=0.02), num_steps=3, predicts="data")
    trained = "here"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode(self, prompts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([int(prompt) for prompt in prompts])

    def unconditional(self, n: int) -> torch.Tensor:
        return torch.full((n,), 2)

    def predict(self, x_t: torch.Tensor, k: Any, conditioning: Any = None) -> torch.Tensor:
        self.calls.append(len(x_t))
        labels = self.unconditional(len(x_t)) if conditioning is None else conditioning
        target = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])[labels]
        step = torch.as_tensor(k, dtype=torch.float32).reshape(-1, 1)
        return target + 0.1 * x_t + 0.01 * step

    def decode(self, x_0: torch.Tensor) -> torch.Tensor:
        return x_0

    def distance(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return torch.cdist(x, z)

    def export(self, x_0: torch.Tensor) -> list[Design]:
        return [Design(str(row)) for row in x_0.tolist()]

    def ingest(self, designs: Sequence[Design]) -> torch.Tensor:
        return torch.zeros(len(designs), 2)


def test_both_halves_go_in_one_pass_and_combine() -> None:
    model = ByClass()
    guided: Any = ClassifierFree(model, 3.0)
    x, labels = torch.zeros(2, 2), guided.encode(["0", "1"])
    found = guided.predict(x, 1, labels)
    assert model.calls == [4]
    given, null = model.predict(x, 1, labels), model.predict(x, 1, guided.unconditional(2))
    torch.testing.assert_close(found, null + 3.0 * (given - null))
    # by hand: null (-1, -1) + 3 ((1, 0) - (-1, -1)) = (5, 2), and .01 of the step
    torch.testing.assert_close(found[0], torch.tensor([5.01, 2.01]))


def test_one_step_a_sample_is_doubled_too() -> None:
    guided: Any = ClassifierFree(ByClass(), 2.0)
    x, labels = torch.zeros(2, 2), guided.encode(["0", "1"])
    both = guided.predict(x, torch.tensor([1, 3]), labels)
    torch.testing.assert_close(both[1], guided.predict(x, 3, labels)[1])
    torch.testing.assert_close(both[0], guided.predict(x, 1, labels)[0])


@pytest.mark.parametrize(("scale", "label"), [(1.0, "0"), (0.0, "2")])
def test_no_guidance_needs_one_half(scale: float, label: str) -> None:
    model = ByClass()
    guided: Any = ClassifierFree(model, scale)
    found = guided.predict(torch.zeros(1, 2), 1, guided.encode(["0"]))
    assert model.calls == [1]
    torch.testing.assert_close(found, model.predict(torch.zeros(1, 2), 1, guided.encode([label])))


def test_it_is_a_model_like_any_other() -> None:
    guided: Any = ClassifierFree(ByClass(), 4.0)
    assert isinstance(guided, Conditional)
    assert guided.trained == "here"
    assert not hasattr(guided, "never_heard_of")
    noise = Noise.seeded(0, 2)
    x_0 = draw(ModelPolicy(guided), guided.encode(["0", "1"]), noise)
    assert guided.export(x_0)[0].content == str(x_0[0].tolist())
    assert float(guided.distance(x_0, x_0).diagonal().max()) < 1e-3
    assert guided.ingest(guided.export(x_0)).shape == (2, 2)
    assert torch.equal(guided.decode(x_0), x_0)
    without = draw(ModelPolicy(guided), None, noise)
    assert float((without - x_0).abs().max()) > 0.1


def test_a_negative_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="guidance scale"):
        ClassifierFree(ByClass(), -1.0)


def test_class_conditional_pixels_are_guided_by_their_null_class() -> None:
    source = ClassifierFreeSource(source=PixelImageSource(num_steps=3), scale=3.0)
    assert config.from_json(config.to_json(source)) == source
    guided: Any = source.load()
    noise, rows = Noise.seeded(0, 2), guided.encode(["3", "7"])
    x = guided.process.prior(guided.event_shape, noise)
    with torch.no_grad():
        found = guided.predict(x, 2, rows)
        given, null = guided.model.predict(x, 2, rows), guided.model.predict(x, 2, None)
    torch.testing.assert_close(found, null + 3.0 * (given - null), atol=1e-4, rtol=1e-4)
    assert float((found - given).abs().max()) > 0.01
    assert [design.kind for design in guided.export(draw(ModelPolicy(guided), rows, noise))] == ["image", "image"]


def test_a_model_without_classes_cannot_be_guided() -> None:
    with pytest.raises(TypeError, match="takes no prompts or classes"):
        ClassifierFreeSource(source=GraphSource(num_steps=2), scale=2.0).load()
    with pytest.raises(ValueError, match="guidance scale"):
        ClassifierFreeSource(source=GraphSource(), scale=-2.0)
