"""A tiny SDXL checkpoint through the real Triton, against diffusers' own pipeline.

Keyframes have three LoRAs, each of another dialect and for another module.
"""

import pytest
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from export.lora import Lora
from families.sdxl_inpainting.family import STAGES, UNET
from pipeline.recipe import ServedConfig
from tests import tiny_sdxl
from tests.families.pictures import as_picture, psnr
from tests.families.sdxl_inpainting.lora_files import CONV, QUERY, matrices, pair
from tests.families.sdxl_inpainting.upstream import PROMPT, theirs
from tests.families.served import serving
from tests.tryon_client import Tryon, keyframe

pytestmark = pytest.mark.timeout(1800)  # the export takes minutes on a busy machine

INSIDE = ("image", "report", "composite", "crop", "latent_mask", "pixels")
LORAS = {"kohya": "add_embedding.linear_1", "diffusers": QUERY, "peft": CONV}
WEIGHT = 0.5


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdxl")
    checkpoint = tiny_sdxl.write(folder / "checkpoint")
    shapes = {
        name: tuple(it.shape)
        for name, it in UNet2DConditionModel.from_pretrained(checkpoint / "unet").state_dict().items()
    }
    changes, loras = {}, []
    for dialect, module in LORAS.items():
        shape = shapes[f"{module}.weight"]
        down, up = matrices(shape)
        changes[f"{module}.weight"] = WEIGHT * (up.flatten(1) @ down.flatten(1)).reshape(shape)
        loras.append(Lora(folder / f"{dialect}, of SDXL.safetensors", WEIGHT))
        save_file(pair(dialect, module, down, up), loras[-1].path)
    with serving(checkpoint, folder, loras=loras) as running:
        yield folder, changes, *running


@pytest.mark.parametrize("mode", ["keyframe", "capture"])
async def test_the_picture_is_that_of_diffusers_own_pipeline(served, mode):
    folder, changes, manifest, stack = served
    assert manifest["family"]["name"] == "sdxl_inpainting"
    assert [it["modules"] for it in manifest["loras"]] == [1, 1, 1]
    assert set(manifest["stages"]) == {*STAGES, f"{UNET}_fast"}
    assert all(stage["parity"]["error"] < 1e-4 for stage in manifest["stages"].values())
    config = ServedConfig.model_validate_json(
        (folder / "repository" / "tryon" / "1" / "pipeline.json").read_text()
    )
    async with Tryon.connect(stack.triton_grpc) as tryon:
        answer = await tryon.dress(
            keyframe("transparent_no_pose"), mode, outputs=INSIDE, prompt=PROMPT, seed=11
        )
    found, recipe = as_picture(answer["pixels"]), config.modes[mode]
    plain, changed = (theirs(folder / "checkpoint", recipe, answer, 11, config, it) for it in ({}, changes))
    expected, other = (changed, plain) if mode == "keyframe" else (plain, changed)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    assert psnr(found, expected) >= 40
    assert psnr(other, expected) < 35, "the LoRAs change nothing"
