"""What a directory in diffusers' format says of a pixel model, and how one is written.

    unet/config.json, unet/diffusion_pytorch_model.safetensors     sizes, channels, number of classes
    scheduler/scheduler_config.json                                betas, prediction, spacing, clipping
    model_index.json                                               so that diffusers opens it as a pipeline
    seiko.json                                                     classes by name, the class that means none, `stop`

Old directories keep both at their root (`config.json`, `scheduler_config.json`); those are read, too. Nothing is
unpickled: weights that are not safetensors are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors.torch import save_file

from seiko.diffusion import BetaSchedule
from seiko.priors import SIDE_FILE

__all__ = ["INDEX", "PixelFiles", "build_unet", "holds_pixel_model", "read_pixel_model", "save_pixel_model"]

INDEX, UNET, SCHEDULER, WEIGHTS = "model_index.json", "unet", "scheduler", "diffusion_pytorch_model.safetensors"
_KINDS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "squared_cosine"}
_PREDICTIONS = {"epsilon": "noise", "sample": "data", "v_prediction": "velocity"}


@dataclass(frozen=True, kw_only=True)
class PixelFiles:
    """The configuration of a pixel model.

    Args:
        unet: Of diffusers' `UNet2DModel`.
        scheduler: Of diffusers' `DDPMScheduler` or `DDIMScheduler`; what is missing has diffusers' defaults.
        classes: Names of the classes in the order of their labels; empty numbers them.
        null_class: Label that means no class, if the model was trained with one.
        stop: Training step at which sampling stops by default.

    Raises:
        ValueError: If the scheduler is none that DDIM can follow.
    """

    unet: dict[str, Any]
    scheduler: dict[str, Any]
    classes: tuple[str, ...] = ()
    null_class: int | None = None
    stop: int | None = None

    def __post_init__(self) -> None:
        for key, known, default in (
            ("beta_schedule", list(_KINDS), "linear"),
            ("prediction_type", list(_PREDICTIONS), "epsilon"),
            ("timestep_spacing", ["leading", "trailing"], "leading"),
            ("trained_betas", [None], None),
            ("thresholding", [False], False),
            ("rescale_betas_zero_snr", [False], False),
        ):
            if (value := self.scheduler.get(key, default)) not in known:
                ways = ", ".join(map(repr, known))
                raise ValueError(f"the scheduler's {key} must be {ways}, got {value!r}: edit its scheduler_config.json")

    @property
    def event_shape(self) -> tuple[int, int, int]:
        """(c, h, w)."""
        size = self.unet["sample_size"]
        height, width = (size, size) if isinstance(size, int) else size
        return (self.unet["in_channels"], height, width)

    @property
    def conditional(self) -> bool:
        """Whether the U-Net takes a class."""
        return self.unet.get("num_class_embeds") is not None

    @property
    def predicts(self) -> Literal["noise", "data", "velocity"]:
        """What the U-Net predicts, in this library's words."""
        name = _PREDICTIONS[self.scheduler.get("prediction_type", "epsilon")]
        return cast(Literal["noise", "data", "velocity"], name)

    @property
    def clip(self) -> float | None:
        """Bound of x_0_hat inside of the chain."""
        return self.scheduler.get("clip_sample_range", 1.0) if self.scheduler.get("clip_sample", True) else None

    def schedule(self, stop: int | None = None) -> BetaSchedule:
        """Return the scheduler's betas and spacing."""
        get = self.scheduler.get
        return BetaSchedule(
            kind=_KINDS[get("beta_schedule", "linear")],  # type: ignore[arg-type]
            num_train_steps=get("num_train_timesteps", 1000),
            beta_start=get("beta_start", 1e-4),
            beta_end=get("beta_end", 0.02),
            offset=get("steps_offset", 0),
            end_at_data=get("set_alpha_to_one", True),
            spacing=get("timestep_spacing", "leading"),
            stop=stop,
        )

    def label(self, prompt: str | None) -> int:
        """Return the label of a class, by its name or its number.

        Raises:
            ValueError: If there is no such class.
        """
        if prompt is None:
            if self.null_class is None:
                raise ValueError("this model draws only what a class is asked for, got no prompt")
            return self.null_class
        if self.classes:
            if prompt in self.classes:
                return self.classes.index(prompt)
            raise ValueError(f"prompt must be a class of this model ({', '.join(self.classes)}), got {prompt!r}")
        count = self.unet["num_class_embeds"]
        if not (prompt.isascii() and prompt.isdigit() and int(prompt) < count):
            raise ValueError(f"prompt must be the number of a class, 0 to {count - 1}, got {prompt!r}")
        return int(prompt)


