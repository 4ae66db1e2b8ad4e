"""Our DDIM against the scheduler of diffusers, along whole trajectories with the same noise."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from seiko.diffusion import DDIM, BetaSchedule, Noise

diffusers = pytest.importorskip("diffusers")

NAMES = {"noise": "epsilon", "data": "sample", "velocity": "v_prediction"}
STABLE_DIFFUSION: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
PIXELS: dict[str, Any] = {
    "beta_schedule": "squaredcos_cap_v2",
    "timestep_spacing": "trailing",
    "set_alpha_to_one": False,
    "clip_sample": False,
}


def network(x: torch.Tensor, training_step: int) -> torch.Tensor:
    """Stand in for a U-Net: bounded, depends on the state and the time, mixes the coordinates."""
    return torch.tanh(0.7 * x + 0.3 * x.roll(1, -1) + training_step / 1000) * 0.9


# no "noise" for pixels, which says nothing of x_0 where that schedule starts; and no 7 steps, for which diffusers steps
# down by a rounded stride and misses its own timesteps
CASES = [
    (configuration, predicts, num_steps)
    for configuration in ("default", "stable_diffusion")
    for predicts in ("noise", "data", "velocity")
    for num_steps in (7, 50)
] + [("pixels", "data", 50), ("pixels", "velocity", 50)]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("configuration", "predicts", "num_steps"), CASES)
def test_trajectories_agree(
    configuration: str, predicts: Literal["noise", "data", "velocity"], eta: float, num_steps: int
) -> None:
    if configuration == "default":
        theirs = diffusers.DDIMScheduler(prediction_type=NAMES[predicts])
        schedule, clip = BetaSchedule(), 1.0
    elif configuration == "pixels":
        theirs = diffusers.DDIMScheduler(prediction_type=NAMES[predicts], **PIXELS)
        schedule = BetaSchedule(kind="squared_cosine", spacing="trailing", end_at_data=False)
        clip = None
    else:
        theirs = diffusers.DDIMScheduler(prediction_type=NAMES[predicts], **STABLE_DIFFUSION)
        schedule, clip = BetaSchedule.stable_diffusion(), None
    ours = DDIM(schedule=schedule, num_steps=num_steps, eta=eta, predicts=predicts, clip=clip)
    theirs.set_timesteps(num_steps)
    assert theirs.timesteps.tolist() == schedule.training_step(ours.times[1:]).flip(0).tolist()

    noise = Noise.seeded(0, 3)
    x = y = ours.prior((2, 5), noise)
    for k, timestep in zip(range(num_steps, 0, -1), theirs.timesteps.tolist(), strict=True):
        draw = noise.fold_in(k)
        x = ours.transition(network(x, timestep), x, k).sample(draw)
        y = theirs.step(network(y, timestep), timestep, y, eta=eta, variance_noise=draw.normal((2, 5))).prev_sample
        torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-5)
