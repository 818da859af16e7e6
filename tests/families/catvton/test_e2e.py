"""CatVTON through the real Triton: upstream's pictures, and from a photo on the wire to what is painted.

All that needs the server is in this one file: its export takes minutes, and files may run in two processes.
"""

import asyncio
import base64
import json
import shutil

import cv2
import httpx
import numpy as np
import pytest

from families.catvton.family import UNET
from pipeline.garment.pose import Pose
from serving.stages.onnx_runtime import OnnxStage
from tests.e2e.test_http import base64_of, capture, frame_of
from tests.e2e.test_http import picture as sent_picture
from tests.families.catvton.vectors import (
    CHECKPOINT,
    GUIDANCE,
    RESOLUTION,
    RUNS,
    job,
    load,
    noise,
    picture,
    png,
    psnr,
    rgb,
)
from tests.families.served import serving
from tests.repository import REPOSITORY
from training.landmarks import from_points

pytestmark = pytest.mark.timeout(900)  # the export takes minutes on a busy machine

KEPT = "test-catvton"
MODES = {0: "keyframe", 1: "capture"}  # by their eta, as pipeline.json has it
NAME = "transparent_off_body"
PHOTO = CHECKPOINT.parent / "trials" / "cut_out.png"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The manifest, and the stack that serves the small checkpoint; the next run has nothing to export."""
    folder = tmp_path_factory.mktemp("catvton")
    checkpoint = shutil.copytree(CHECKPOINT, folder / "checkpoint", ignore=shutil.ignore_patterns("vectors"))
    mode = {"scheduler": "DDIMScheduler", "strength": 1, "guidance_scale": GUIDANCE, "unet": UNET}
    config = {
        "resolution": RESOLUTION,
        "conditioning": "person",
        "framing": "cover",
        "prompt": "",
        "keyframe": {**mode, "steps": 4},
        "capture": {**mode, "steps": 4, "eta": 1},
    }
    (checkpoint / "pipeline.json").write_text(json.dumps(config))
    with serving(checkpoint, folder, kept=KEPT) as running:
        yield running


@pytest.mark.usefixtures("served")
def test_the_exported_unet_computes_the_same():
    vector = load("unet_forward")
    found = OnnxStage(REPOSITORY.parent / KEPT / UNET / "1" / "model.onnx").run(
        {"sample": vector["sample"], "timestep": vector["timestep"].astype(np.float32)}
    )
    assert np.abs(found["model_output"] - vector["output"]).max() < 1e-4


@pytest.mark.parametrize(("steps", "eta"), RUNS)
async def test_the_picture_is_upstreams(tryon, steps, eta):
    run = load(f"run_steps{steps}_eta{eta}")
    answer = await tryon.dress(
        job() | {"noise": noise(run)}, MODES[eta], outputs=("image", "report", "pixels"), steps=steps
    )
    assert answer["report"]["steps"] == steps
    assert psnr(rgb(answer["pixels"]), run["image"]) >= 40


async def test_two_garments_and_three_users_share_batches_and_encode_each_garment_once(tryon):
    """A cached garment's next picture does no garment work."""
    mirrored = job() | {"garment_image": png(picture("inputs/cloth.png")[::-1, ::-1].copy())}
    before_rows, before_calls = await tryon.settle(UNET)
    encoded, _ = await tryon.statistics("vae_encoder")
    options = {"mode": "capture", "steps": 6, "outputs": ("image", "report", "pixels")}
    answers = await asyncio.gather(*(tryon.dress(it, **options) for it in (job(), mirrored, mirrored)))
    rows, calls = await tryon.settle(UNET)
    assert rows - before_rows == 3 * 6 * 2
    assert calls - before_calls < 3 * 6
    # Three persons, and at most two garments: other tests have shown the one before.
    assert (await tryon.statistics("vae_encoder"))[0] - encoded <= 3 + 2
    first, second, same = (answer["pixels"] for answer in answers)
    assert np.abs(second - same).max() < 1e-3
    assert np.abs(first - second).max() > 0.1
    encoded, _ = await tryon.statistics("vae_encoder")
    await tryon.dress(mirrored, **options)
    assert (await tryon.statistics("vae_encoder"))[0] - encoded == 1


@pytest.fixture
def wear(served):
    """Sends a capture whose garment is a photo; returns the answer and its picture."""
    _, stack = served

    def worn(**fields):
        body = capture(NAME, jacket_render=None, garment_image=base64_of(PHOTO), steps=2, seed=3)
        answer = httpx.post(f"{stack.url}/virtual-tryon", json=body | fields, timeout=120).json()
        assert answer["success"], answer
        return answer, sent_picture(answer["result_image"])

    return worn


def test_the_pose_tells_what_is_painted_and_the_face_stays(wear):
    answer, found = wear(category="tops")
    assert (answer["mode"], answer["mode_reason"], answer["mask_source"]) == ("ai_enhanced", None, "pose")
    assert answer["category"] == "tops"
    frame = frame_of(NAME)
    pose = Pose(from_points(capture(NAME)["pose"]["landmarks"]), (frame.shape[1], frame.shape[0]))
    head = pose.head.within((0, 0, *pose.size)) > 0
    assert np.array_equal(found[head], frame[head])
    torso = cv2.erode(pose.torso().astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    assert (found != frame)[torso & ~pose.protected].any(axis=-1).mean() > 0.9


def test_a_mask_takes_the_place_of_the_pose(wear):
    frame = frame_of(NAME)
    mask = np.zeros(frame.shape[:2], np.uint8)
    mask[300:600, 400:700] = 255
    answer, found = wear(pose=None, mask=encoded(mask))
    assert (answer["mode"], answer["mask_source"]) == ("ai_enhanced", "client")
    changed = (found != frame).any(axis=2)
    assert changed[mask > 0].mean() > 0.9
    assert not changed[mask == 0].any()


def test_without_a_pose_the_server_finds_the_person(wear):
    answer, found = wear(pose=None, category="tops")
    assert (answer["mode"], answer["mask_source"]) == ("ai_enhanced", "pose")
    assert (found != frame_of(NAME)).any()


@pytest.mark.parametrize("missing", ["nobody", "no legs"])
def test_what_is_missing_is_said_and_the_frame_comes_back(wear, missing):
    empty = np.full((240, 320, 3), 128, np.uint8)
    frame, fields, says = {
        "nobody": (empty, {"pose": None, "user_image": encoded(empty)}, "found nobody"),
        "no legs": (frame_of(NAME), {"category": "bottoms"}, "hips and knees"),
    }[missing]
    answer, found = wear(**fields)
    assert (answer["mode"], answer["mode_reason"]) == ("fallback", "no_region")
    assert says in answer["detail"]
    assert np.array_equal(found, frame)


def test_the_answer_follows_the_photo(wear):
    photo = cv2.imread(str(PHOTO))
    _, one = wear(category="tops")
    _, other = wear(category="tops", garment_image=encoded(photo[:, ::-1] // 3))
    assert (one != other).any()


def encoded(image):
    return base64.b64encode(cv2.imencode(".png", image)[1]).decode()
