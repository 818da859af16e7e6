"""What diffusers' own pipeline makes of the same request."""

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionXLInpaintPipeline
from PIL import Image

from tests.families.pictures import window
from tests.tiny_sdxl import RESOLUTION

PROMPT = "a red jacket"


def theirs(folder, recipe, answer, seed, config, changes=None):
    """The picture of the same crop, mask and seed, (H, W, 3) in 0…1.

    changes: added to the UNet's weights, by their names.
    """
    height, width = RESOLUTION
    pipeline = StableDiffusionXLInpaintPipeline.from_pretrained(
        folder,
        dtype=torch.float32,
        add_watermarker=False,
        force_zeros_for_empty_prompt=config.settings["zero_negative"],
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = getattr(diffusers, recipe.scheduler).from_config(pipeline.scheduler.config)
    weights = pipeline.unet.state_dict()
    pipeline.unet.load_state_dict(
        {name: weights[name] + it for name, it in (changes or {}).items()}, strict=False
    )
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
