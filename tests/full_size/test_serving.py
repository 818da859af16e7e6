"""`make test-full-size`: the configurations also fit a checkpoint of SD1.5's size.

It needs 14 GB of memory, 10 GB of disk and some minutes, so the default run leaves it out.
"""

import shutil

import cv2
import numpy as np
import pytest

from export.exporter import export
from export.hand_written import copy_hand_written
from tests.full_size import checkpoint
from tests.stack import running_stack
from tests.tryon_client import Tryon, keyframe

pytestmark = [pytest.mark.full_size, pytest.mark.timeout(3600)]


async def test_a_checkpoint_of_full_size_answers_a_keyframe(tmp_path):
    repository = tmp_path / "repository"
    copy_hand_written(repository)
    folder = checkpoint.write(tmp_path / "checkpoint")
    manifest, _ = export(str(folder), repository)
    print({name: (stage["seconds"], stage["parity"]["error"]) for name, stage in manifest["stages"].items()})
    shutil.rmtree(folder)

    (tmp_path / "stack").mkdir()
    with running_stack(tmp_path / "stack", f"--repository={repository}") as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"], within=900)
        pictures = keyframe("transparent_no_pose")
        async with Tryon.connect(stack.triton_grpc) as tryon:
            answer = await tryon.dress(
                pictures, "keyframe", outputs=("image", "report", "latent_mask", "mask")
            )
    print(answer["report"])
    assert answer["report"]["mode"] == "ai_enhanced"
    assert answer["report"]["steps"] == 4
    assert answer["latent_mask"].shape == (1, 1, 64, 64)
    frame, image = (
        cv2.imdecode(picture, cv2.IMREAD_COLOR) for picture in (pictures["camera_frame"], answer["image"])
    )
    assert image.shape == frame.shape
    # Random weights produce noise, but only in the garment's area.
    untouched = answer["mask"] == 0
    assert np.abs(image[untouched].astype(int) - frame[untouched]).mean() < 4
