"""A checkpoint of the architecture of stable-diffusion-inpainting (1.5), with random weights."""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline
from transformers import CLIPTextConfig, CLIPTextModel

from families.sd_inpainting import full_size
from tests.tiny_checkpoint import byte_tokenizer


def write(folder: Path) -> Path:
    """Save it to `folder` (4 GB), without a `pipeline.json`, like public checkpoints."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    text_encoder = CLIPTextModel(  # openai/clip-vit-large-patch14
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    StableDiffusionInpaintPipeline(
        vae=full_size.vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=full_size.unet(),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder
