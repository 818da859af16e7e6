"""A tiny checkpoint of Stable Diffusion 2 through the real Triton, against diffusers' own pipeline."""

import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from pipeline.recipe import ServedConfig
from tests import tiny_checkpoint
from tests.families.pictures import as_picture, psnr, window
from tests.families.served import serving
from tests.tryon_client import keyframe

pytestmark = pytest.mark.timeout(1800)  # the export takes minutes on a busy machine

SEED, PROMPT = 11, "a red jacket"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sd2")


@pytest.fixture(scope="module")
def served(folder):
    checkpoint = tiny_checkpoint.write(folder / "checkpoint", conditioning="masked", version=2)
    with serving(checkpoint, folder) as running:
        yield running


@pytest.mark.parametrize("mode", ["keyframe", "capture"])
async def test_the_picture_is_that_of_diffusers_own_pipeline(folder, tryon, mode):
    written = folder / "repository" / "tryon" / "1" / "pipeline.json"
    config = ServedConfig.model_validate_json(written.read_text())
    inside = ("image", "report", "composite", "crop", "latent_mask", "pixels")
    answer = await tryon.dress(
        keyframe("transparent_no_pose"), mode, outputs=inside, prompt=PROMPT, seed=SEED
    )
    expected = theirs(folder / "checkpoint", config.modes[mode], answer, config.negative_prompt)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    assert psnr(as_picture(answer["pixels"]), expected) >= 40


def theirs(checkpoint, recipe, answer, negative):
    """What diffusers makes of the same crop, mask and seed, (H, W, 3) in 0…1."""
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(checkpoint, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    pipeline.scheduler = getattr(diffusers, recipe.scheduler).from_config(pipeline.scheduler.config)
    side = tiny_checkpoint.RESOLUTION
    mask = answer["latent_mask"][0, 0].repeat(8, axis=0).repeat(8, axis=1)
    return pipeline(
        PROMPT,
        negative_prompt=negative,
        image=window(answer, (side, side)),
        mask_image=Image.fromarray((mask * 255).astype(np.uint8)),
        height=side,
        width=side,
        num_inference_steps=recipe.schedule_steps,
        strength=recipe.strength,
        guidance_scale=recipe.guidance_scale,
        generator=torch.Generator().manual_seed(SEED),
        output_type="np",
    ).images[0]
