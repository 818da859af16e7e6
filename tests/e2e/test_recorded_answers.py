"""A change that means to change no picture changes none."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from tests import recorded_answers
from tests.tryon_client import Tryon

RECORDED = json.loads((recorded_answers.FOLDER / "answers.json").read_text())
# Processors round differently; bfloat16 (OpenVINO with AMX) is the furthest from what is recorded.
LEAST_PSNR = 38


@pytest.mark.parametrize("mode", recorded_answers.MODES)
@pytest.mark.parametrize("scene", recorded_answers.SCENES)
async def test_an_answer_is_the_recorded_one(stack, scene, mode):
    async with Tryon.connect(stack.triton_grpc) as tryon:
        image, garment = await recorded_answers.dress(tryon, scene, mode)
    if recorded_answers.processor() == RECORDED["processor"]:
        assert hashlib.sha256(image).hexdigest() == RECORDED["sha256"][f"{scene}-{mode}"]
    recorded = cv2.imread(str(recorded_answers.FOLDER / f"{scene}-{mode}.png"))
    assert garment.shape == recorded.shape
    assert cv2.PSNR(garment, recorded) >= LEAST_PSNR
    assert np.std(recorded) > 10, "a flat picture proves nothing"
