"""A Stable-Diffusion-inpainting-class checkpoint as small as diffusers allows, with random weights."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

RESOLUTION = 64


def build(in_channels: int = 9, version: int = 1) -> StableDiffusionInpaintPipeline:
    """Four-level VAE (8x), two-level UNet, and a vocabulary of single bytes.

    version: 2 has OpenCLIP's activation and projections, heads of one size, and predicts v.
    """
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=RESOLUTION,
    )
    unet = UNet2DConditionModel(
        sample_size=RESOLUTION // 8,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=8 if version == 1 else (2, 4),
        use_linear_projection=version == 2,
        norm_num_groups=8,
        cross_attention_dim=32,
    )
    tokenizer = byte_tokenizer()
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            hidden_act="quick_gelu" if version == 1 else "gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    pipeline = StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
            prediction_type="epsilon" if version == 1 else "v_prediction",
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def byte_tokenizer() -> CLIPTokenizer:
    """CLIP's, with a vocabulary of single bytes."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(letter + "</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def write(folder: Path, in_channels: int = 9, conditioning: str = "composite", version: int = 1) -> Path:
    """Save one to `folder`, with a `pipeline.json`."""
    build(in_channels, version).save_pretrained(folder)
    mode = {"scheduler": "DDIMScheduler", "strength": 0.6, "guidance_scale": 1}
    config = {
        "resolution": [RESOLUTION, RESOLUTION],
        "conditioning": conditioning,
        "prompt": "a {fabric} jacket",
        "negative_prompt": "",
        "keyframe": {**mode, "steps": 4},
        "capture": {**mode, "steps": 25, "guidance_scale": 3},
    }
    (folder / "pipeline.json").write_text(json.dumps(config))
    return folder