def build_unet(config: dict[str, Any]) -> Any:
    """Return a `UNet2DModel` of random weights.

    Raises:
        ImportError: If diffusers is not installed; names the extra.
    """
    return _unet_class()(**{key: value for key, value in config.items() if not key.startswith("_")})


def holds_pixel_model(folder: Path) -> bool:
    """Return whether a directory holds a U-Net of pixels."""
    return any(_json(path / "config.json").get("_class_name") == "UNet2DModel" for path in (folder / UNET, folder))


def read_pixel_model(folder: Path, name: str) -> tuple[Any, PixelFiles]:
    """Return the U-Net of a directory, in single precision, and what the directory says of it.

    Raises:
        ValueError: If there is no U-Net of pixels, no scheduler, or no safetensors.
    """
    unet_folder = folder / UNET if (folder / UNET).is_dir() else folder
    scheduler_folder = folder / SCHEDULER if (folder / SCHEDULER).is_dir() else folder
    config, scheduler = _json(unet_folder / "config.json"), _json(scheduler_folder / "scheduler_config.json")
    if config.get("_class_name") != "UNet2DModel":
        found = config.get("_class_name") or "no U-Net"
        raise ValueError(f"{name!r} holds {found}, not a model of pixels in diffusers' format (UNet2DModel)")
    if not scheduler:
        raise ValueError(f"{name!r} holds no scheduler_config.json: without its betas a U-Net says nothing")
    if not (unet_folder / WEIGHTS).is_file():
        raise ValueError(f"{name!r} holds no {WEIGHTS}: pickled weights are not read; save them as safetensors")
    side = _json(folder / SIDE_FILE)
    files = PixelFiles(
        unet={key: value for key, value in config.items() if key not in ("_name_or_path", "_diffusers_version")},
        scheduler=scheduler,
        classes=tuple(side.get("classes", ())),
        null_class=side.get("null_class"),
        stop=side.get("stop"),
    )
    unet = _unet_class().from_pretrained(unet_folder, use_safetensors=True, low_cpu_mem_usage=False)
    return unet.float(), files


def save_pixel_model(
    unet: Any,
    files: PixelFiles,
    folder: str | Path,
    provenance: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a U-Net and its scheduler in diffusers' format, with what this library knows beside them."""
    folder = Path(folder)
    for part in (UNET, SCHEDULER):
        (folder / part).mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().to(dtype).cpu().contiguous() for name, value in unet.state_dict().items()}
    save_file(weights, folder / UNET / WEIGHTS, metadata={"format": "pt"})
    kind = files.scheduler.get("_class_name", "DDIMScheduler")
    index = {
        "_class_name": "DDIMPipeline",
        "scheduler": ["diffusers", kind],
        "unet": ["diffusers", "UNet2DModel"],
    }
    side = {
        "classes": list(files.classes),
        "null_class": files.null_class,
        "stop": files.stop,
        "provenance": provenance or {},
    }
    for path, content in (
        (folder / UNET / "config.json", {**files.unet, "_class_name": "UNet2DModel"}),
        (folder / SCHEDULER / "scheduler_config.json", {"_class_name": kind, **files.scheduler}),
        (folder / INDEX, index),
        (folder / SIDE_FILE, side),
    ):
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return folder


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _unet_class() -> Any:
    try:
        from diffusers import UNet2DModel
    except ImportError as error:
        raise ImportError("models of pixels need diffusers: pip install 'seiko[images]'") from error
    return UNet2DModel
