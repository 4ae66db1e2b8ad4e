from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seiko import config
from seiko.rewards import Embedding, LastLayer, ReverseComplement
from seiko.rewards.embedding import _load

PRIOR = "seiko:tfbind8"


def tokens(n: int) -> torch.Tensor:
    return torch.randint(0, 4, (n, 8), generator=torch.Generator().manual_seed(0))


def test_it_is_the_mean_of_hidden_states() -> None:
    from transformers import AutoModel

    x = tokens(5)
    x[0, 3] = 4  # a masked position
    folder = Path(config.__file__).parent / "priors" / "tfbind8"
    model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    with torch.no_grad():
        expected = model(input_ids=x).last_hidden_state.mean(1)
    phi = Embedding(model=PRIOR)(x)
    torch.testing.assert_close(phi[:, :-1], expected, atol=1e-5, rtol=0)
    assert bool((phi[:, -1] == 1).all())


def test_tokens_and_relaxed_states_agree_and_the_gradient_flows() -> None:
    x, feature = tokens(4), Embedding(model=PRIOR, layer=1)
    x[1, 0] = 4
    relaxed = torch.nn.functional.one_hot(x, 5).double().requires_grad_()
    found = feature(relaxed)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), feature(x), atol=1e-5, rtol=0)
    letters = torch.nn.functional.one_hot(x[2:], 4).float()
    torch.testing.assert_close(feature(letters), feature(x[2:]), atol=1e-5, rtol=0)
    (gradient,) = torch.autograd.grad(found.sum(), relaxed)
    assert float(gradient.abs().max()) > 0
    assert not any(parameter.requires_grad for parameter in _load(PRIOR).parameters())


def test_both_strands_are_one_to_a_regression_on_it() -> None:
    x = tokens(60)
    belief = LastLayer(features=Embedding(model=PRIOR), symmetry=ReverseComplement()).fit(
        x, (x == 2).sum(1).double(), None, 0
    )
    a, b = belief.posterior(x), belief.posterior((3 - x).flip(1))
    torch.testing.assert_close(a.mean, b.mean, atol=1e-4, rtol=0)


def test_settings() -> None:
    model = LastLayer(features=Embedding(model=PRIOR))
    assert config.from_json(config.to_json(model)) == model
    for name in ("seiko:nothing", "seiko:../priors/tfbind8", "nowhere"):
        with pytest.raises(FileNotFoundError, match="shipped prior"):
            Embedding(model=name)(tokens(1))
