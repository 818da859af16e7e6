"""FASHN's own client against its own kind of checkpoint in the real Triton: a shop's whole call."""

import cv2
import fashn
import httpx
import numpy as np

from lucy_client.pictures import data_uri
from tests.families.fashn_vton.test_serving import served
from tests.tryon_client import KEYFRAMES

__all__ = ["served"]


def test_a_shops_call_is_answered_with_a_picture(served):
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
