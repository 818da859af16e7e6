"""A checkpoint of the SDXL-inpainting class as small as diffusers allows, with random weights."""

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.tiny_checkpoint import byte_tokenizer

RESOLUTION = (64, 128)  # height, width: a swap would be seen
FIRST, SECOND = 16, 24  # widths of the text encoders


def build(in_channels: int = 9, force_zeros: bool = True) -> StableDiffusionXLInpaintPipeline:
    """Four-level VAE (8x), three-level UNet with attention in the lower two, and two text encoders."""
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=RESOLUTION[1],
        scaling_factor=0.13025,
        force_upcast=True,
    )
    unet = UNet2DConditionModel(
        sample_size=RESOLUTION[1] // 8,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(16, 32, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 2, 4),
        use_linear_projection=True,
        norm_num_groups=8,
        cross_attention_dim=FIRST + SECOND,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=SECOND + 6 * 8,
    )
    tokenizers = byte_tokenizer(), byte_tokenizer()
    tokenizers[1].pad_token = "!"
    kinds = (CLIPTextModel, CLIPTextModelWithProjection)
    encoders = [
        kind(_text_config(width, tokenizer)).eval()
        for kind, width, tokenizer in zip(kinds, (FIRST, SECOND), tokenizers, strict=True)
    ]
    pipeline = StableDiffusionXLInpaintPipeline(
        vae=vae,
        text_encoder=encoders[0],
        text_encoder_2=encoders[1],
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=unet,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
        force_zeros_for_empty_prompt=force_zeros,
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _text_config(width: int, tokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def write(folder: Path, in_channels: int = 9, **changes) -> Path:
    """Save one to `folder`, with a `pipeline.json`. changes: of its values."""
    build(in_channels).save_pretrained(folder)
    mode = {"scheduler": "EulerDiscreteScheduler", "strength": 0.6, "guidance_scale": 3, "unet": "sdxl_unet"}
    config = {
        "resolution": RESOLUTION,
        "conditioning": "masked",
        "prompt": "a {fabric} jacket",
        "negative_prompt": "",
        "keyframe": {**mode, "steps": 2},
        "capture": {**mode, "steps": 4, "strength": 1},
    }
    (folder / "pipeline.json").write_text(json.dumps(config | changes))
    return folder
