"""A tiny SDXL checkpoint through the real Triton, against diffusers' own pipeline."""

import pytest

from pipeline.recipe import ServedConfig
from tests import tiny_sdxl
from tests.families.sdxl_inpainting.upstream import PROMPT, as_picture, psnr, theirs
from tests.families.served import serving
from tests.tryon_client import Tryon, keyframe

pytestmark = pytest.mark.timeout(900)  # the export takes minutes on a busy machine

INSIDE = ("image", "report", "composite", "crop", "latent_mask", "pixels")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdxl")
    with serving(tiny_sdxl.write(folder / "checkpoint"), folder) as running:
        yield folder, *running


@pytest.mark.parametrize("mode", ["keyframe", "capture"])
async def test_the_picture_is_that_of_diffusers_own_pipeline(served, mode):
    folder, manifest, stack = served
    assert manifest["family"]["name"] == "sdxl_inpainting"
    config = ServedConfig.model_validate_json(
        (folder / "repository" / "tryon" / "1" / "pipeline.json").read_text()
    )
    async with Tryon.connect(stack.triton_grpc) as tryon:
        answer = await tryon.dress(
            keyframe("transparent_no_pose"), mode, outputs=INSIDE, prompt=PROMPT, seed=11
        )
    expected = theirs(folder / "checkpoint", config.modes[mode], answer, 11, config)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    assert psnr(as_picture(answer["pixels"]), expected) >= 40
