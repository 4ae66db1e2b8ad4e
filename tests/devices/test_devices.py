"""Whole campaigns of every kind on another device than the CPU, none of whose tensors may meet the CPU's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seiko.campaign import Campaign
from seiko.devices import device_named
from seiko.diffusion import Noise
from seiko_recipes.sequences import ehrlich

pytest.importorskip("diffusers")
pytest.importorskip("gpytorch")
pytest.importorskip("rdkit")
if not hasattr(pytest.importorskip("torch.utils.backend_registration"), "_setup_privateuseone_for_python_backend"):
    pytest.skip("this PyTorch has no backend in Python", allow_module_level=True)

PROGRAM = Path(__file__).with_name("elsewhere.py")
QUICK = ("molecules", "images")
SLOW = (
    *("graphs", "latents", "letters", "ensemble", "steered", "lora", "preferences"),
    *("gradient", "guided", "prompts", "adjoint", "policy"),
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], check=False, capture_output=True, text=True, timeout=600
    )


@pytest.mark.parametrize("case", [*QUICK, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)])
def test_a_campaign_runs_wherever_its_model_is(case: str, tmp_path: Path, clip: str) -> None:
    done = run(case, str(tmp_path), clip)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == f"{5 if case in ('latents', 'policy') else 16} labels, 2 rounds"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpu", "none that PyTorch computes on: choose cpu, cuda"),
        ("cuda:99", "is not there, .*choose another one, or cpu"),
        ("meta", "none that PyTorch computes on"),
    ],
)
def test_a_device_that_is_not_there_is_said_before_anything_is_bought(name: str, says: str, tmp_path: Path) -> None:
    with Campaign.open(tmp_path / "run", ehrlich(device=name)) as campaign:
        with pytest.raises(ValueError, match=says):
            campaign.ask(4)
        assert not campaign.state.queries


def test_the_cpu_is_there() -> None:
    assert device_named("cpu").type == "cpu"


def test_noise_is_the_same_wherever_it_is_made() -> None:
    noise = Noise.seeded(3, 5)
    assert torch.equal(noise.to("cpu").normal((2,)), noise.normal((2,)))


def test_the_device_is_as_strict_as_another_one() -> None:
    program = f"""
import runpy, torch
found = runpy.run_path({str(PROGRAM)!r})
kernels = found["register"]()
with found["elsewhere"]():
    x, here = torch.ones(3, 4, device="elsewhere"), torch.ones(4)
    assert x.device.type == "elsewhere" and (x.cpu() + here).device.type == "cpu"
    assert float((2 * x[[0, 2]]).sum()) == 16 and (x * torch.tensor(2.0)).device.type == "elsewhere"
    for wrong in (
        lambda: x + here,
        lambda: torch.cat([x, here[None]]),
        lambda: here[x.long()],
        lambda: x.numpy(),
        lambda: torch.rand(2, device="elsewhere", generator=torch.Generator()),
    ):
        try:
            wrong()
        except (RuntimeError, TypeError):
            continue
        raise AssertionError("two devices met")
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
