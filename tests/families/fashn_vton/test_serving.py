"""The small checkpoint in the real Triton, on the CPU profile, against the upstream's pictures.

All that needs the server is in this one file: its export takes minutes, and files may run in two processes.
"""

import asyncio
import json
import shutil

import cv2
import fashn
import httpx
import numpy as np
import pytest

from families.fashn_vton.family import DENOISER
from lucy_client.pictures import data_uri
from tests.families.fashn_vton.vectors import (
    CHECKPOINT,
    RESOLUTION,
    compressed,
    inside,
    job,
    levels,
    load,
    masked_job,
    picture,
    psnr,
)
from tests.families.served import serving
from tests.tryon_client import KEYFRAMES

RECIPE = {"scheduler": "ShiftedFlowMatching", "strength": 1, "unet": DENOISER}
# A run of the vectors for each mode: its recipe and category.
RUNS = {
    "capture": ("run_steps6_flatlay", "tops", {"steps": 6, "guidance_scale": 1.5, "unguided_last_steps": 1}),
    "keyframe": ("run_steps4_skip0", "bottoms", {"steps": 4, "guidance_scale": 2.5}),
}
INSIDE = ("image", "report", "pixels", "mask")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fashn")
    checkpoint = shutil.copytree(CHECKPOINT, folder / "checkpoint")
    config = {"resolution": RESOLUTION, "conditioning": "person", "framing": "contain", "prompt": ""}
    config |= {mode: RECIPE | recipe for mode, (_, _, recipe) in RUNS.items()}
    (checkpoint / "pipeline.json").write_text(json.dumps(config))
    with serving(checkpoint, folder, kept="test-fashn-vton") as running:
        yield running


@pytest.mark.parametrize("mode", RUNS)
async def test_the_picture_is_the_upstreams(tryon, mode):
    name, category, _ = RUNS[mode]
    vector = load(name)
    answer = await tryon.dress(job(noise=vector["noise"].ravel()), mode, outputs=INSIDE, category=category)
    assert answer["report"]["category"] == category
    assert psnr(levels(answer["pixels"]), vector["image"]) > 40


async def test_a_worn_garment_with_its_wearers_pose_gives_the_upstreams_picture(tryon):
    vector = load("run_steps6_model_masked")
    pictures = masked_job(vector) | {"noise": vector["noise"].ravel()}
    answer = await tryon.dress(pictures, "capture", outputs=INSIDE, category="one-pieces")
    assert psnr(inside(levels(answer["pixels"]), vector), vector["image"]) > 40


async def test_face_hands_and_background_stay_the_cameras(tryon):
    frame = picture("inputs/person.png")
    mask = np.zeros(frame.shape[:2], np.uint8)
    mask[90:200, 60:180] = 255
    answer = await tryon.dress(job(client_mask=compressed(mask)), outputs=INSIDE, output_format="png")
    image = cv2.cvtColor(cv2.imdecode(answer["image"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    outside = answer["mask"] == 0
    assert outside.any()
    assert np.array_equal(image[outside], frame[outside])
    assert not np.array_equal(image[~outside], frame[~outside])


async def test_three_users_with_two_garments_share_batches(tryon):
    before = await tryon.statistics(DENOISER)
    other = job(garment_image=compressed(picture("inputs/cloth.png")[::-1]))
    await asyncio.gather(*(tryon.dress(it) for it in (job(), other, job())))
    rows, calls = (
        after - first for after, first in zip(await tryon.statistics(DENOISER), before, strict=True)
    )
    assert rows == 3 * 4 * 2
    assert calls < 3 * 4


def test_it_may_be_used_for_commerce(served):
    manifest, _ = served
    assert manifest["licence"]["commercial"]
    assert manifest["family"]["name"] == "fashn_vton"
    assert list(manifest["stages"]) == [DENOISER]
    assert manifest["stages"][DENOISER]["parity"]["error"] < 1e-4
    assert manifest["memory"]["rows"]


def test_a_shops_call_is_answered_with_a_picture(served):
    """FASHN's own client against its own kind of checkpoint."""
    _, stack = served
    frame = cv2.imread(str(KEYFRAMES / "transparent_off_body" / "camera_frame.jpg"))
    frame = cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)
    garment = np.full((64, 48, 3), 255, np.uint8)
    garment[8:56, 8:40] = (160, 60, 30)
    inputs = {
        "model_image": data_uri(cv2.imencode(".jpg", frame)[1].tobytes()),
        "garment_image": data_uri(cv2.imencode(".png", garment)[1].tobytes()),
        "category": "tops",
        "seed": 7,
    }
    with fashn.Fashn(api_key="none", base_url=stack.url) as api:
        result = api.predictions.subscribe(model_name="tryon-v1.6", inputs=inputs, poll_interval=100)
        assert result.status == "completed", result.error
        lost = api.predictions.subscribe(
            model_name="tryon-v1.6",
            inputs={**inputs, "model_image": inputs["garment_image"]},
            poll_interval=100,
        )
    assert (lost.status, lost.error.name) == ("failed", "PoseError"), "nobody is in a picture of cloth"
    assert "found nobody" in lost.error.message
    picture = httpx.get(result.output[0]).content
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == frame.shape
