"""The small checkpoint in the real Triton, on the CPU profile, against upstream's pictures."""

import asyncio
import json
import shutil

import pytest

from families.idm_vton import family
from families.idm_vton.family import GARMENT_NET, IMAGE_ENCODER, STAGES, UNET
from tests.families.idm_vton.vectors import (
    CHECKPOINT,
    GARMENT,
    RESOLUTION,
    STEPS,
    job,
    load,
    noise,
    picture,
    png,
    psnr,
    rgb,
)
from tests.families.served import serving

# A run of the vectors for each mode, and its guidance.
RUNS = {"capture": ("run_steps4", 2), "keyframe": ("run_steps4_noguidance", 1)}
INSIDE = ("image", "report", "pixels")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The manifest and the stack. The two UNets take minutes to export, so the repository is kept."""
    folder = tmp_path_factory.mktemp("idm")
    checkpoint = shutil.copytree(CHECKPOINT, folder / "checkpoint")
    config = family.default_config().model_dump() | {"resolution": RESOLUTION}
    for mode, (_, guidance) in RUNS.items():
        config[mode] |= {"resolution": RESOLUTION, "steps": STEPS, "eta": 1, "guidance_scale": guidance}
    (checkpoint / "pipeline.json").write_text(json.dumps(config))
    with serving(checkpoint, folder, kept="test-idm-vton") as running:
        yield running


@pytest.mark.parametrize("mode", RUNS)
async def test_the_picture_is_upstreams(tryon, mode):
    run = load(RUNS[mode][0])
    answer = await tryon.dress(job() | {"noise": noise(run)}, mode, outputs=INSIDE, prompt=GARMENT)
    assert answer["report"]["pose_drawing"] == "client"
    assert psnr(rgb(answer["pixels"]), run["image"]) >= 40


async def test_a_cached_garments_second_keyframe_does_no_garment_work(tryon):
    before = {name: (await tryon.statistics(name))[0] for name in (GARMENT_NET, IMAGE_ENCODER)}
    await tryon.dress(job(), prompt="a vest")
    between = {name: (await tryon.statistics(name))[0] for name in before}
    assert between[GARMENT_NET] == before[GARMENT_NET] + STEPS
    await tryon.dress(job(), prompt="a vest", seed=2)
    assert {name: (await tryon.statistics(name))[0] for name in before} == between


async def test_two_garments_and_three_users_share_batches(tryon):
    before_rows, before_calls = await tryon.settle(UNET)
    mirrored = job() | {"garment_image": png(picture("cloth")[::-1])}
    answers = await asyncio.gather(*(tryon.dress(it, "capture") for it in (job(), mirrored, job())))
    rows, calls = await tryon.settle(UNET)
    assert rows - before_rows == 3 * STEPS * 2
    assert calls - before_calls < 3 * STEPS
    assert answers[0]["image"].tobytes() != answers[1]["image"].tobytes()


def test_the_manifest_says_what_stands_in_and_what_it_may_be_used_for(served):
    manifest, _ = served
    assert manifest["family"]["name"] == "idm_vton"
    assert manifest["licence"]["commercial"] is False
    assert "DensePose" in manifest["stand_ins"][0]
    assert set(manifest["stages"]) == set(STAGES)
    assert all(stage["parity"]["error"] < 1e-4 for stage in manifest["stages"].values())
