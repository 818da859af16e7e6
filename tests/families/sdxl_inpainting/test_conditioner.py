"""The whole of a request on plain functions, against diffusers' own pipeline."""

import json

import numpy as np
import pytest

from families.sdxl_inpainting.conditioner import make_conditioner, time_ids
from families.sdxl_inpainting.stages import UNET
from pipeline.recipe import Recipe, ServedConfig
from pipeline.tensor_cache import TensorCache
from tests.families.pictures import as_picture, psnr
from tests.families.plain_models import PlainModels, dress, plain_pipeline
from tests.families.sdxl_inpainting.upstream import PROMPT, theirs
from tests.tiny_sdxl import RESOLUTION
from tests.tryon_client import keyframe


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

    async def run(config, pictures=None, models=None, **options):
        models = models or PlainModels(stages.values())
        conditioner = make_conditioner(config, tmp_path, TensorCache(1 << 20))
        pipeline = plain_pipeline(config, loaded.scheduler_config, conditioner, models)
        return await dress(pipeline, config, pictures or keyframe("transparent_no_pose"), **options)

    return run


@pytest.mark.sampled(2)
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
    expected = theirs(folder, config.capture, answer, 7, config)
    found = as_picture(answer["pixels"])
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


async def test_a_photo_of_the_garment_alone_is_not_painted(ours, stages):
    """This class paints a render; the answer says so, its picture is the frame, and no network has run."""
    config = served(scheduler="DDIMScheduler", steps=1, strength=1, guidance_scale=1)
    pictures = keyframe("transparent_no_pose")
    pictures["garment_image"] = pictures.pop("jacket_render")
    models = PlainModels(stages.values())
    report = json.loads((await ours(config, pictures, models))["report"][0])
    assert (report["mode"], report["mode_reason"]) == ("fallback", "needs_render")
    assert [model for model, _ in models.calls] == ["preprocess", "postprocess"]
