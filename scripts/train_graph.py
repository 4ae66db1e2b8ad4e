"""Train and measure the graph diffusion prior that travels in the package.

    python scripts/train_graph.py --bfloat16 --out src/seiko/priors/qm9
    python scripts/train_graph.py --evaluate --num-steps 20 50 100 --results benchmarks/results/qm9_prior.json

The data is QM9 without what its graphs have no place for: charges, radicals (an artefact of this list) and salts.
Training can be interrupted and started again; the shipped weights took 16 minutes of one core with --bfloat16, which
needs a processor that has it in hardware.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from rdkit.Chem import Mol

from seiko import data
from seiko.chemistry import PROPERTIES, parse
from seiko.diffusion import Noise, rollout
from seiko.models import GraphCodec, GraphDiffusion, GraphPretraining, GraphSource, ModelPolicy, PretrainProgress
from seiko.models.graph_codec import Repair
from seiko.models.graph_molecule import atom_classes, to_smiles


def read(codec: GraphCodec) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Return the classes of QM9's graphs, and the hash of the file."""
    path = data.fetch("qm9")
    rows = []
    for smiles in gzip.decompress(path.read_bytes()).decode().split():
        try:
            if "." not in smiles:
                rows.append(atom_classes(codec, smiles))
        except ValueError:
            continue
    atoms, bonds = (torch.tensor([row[i] for row in rows], dtype=torch.int64) for i in (0, 1))
    return atoms, bonds, hashlib.sha256(path.read_bytes()).hexdigest()


def shares(counted: Counter[Any]) -> dict[str, float]:
    """Return each share of a count, in the order of the keys."""
    total = sum(counted.values())
    return {str(key): round(counted[key] / total, 4) for key in sorted(counted)}


def describe(molecules: list[Mol]) -> dict[str, Any]:
    """Return the distributions of some molecules."""
    atoms: Counter[Any] = Counter(atom.GetSymbol() for mol in molecules for atom in mol.GetAtoms())
    bonds: Counter[Any] = Counter(str(bond.GetBondType()).lower() for mol in molecules for bond in mol.GetBonds())
    rings: Counter[Any] = Counter(len(ring) for mol in molecules for ring in mol.GetRingInfo().AtomRings())
    names = ("rings", "aromatic_rings", "heavy_atoms", "logp", "qed", "sa", "tpsa")
    means = {name: round(sum(PROPERTIES[name](mol) for mol in molecules) / len(molecules), 3) for name in names}
    sizes: Counter[Any] = Counter(mol.GetNumHeavyAtoms() for mol in molecules)
    return {
        "atoms": shares(atoms),
        "bonds": shares(bonds),
        "ring_sizes": shares(rings),
        "sizes": shares(sizes),
        "means": means,
    }


def total_variation(p: dict[str, float], q: dict[str, float]) -> float:
    """Return half of the summed absolute differences of two distributions, 0 to 1."""
    return round(sum(abs(p.get(key, 0.0) - q.get(key, 0.0)) for key in p.keys() | q.keys()) / 2, 4)


def evaluate(
    model: GraphDiffusion, known: set[str], reference: dict[str, Any], samples: int, seed: int
) -> dict[str, Any]:
    """Return validity with and without corrections, uniqueness, novelty and distributions of fresh samples."""
    noise, started = Noise.seeded(seed, samples), time.monotonic()
    with torch.no_grad():
        states = [rollout(ModelPolicy(model), None, noise[i : i + 500]).x_0 for i in range(0, samples, 500)]
    seconds = time.monotonic() - started
    atoms, bonds = model.codec.quantise(torch.cat(states))
    found: dict[str, Any] = {"samples": samples, "num_steps": model.num_steps, "seed": seed}
    found["seconds"] = round(seconds, 1)
    repairs: tuple[Repair, ...] = ("raw", "largest", "valence")
    for repair in repairs:
        smiles = to_smiles(model.codec, atoms, bonds, repair)
        valid = [text for text in smiles if parse(text) is not None]
        whole = [text for text in valid if "." not in text]
        found[repair] = {
            "valid": len(valid) / samples,
            "valid_connected": len(whole) / samples,
            "unique_of_valid": len(set(valid)) / max(1, len(valid)),
            "novel_of_unique": len(set(valid) - known) / max(1, len(set(valid))),
        }
        if repair == "largest":
            found["distributions"] = drawn = describe([mol for mol in map(parse, valid) if mol is not None])
            found["total_variation"] = {
                name: total_variation(drawn[name], reference[name]) for name in drawn if name != "means"
            }
    return found


def main() -> None:
    """Train, or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("src/seiko/priors/qm9"))
    parser.add_argument("--steps", type=int, default=7_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--evaluate", action="store_true", help="measure the model in --out, train nothing")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--num-steps", type=int, nargs="+", default=[50], help="denoising steps to measure with")
    parser.add_argument("--results", type=Path, help="where the measured numbers are written")
    arguments = parser.parse_args()
    codec = GraphCodec()
    atoms, bonds, digest = read(codec)
    if arguments.evaluate:
        known = to_smiles(codec, atoms, bonds, "raw")
        # one molecule in twelve is enough for the distributions; in byte order, neighbours are alike
        reference = describe([mol for mol in map(parse, known[::12]) if mol is not None])
        weights = hashlib.sha256((arguments.out / "model.safetensors").read_bytes()).hexdigest()
        found: dict[str, Any] = {"weights_sha256": weights, "data_sha256": digest, "data": reference}
        for num_steps in arguments.num_steps:
            model = GraphSource(name=str(arguments.out), num_steps=num_steps).load()
            found[f"steps_{num_steps}"] = evaluate(model, set(known), reference, arguments.samples, arguments.seed)
        text = json.dumps(found, indent=2) + "\n"
        print(text)
        if arguments.results:
            arguments.results.write_text(text, encoding="utf-8")
        return
    training = GraphPretraining(
        steps=arguments.steps,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        bfloat16=arguments.bfloat16,
        seed=arguments.seed,
    )

    def report(progress: PretrainProgress) -> None:
        print(
            f"step {progress.step}/{training.steps}  loss {progress.loss:.3f}  validation {progress.validation:.3f} "
            f"nats a graph  {progress.seconds:.0f} s",
            flush=True,
        )

    provenance = {"script": "scripts/train_graph.py", "data": f"{len(atoms)} molecules of QM9", "data_sha256": digest}
    nats = training.run(atoms, bonds, codec, arguments.out, provenance=provenance, report=report)
    print(f"validation {nats:.3f} nats a graph")


if __name__ == "__main__":
    main()
