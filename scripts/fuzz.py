"""Fuzz what takes bytes of other people: `python scripts/fuzz.py --results benchmarks/results`.

Ten thousand inputs of each kind that know how they are made (Hypothesis), and ten thousand that grow by what of the
code they reach (atheris, which is optional: `pip install atheris`). What is fuzzed, and what counts as a finding, is in
`seiko_bench.fuzz_targets`. Each finding is kept once for each place in the code, with a short input that makes it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

INPUTS = 10_000
NAMES = ("labels", "recipe", "ledger")


class Findings:
    """Counts what a target did, and keeps what it should not have done."""

    def __init__(self, target: Callable[[bytes], bool]) -> None:
        self._target = target
        self.inputs = self.taken = 0
        self.found: dict[str, dict[str, Any]] = {}

    def try_(self, data: bytes) -> None:
        """Try an input."""
        self.inputs += 1
        try:
            self.taken += bool(self._target(data))
        except Exception as error:  # any that is not a refusal is what is looked for
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "seiko" in frame.filename]
            where = f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
            known = self.found.setdefault(where, {"times": 0, "bytes": len(data) + 1})
            known["times"] += 1
            if len(data) < known["bytes"]:
                known |= {"error": f"{error}"[:300], "bytes": len(data), "input": data[:2000].hex()}

    def row(self, target: str, by: str, seconds: float) -> dict[str, Any]:
        """Return what the result file says of it."""
        return {"target": target, "by": by, "inputs": self.inputs, "taken": self.taken,
                "seconds": round(seconds, 1), "findings": self.found}  # fmt: skip


def structured(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """Try inputs that Hypothesis makes."""
    import hypothesis

    from seiko_bench.fuzz_inputs import STRATEGIES, good
    from seiko_bench.fuzz_targets import TARGETS

    findings, began = Findings(TARGETS[name]), time.monotonic()
    for data in good(name):
        findings.try_(data)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(STRATEGIES[name])
    def trial(data: bytes) -> None:
        findings.try_(data)

    while findings.inputs < inputs:
        trial()
    return findings.row(name, f"Hypothesis {hypothesis.__version__}", time.monotonic() - began)


def covered(name: str, inputs: int, out: Path) -> None:
    """Try inputs that libFuzzer makes, and end the process."""
    import atheris

    with atheris.instrument_imports(
        include=["seiko.config", "seiko.campaign", "seiko.cli"], enable_loader_override=False
    ):
        from seiko_bench.fuzz_targets import TARGETS

    findings, began = Findings(TARGETS[name]), time.monotonic()

    def once(data: bytes) -> None:
        findings.try_(data)
        if findings.inputs % 500 == 0 or findings.inputs >= inputs:
            out.write_text(json.dumps(findings.row(name, "atheris", time.monotonic() - began)))

    atheris.Setup(sys.argv[:1] + json.loads(os.environ["SEIKO_FUZZ_FLAGS"]), once)
    atheris.Fuzz()


def by_coverage(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """Have a process try inputs that grow by coverage, from the good ones and the words that make trouble."""
    from seiko_bench.fuzz_inputs import TROUBLE, good

    with tempfile.TemporaryDirectory(prefix="seiko-fuzz-") as folder:
        root = Path(folder)
        (root / "corpus").mkdir()
        for i, data in enumerate(good(name)):
            (root / "corpus" / str(i)).write_bytes(data)
        words = {word for word in TROUBLE if 0 < len(word) < 60}
        lines = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in sorted(words))
        (root / "words").write_text("".join(f'"{line}"\n' for line in lines))
        flags = [f"-atheris_runs={inputs}", f"-seed={seed + 1}", f"-dict={root / 'words'}", "-max_len=16384"]
        flags += ["-timeout=60", "-rss_limit_mb=8192", "-close_fd_mask=3", str(root / "corpus")]
        command = [
            sys.executable,
            __file__,
            "--only",
            name,
            "--covered",
            str(root / "row.json"),
            "--inputs",
            str(inputs),
        ]
        done = subprocess.run(
            command,
            env={**os.environ, "SEIKO_FUZZ_FLAGS": json.dumps(flags)},
            capture_output=True,
            text=True,
            check=False,
        )
        if not (root / "row.json").is_file():
            raise SystemExit(f"the fuzzer of {name} ended with {done.returncode}: {done.stderr[-2000:]}")
        row: dict[str, Any] = json.loads((root / "row.json").read_text())
        if done.returncode and row["inputs"] < inputs:
            why = f"the process ended with {done.returncode}"
            row["findings"][why] = {"times": 0, "error": done.stderr[-500:]}
        return row


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=NAMES, help="one target only")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of each target, by each way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="folder of the result file")
    parser.add_argument("--covered", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.covered is not None:
        covered(chosen.only, chosen.inputs, chosen.covered)
        return
    ways = [structured]
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: nothing is fuzzed by coverage (pip install atheris)", file=sys.stderr)
    else:
        ways.append(by_coverage)
    rows = []
    for name in NAMES if chosen.only is None else (chosen.only,):
        for way in ways:
            row = way(name, chosen.inputs, chosen.seed)
            rows.append(row)
            print(f"{name} by {row['by']}: {row['inputs']} inputs, {row['taken']} taken, {row['seconds']} s, "
                  f"{len(row['findings'])} findings", flush=True)  # fmt: skip
            for where, finding in row["findings"].items():
                print(f"  {where}: {finding['error']}", flush=True)
            if chosen.results is not None:
                _save(rows, chosen.results, chosen.inputs)
    if any(row["findings"] for row in rows):
        raise SystemExit(1)


def _save(rows: list[dict[str, Any]], folder: Path, inputs: int) -> None:
    import seiko

    result = {
        "benchmark": "Fuzzing: malformed label files, recipes and exports",
        "command": "python scripts/fuzz.py --results benchmarks/results"
        + (f" --inputs {inputs}" if inputs != INPUTS else ""),
        "version": seiko.__version__,
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "rows": rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fuzz.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
