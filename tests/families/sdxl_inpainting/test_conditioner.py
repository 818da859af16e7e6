"""The whole of a request on plain functions, against diffusers' own pipeline."""

import json

import cv2
import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLInpaintPipeline
from PIL import Image

from families.sdxl_inpainting.conditioner import make_conditioner, time_ids
from families.sdxl_inpainting.stages import UNET
from pipeline.garment_cache import GarmentCache
from pipeline.recipe import Recipe, ServedConfig
from tests.families.plain_models import PlainModels, dress, plain_pipeline
from tests.tiny_sdxl import RESOLUTION
from tests.tryon_client import keyframe

PROMPT = "a red jacket"


def served(negative="", zero_negative=True, conditioning="masked", **recipe):
    mode = Recipe(resolution=RESOLUTION, unet=UNET, **recipe)
    return ServedConfig(
        resolution=RESOLUTION,
        conditioning=conditioning,
        prompt=PROMPT,
        negative_prompt=negative,
        keyframe=mode,
        capture=mode,
        family="sdxl_inpainting",
        settings={"zero_negative": zero_negative},
        max_live=3,
    )


@pytest.fixture
def ours(loaded, stages, tmp_path):
    """Runs a request by this configuration."""
    for name, content in loaded.text.tokenizer_files().items():
        (tmp_path / name).write_bytes(content)

    async def run(config, pictures=None, **options):
        models = PlainModels(stages.values())
        conditioner = make_conditioner(config, tmp_path, GarmentCache(1 << 20))
        pipeline = plain_pipeline(config, loaded.scheduler_config, conditioner, models)
        return await dress(pipeline, config, pictures or keyframe("transparent_no_pose"), **options)

    return run


def theirs(folder, config, answer, seed):
    """diffusers' picture of the same crop, mask and seed, (H, W, 3) in 0…1."""
    recipe, (height, width) = config.capture, RESOLUTION
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


@pytest.mark.parametrize(
    "config",
    [
        {"scheduler": "EulerDiscreteScheduler", "steps": 4, "strength": 1, "guidance_scale": 3},
        {"scheduler": "EulerDiscreteScheduler", "steps": 3, "strength": 0.5, "guidance_scale": 3},
        {"scheduler": "DPMSolverMultistepScheduler", "steps": 4, "strength": 0.6, "guidance_scale": 1},
        {"scheduler": "UniPCMultistepScheduler", "steps": 3, "strength": 0.6, "guidance_scale": 4},
        {"scheduler": "EulerAncestralDiscreteScheduler", "steps": 3, "strength": 1, "guidance_scale": 2},
        {
            "scheduler": "DDIMScheduler",
            "steps": 3,
            "strength": 1,
            "guidance_scale": 5,
            "negative": "flat, blurry",
        },
        {
            "scheduler": "DDIMScheduler",
            "steps": 3,
            "strength": 1,
            "guidance_scale": 5,
            "zero_negative": False,
            "conditioning": "composite",
        },
    ],
    ids=lambda it: f"{it['scheduler']} {it['strength']}",
)
async def test_the_picture_is_that_of_diffusers_own_pipeline(folder, ours, config):
    """Same crop (but for the rounding of its resizing), mask, seed, scheduler and steps."""
    config = served(**config)
    answer = await ours(config, seed=7)
    expected = theirs(folder, config, answer, 7)
    found = (answer["pixels"][0].transpose(1, 2, 0) / 2 + 0.5).clip(0, 1)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    assert psnr(found, expected) >= 50


async def test_the_prompt_and_the_sizes_change_the_picture(ours):
    config = served(scheduler="DDIMScheduler", steps=2, strength=1, guidance_scale=3)
    answers = [await ours(config, prompt=prompt) for prompt in (None, PROMPT, "a blue one")]
    first, same, other = (answer["pixels"] for answer in answers)
    assert np.array_equal(first, same)
    assert not np.allclose(first, other, atol=1e-3)


def test_the_time_ids_are_height_first():
    config = served(scheduler="DDIMScheduler", steps=1, strength=1, guidance_scale=1)
    ids = time_ids(config.capture, 2)
    assert ids.tolist() == [[64, 128, 0, 0, 64, 128]] * 2


async def test_a_photo_of_the_garment_alone_is_not_painted(ours):
    """This class paints a render; the answer says so, and its picture is the frame."""
    config = served(scheduler="DDIMScheduler", steps=1, strength=1, guidance_scale=1)
    pictures = keyframe("transparent_no_pose")
    pictures["garment_image"] = pictures.pop("jacket_render")
    report = json.loads((await ours(config, pictures))["report"][0])
    assert (report["mode"], report["mode_reason"]) == ("fallback", "needs_render")
