"""Compare ways of writing molecules as rows of letters, by small models trained for the same processor time.

    python scripts/compare_strings.py --seconds 150 --out benchmarks/results/molecule_strings.json

Each model has four layers of width 256 and is trained with the same optimiser on the same 60,000 molecules of ZINC250k;
500 samples of each are held against 5,000 other molecules of it. What is compared is a way of writing under a small
budget, not its limit: the shipped prior is trained for longer.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any

import torch

from seiko.chemistry import FragmentAlphabet, Syntax, properties, to_symbols
from seiko.data import fetch
from seiko.diffusion import MaskedDiffusion, Noise, draw
from seiko.metrics.molecules import large_ring_share, uniqueness, validity
from seiko.models import Architecture, ModelPolicy
from seiko.models.masked_lm import MaskedLM, TokenBackbone, TokenIds
from seiko.models.versions import FullVersions

WAYS: dict[str, tuple[Syntax, int]] = {
    "smiles": ("smiles", 0),
    "smiles-512": ("smiles", 512),
    "selfies": ("selfies", 0),
    "selfies-512": ("selfies", 512),
    "rings": ("rings", 0),
    "rings-512": ("rings", 512),
}
"""Syntax and number of letters; 0 for one letter a symbol."""
NAMES = ("qed", "sa", "logp", "heavy_atoms")


def main() -> None:
    """Train and judge each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--molecules", type=int, default=60_000)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/molecule_strings.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with gzip.open(fetch("zinc250k"), "rt") as file:
        smiles = file.read().split()
    order = torch.randperm(len(smiles), generator=torch.Generator().manual_seed(0)).tolist()
    train = [smiles[i] for i in order[: arguments.molecules]]
    held_out = [smiles[i] for i in order[-5000:]]
    rows = [{"way": "zinc250k, held out"} | _describe(held_out)]
    for way in arguments.ways:
        rows.append({"way": way} | _judge(*WAYS[way], train, arguments.seconds))
        print(rows[-1], flush=True)
        arguments.out.write_text(json.dumps({"seconds": arguments.seconds, "rows": rows}, indent=1) + "\n")


def _judge(syntax: Syntax, size: int, smiles: list[str], seconds: float) -> dict[str, Any]:
    symbols = [to_symbols(text, syntax) for text in smiles]
    alphabet = FragmentAlphabet.learn(symbols, size or len({s for row in symbols for s in row}), syntax)
    rows = alphabet.encode(symbols)
    length = sorted(map(len, rows))[int(0.995 * len(rows))]
    tokens = torch.tensor([row + [alphabet.empty] * (length - len(row)) for row in rows if len(row) <= length])
    torch.manual_seed(0)
    backbone = TokenBackbone(
        Architecture(width=256, layers=4).build(len(alphabet), length), TokenIds.plain(alphabet), length
    )
    steps = _train(backbone, tokens, len(alphabet), seconds)
    model = MaskedLM(FullVersions(backbone), alphabet, length, length, "bfloat16")
    assert isinstance(model.process, MaskedDiffusion)
    started = time.process_time()
    drawn = model.export(draw(ModelPolicy(model), None, Noise.seeded(0, 500)))
    spent = time.process_time() - started
    found = [design.content if design.valid else "" for design in drawn]
    return {
        "letters": len(alphabet),
        "length": length,
        "mean_letters": round(sum(map(len, rows)) / len(rows), 1),
        "steps": steps,
        "seconds_a_thousand": round(2 * spent, 1),
    } | _describe(found)


def _train(backbone: TokenBackbone, tokens: torch.Tensor, mask: int, seconds: float) -> int:
    optimiser = torch.optim.AdamW(backbone.parameters(), lr=1e-3, weight_decay=0.01, betas=(0.9, 0.98))
    generator, started, steps = torch.Generator().manual_seed(0), time.process_time(), 0
    while (done := (time.process_time() - started) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1.0, done / 0.05) * (1 - done)
        x = tokens[torch.randint(len(tokens), (256,), generator=generator)]
        count = torch.randint(1, x.shape[1] + 1, (len(x), 1), generator=generator)
        hidden = torch.rand(x.shape, generator=generator).argsort(-1).argsort(-1) < count
        with torch.autocast("cpu", torch.bfloat16):
            logits = backbone(x.masked_fill(hidden, mask)).float()
        nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), x, reduction="none")
        loss = (torch.where(hidden, nll, 0.0).sum(-1) / count[:, 0]).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        optimiser.step()
        steps += 1
    return steps


def _describe(smiles: list[str]) -> dict[str, Any]:
    valid = [text for text in smiles if text and validity([text]) == 1.0]
    if len(valid) < 20:  # too few to describe
        return {"validity": len(valid) / len(smiles)}
    means = properties(valid, NAMES).mean(0).tolist()
    return {
        "validity": len(valid) / len(smiles),
        "uniqueness": uniqueness(valid),
        "large_rings": large_ring_share(valid),
    } | {name: round(value, 3) for name, value in zip(NAMES, means, strict=True)}


if __name__ == "__main__":
    main()
