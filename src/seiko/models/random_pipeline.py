"""Pipelines of the four families with random weights: real classes, sizes of one's choice, nothing downloaded.

For tests (tiny), for measuring speed and memory at a published size, and for trying a run before a model is at hand.
What they draw is noise. Tokenizers know bytes and no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

__all__ = ["FAMILY_NAMES", "RandomPipeline", "clip_tokenizer", "random_clip"]

FamilyName = Literal["sd", "sdxl", "sd3", "flux"]
FAMILY_NAMES: tuple[FamilyName, ...] = ("sd", "sdxl", "sd3", "flux")

_UNET: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "sample_size": 8,
}
_VAE: dict[str, Any] = {
    "block_out_channels": (8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "latent_channels": 4,
    "sample_size": 16,
}
_TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 16,
}
SD15_UNET: dict[str, Any] = {"sample_size": 64, "cross_attention_dim": 768}
SD15_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
SDXL_UNET: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
"""Published configurations (stable-diffusion-v1-5, stable-diffusion-xl-base-1.0), from their config.json."""


@dataclass(frozen=True, kw_only=True)
class RandomPipeline:
    """A pipeline with random weights.

    Args:
        family: "sd", "sdxl", "sd3" or "flux".
        seed: Of the weights.
        predicts: What a U-Net is said to predict, diffusers' `prediction_type`.
        distilled: Whether Flux takes its guidance scale as an input.
        unet: Entries of the U-Net's configuration in place of the tiny ones.
        vae: Likewise of the autoencoder's.
        text: Likewise of the CLIP text encoders'.
    """

    family: FamilyName = "sd"
    seed: int = 0
    predicts: str = "epsilon"
    distilled: bool = False
    unet: Mapping[str, Any] = field(default_factory=dict)
    vae: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=dict)

    def save(self, folder: str | Path) -> Path:
        """Write the pipeline in diffusers' folder layout, as safetensors; return the folder."""
        self.build().save_pretrained(folder, safe_serialization=True)
        return Path(folder)

    def build(self) -> Any:
        """Return the pipeline."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            match self.family:
                case "sd":
                    return self._sd()
                case "sdxl":
                    return self._sdxl()
                case "sd3":
                    return self._sd3()
                case "flux":
                    return self._flux()

    def _sd(self) -> Any:
        diffusers = _diffusers()

        text = self._clip()
        tiny = {**_UNET, "cross_attention_dim": text.config.hidden_size}
        unet = diffusers.UNet2DConditionModel(**_without_tiny(tiny, self.unet))
        return diffusers.StableDiffusionPipeline(
            vae=self._vae(),
            text_encoder=text,
            tokenizer=clip_tokenizer(),
            unet=unet,
            scheduler=self._ddim(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    def _sdxl(self) -> Any:
        diffusers = _diffusers()

        first, second = self._clip(), self._clip(projection=True)
        width = first.config.hidden_size + second.config.hidden_size
        tiny = {
            **_UNET,
            "cross_attention_dim": width,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": second.config.projection_dim + 6 * 4,
            "transformer_layers_per_block": (1, 2),
            "use_linear_projection": True,
        }
        return diffusers.StableDiffusionXLPipeline(
            vae=self._vae(),
            text_encoder=first,
            text_encoder_2=second,
            tokenizer=clip_tokenizer(),
            tokenizer_2=clip_tokenizer(),
            unet=diffusers.UNet2DConditionModel(**_without_tiny(tiny, self.unet)),
            scheduler=self._ddim(),
        )

    def _sd3(self) -> Any:
        diffusers = _diffusers()

        first, second, third = self._clip(projection=True), self._clip(projection=True), _t5()
        transformer = diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=third.config.d_model,
            caption_projection_dim=16,
            pooled_projection_dim=first.config.projection_dim + second.config.projection_dim,
            out_channels=4,
            pos_embed_max_size=8,
        )
        return diffusers.StableDiffusion3Pipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=self._vae(shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
            text_encoder=first,
            tokenizer=clip_tokenizer(),
            text_encoder_2=second,
            tokenizer_2=clip_tokenizer(),
            text_encoder_3=third,
            tokenizer_3=t5_tokenizer(),
        )

    def _flux(self) -> Any:
        diffusers = _diffusers()

        first, second = self._clip(), _t5()
        transformer = diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=second.config.d_model,
            pooled_projection_dim=first.config.hidden_size,
            axes_dims_rope=(4, 2, 2),
            guidance_embeds=self.distilled,
        )
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096
        )
        return diffusers.FluxPipeline(
            scheduler=scheduler,
            vae=self._vae(shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False),
            text_encoder=first,
            tokenizer=clip_tokenizer(),
            text_encoder_2=second,
            tokenizer_2=t5_tokenizer(),
            transformer=transformer,
        )

    def _ddim(self) -> Any:
        diffusers = _diffusers()

        return diffusers.DDIMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
            set_alpha_to_one=False,
            clip_sample=False,
            prediction_type=self.predicts,
        )

    def _vae(self, **entries: Any) -> Any:
        diffusers = _diffusers()

        return diffusers.AutoencoderKL(**_without_tiny({**_VAE, **entries}, self.vae))

    def _clip(self, *, projection: bool = False) -> Any:
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

        tokenizer = clip_tokenizer()
        tokens = {
            "vocab_size": len(tokenizer),
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        config = CLIPTextConfig(**{**_TEXT, **tokens, **self.text})
        return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def _diffusers() -> Any:
    import diffusers

    return diffusers


def _without_tiny(tiny: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tiny configuration, or the given one if there is any: they do not mix."""
    return dict(given) if given else dict(tiny)


def _t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=len(t5_tokenizer()), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return T5EncoderModel(config)


def clip_tokenizer() -> Any:
    """Return CLIP's tokenizer over bytes."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)


def random_clip(folder: str | Path, *, width: int = 16, side: int = 16, seed: int = 0) -> str:
    """Save a tiny random `CLIPModel` with tokenizer and preprocessing, and return its folder.

    Args:
        folder: Where to.
        width: Numbers of an embedding.
        side: Pixels that it sees, a multiple of 2.
        seed: Of its weights.
    """
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    tokenizer = clip_tokenizer()
    both = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    text = {**both, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    vision = {**both, "image_size": side, "patch_size": side // 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=width)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side).save_pretrained(folder)
    return str(folder)


def t5_tokenizer() -> Any:
    """Return T5's tokenizer over printable ASCII."""
    from transformers import T5Tokenizer

    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0), *((chr(c), -3.0) for c in range(33, 127))]
    return T5Tokenizer(vocab=words, extra_ids=0, model_max_length=512)
