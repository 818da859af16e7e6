"""What diffusers' own pipeline makes of the same request."""

import cv2
import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionXLInpaintPipeline
from PIL import Image

from tests.tiny_sdxl import RESOLUTION

PROMPT = "a red jacket"


def theirs(folder, recipe, answer, seed, config):
    """The picture of the same crop, mask and seed, (H, W, 3) in 0…1."""
    height, width = RESOLUTION
    pipeline = StableDiffusionXLInpaintPipeline.from_pretrained(
        folder,
        dtype=torch.float32,
        add_watermarker=False,
        force_zeros_for_empty_prompt=config.settings["zero_negative"],
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = getattr(diffusers, recipe.scheduler).from_config(pipeline.scheduler.config)
    crop = window(answer, (width, height))
    mask = answer["latent_mask"][0, 0].repeat(8, axis=0).repeat(8, axis=1)
    pixels = torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return pipeline(
        PROMPT,
        negative_prompt=config.negative_prompt or None,
        image=crop,
        mask_image=Image.fromarray((mask * 255).astype(np.uint8)),
        masked_image_latents=pixels.contiguous() if config.conditioning == "composite" else None,
        height=height,
        width=width,
        num_inference_steps=recipe.schedule_steps,
        strength=recipe.strength,
        guidance_scale=recipe.guidance_scale,
        generator=torch.Generator().manual_seed(seed),
        output_type="np",
    ).images[0]


def window(answer, size):
    """The crop as the networks see it, with the frame's edge repeated beyond it."""
    x, y, width, height = answer["crop"]
    room = max(width, height)
    padded = cv2.copyMakeBorder(answer["composite"], room, room, room, room, cv2.BORDER_REPLICATE)
    cut = padded[room + y : room + y + height, room + x : room + x + width]
    return Image.fromarray(
        cv2.cvtColor(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    )


def psnr(one, other):
    return -10 * np.log10(np.mean((one - other) ** 2))


def as_picture(pixels):
    """(1, 3, H, W) in −1…1 → (H, W, 3) in 0…1"""
    return (pixels[0].transpose(1, 2, 0) / 2 + 0.5).clip(0, 1)
