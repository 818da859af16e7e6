"""Pictures of unusual sizes and kinds through the proxy and the real Triton: each is answered, or refused."""

import base64

import cv2
import httpx
import numpy as np
import pytest

from tests.pipeline.encoded_pictures import encoded
from tests.pipeline.garment.scenes import landmarks
from training.landmarks import as_points

FRAMES = [
    (1, 1, "RGB PNG"),
    (1, 4000, "JPEG"),
    (12_000, 10, "JPEG"),
    (10, 12_000, "RGB PNG"),
    (8, 8, "CMYK JPEG"),
    (641, 479, "WebP"),
    (77, 33, "16-bit RGB PNG"),
    (63, 65, "gray and alpha PNG"),
    (50, 51, "palette PNG"),
]
RENDERS = [
    (1, 1, "16-bit gray PNG"),
    (200, 300, "16-bit RGBA PNG"),
    (9000, 7, "RGBA PNG"),
    (35, 301, "gray and alpha PNG"),
]


def data_uri(width, height, kind):
    media = {"J": "jpeg", "W": "webp"}.get(kind.replace("CMYK ", "")[0], "png")
    return f"data:image/{media};base64," + base64.b64encode(encoded(width, height, kind)).decode()


@pytest.fixture
def client(stack):
    with httpx.Client(base_url=stack.url, timeout=120) as client:
        yield client


# Each frame and each render is in several of them.
PAIRS = [
    pytest.param(frame, render, marks=[] if (number + other) % 4 == 0 else pytest.mark.nightly)
    for number, frame in enumerate(FRAMES)
    for other, render in enumerate(RENDERS)
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("frame", "render"), PAIRS, ids=lambda shape: "{}x{} {}".format(*shape) if shape else None
)
def test_a_picture_of_any_size_is_answered(client, frame, render):
    """A frame of 1 × 1 and one of 12,000 × 10 gave 502."""
    body = {
        "user_image": data_uri(*frame),
        "jacket_render": data_uri(*render),
        "pose": {"landmarks": as_points(landmarks())},
        "fabric_id": None,
        "steps": 2,
    }
    answer = client.post("/virtual-tryon", json=body)
    assert answer.status_code == 200, answer.text
    picture = base64.b64decode(answer.json()["result_image"].split(",")[1])
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == (frame[1], frame[0], 3)


def test_a_side_that_is_too_long_is_refused_with_what_to_do(client):
    frame, render = data_uri(20_000, 5, "JPEG"), data_uri(9, 9, "RGBA PNG")
    body = {"user_image": frame, "jacket_render": render, "pose": None}
    answer = client.post("/virtual-tryon", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_INPUT"
    assert "scale it down to at most 16384" in answer.json()["error"]
