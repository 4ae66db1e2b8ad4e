from __future__ import annotations

import pytest
import torch

from seiko.models import latent_image_text
from seiko.models.latent_image_text import PromptEncoder, from_bytes, to_bytes


def test_prompts_come_back() -> None:
    prompts = ["", "a cat", "ein Käfer über 木", "a cat "]
    assert from_bytes(to_bytes(prompts)) == prompts
    assert to_bytes([]).shape == (0, latent_image_text.WIDTH)


@pytest.mark.parametrize("prompt", ["x" * 1025, "a\0b"])
def test_what_cannot_be_kept_is_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match="at most 1024 bytes"):
        to_bytes([prompt])


def test_each_prompt_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def encode(prompts: list[str]) -> dict[str, torch.Tensor]:
        seen.extend(prompts)
        return {"text": torch.full((1, 4), float(len(prompts[0])))}

    text = PromptEncoder(encode)
    found = text(to_bytes(["a", "bb", "a"]))
    assert found["text"][:, 0].tolist() == [1.0, 2.0, 1.0]
    text(to_bytes(["bb"]))
    assert seen == ["a", "bb"]
    monkeypatch.setattr(latent_image_text, "KEPT_BYTES", 32)  # room for two
    text(to_bytes(["ccc"]))
    text(to_bytes(["bb"]))  # used more lately than "a", which had to go
    text(to_bytes(["a"]))
    assert seen == ["a", "bb", "ccc", "a"]
