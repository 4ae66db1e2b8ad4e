"""Train the priors that travel in the package.

    python scripts/train_priors.py tfbind8 --out src/seiko/priors
    python scripts/train_priors.py ehrlich --out src/seiko/priors
    python scripts/train_priors.py zinc250k --out src/seiko/priors        (an hour of one core)

Each is a masked diffusion model of a few hundred thousand weights, saved as safetensors beside a `seiko.json` that
holds this script's arguments, the seed, the hash of the data and the validation likelihood. Training can be interrupted
and started again.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from seiko.chemistry import FragmentAlphabet, to_symbols
from seiko.data import fetch
from seiko.models import Alphabet, Architecture, Letters, Pretraining, PretrainProgress
from seiko.oracles import Ehrlich, TFBind8


def tfbind8() -> tuple[torch.Tensor, Alphabet, Pretraining, str]:
    """Return all 8-mers whose affinity is at most the median: the prior has never seen a good binder."""
    table = TFBind8().table
    index = np.flatnonzero(table <= np.median(table))
    tokens = np.stack([(index >> (2 * (7 - j))) & 3 for j in range(8)], axis=-1)
    training = Pretraining(
        architecture=Architecture(width=64, layers=2), steps=800, batch=512, learning_rate=1e-3, seed=0
    )
    return torch.from_numpy(tokens), Alphabet.dna(), training, "TF Bind 8 SIX6_REF_R1, y <= median"


def ehrlich() -> tuple[torch.Tensor, Alphabet, Pretraining, str]:
    """Return feasible sequences of the default Ehrlich function, drawn from its transition matrix."""
    oracle = Ehrlich()
    tokens = torch.from_numpy(oracle.sample_feasible(200_000, seed=0)).long()
    training = Pretraining(architecture=Architecture(kind="esm", width=64, layers=3), steps=5000, batch=128, seed=0)
    return tokens, Alphabet.numbers(oracle.vocabulary), training, f"200,000 feasible sequences of {oracle!r}, seed 0"


def zinc250k(size: int = 512, length: int = 18) -> tuple[torch.Tensor, FragmentAlphabet, Pretraining, str]:
    """Return ZINC250k's training split without stereochemistry, as rows of at most `length` of `size` fragments."""
    with gzip.open(fetch("zinc250k"), "rt") as file:
        smiles = file.read().split()
    with np.load(fetch("zinc250k-properties"), allow_pickle=False) as properties:
        smiles = [text for text, split in zip(smiles, properties["split"], strict=True) if split == 0]
    with ProcessPoolExecutor() as pool:
        symbols = list(pool.map(partial(to_symbols, syntax="rings"), smiles, chunksize=1000))
    alphabet = FragmentAlphabet.learn(symbols, size)
    rows = [row for row in alphabet.encode(symbols) if len(row) <= length]
    tokens = torch.tensor([row + [alphabet.empty] * (length - len(row)) for row in rows])
    training = Pretraining(
        architecture=Architecture(width=256, layers=4),
        steps=7500,
        batch=256,
        learning_rate=1e-3,
        average=0.999,
        seed=0,
        precision="bfloat16",
        shipped="float16",
        temperature=0.85,
    )
    kept = f"{len(rows):,} of {len(smiles):,} molecules, those of at most {length} letters"
    return tokens, alphabet, training, f"ZINC250k, split 0, stereochemistry left out; {kept}"


def main() -> None:
    """Train one prior."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["tfbind8", "ehrlich", "zinc250k"])
    parser.add_argument("--out", type=Path, default=Path("src/seiko/priors"))
    arguments = parser.parse_args()
    makers: dict[str, Callable[[], tuple[torch.Tensor, Letters, Pretraining, str]]] = {
        "tfbind8": tfbind8,
        "ehrlich": ehrlich,
        "zinc250k": zinc250k,
    }
    tokens, alphabet, training, data = makers[arguments.name]()

    def report(progress: PretrainProgress) -> None:
        print(
            f"step {progress.step}/{training.steps}  loss {progress.loss:.4f}  validation {progress.validation:.4f} "
            f"nats a token  {progress.seconds:.0f} s",
            flush=True,
        )

    digest = hashlib.sha256(
        tokens.to(torch.uint8 if len(alphabet) < 256 else torch.int16).numpy().tobytes()
    ).hexdigest()
    provenance = {
        "script": "scripts/train_priors.py",
        "arguments": arguments.name,
        "data": data,
        "data_sha256": digest,
    }
    nats = training.run(tokens, alphabet, arguments.out / arguments.name, provenance=provenance, report=report)
    print(f"validation {nats:.4f} nats a token")


if __name__ == "__main__":
    main()
