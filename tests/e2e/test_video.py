"""A film through the whole stack: the clip and the layer of a moving person."""

import time

import cv2
import httpx
import numpy as np

from tests import films
from tests.tryon_client import KEYFRAMES

COUNT = 5
SIZE = (480, 270)


def moving(name, shift):
    """The recorded keyframe's picture, a little further to the right in each frame."""
    picture = cv2.imread(str(KEYFRAMES / "transparent_no_pose" / name), cv2.IMREAD_UNCHANGED)
    small = cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
    border = cv2.BORDER_REPLICATE if small.shape[2] == 3 else cv2.BORDER_CONSTANT
    return [
        cv2.warpAffine(small, np.array([[1, 0, shift * n], [0, 1, 0]], np.float32), SIZE, borderMode=border)
        for n in range(COUNT)
    ]


def test_a_clip_is_dressed(stack, tmp_path):
    frames, layers = moving("camera_frame.jpg", 3), moving("jacket_render.png", 3)
    sent = {
        "video": films.write(tmp_path / "clip.mp4", frames, options={"crf": "12"}).read_bytes(),
        "layer": films.with_alpha(tmp_path / "layer.webm", layers).read_bytes(),
    }
    accepted = httpx.post(f"{stack.url}/api/video", files=sent, data={"seed": 7}, timeout=120)
    assert accepted.status_code == 202, accepted.text
    deadline = time.monotonic() + 120
    while (status := httpx.get(accepted.json()["url"], timeout=30).json())["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert status["state"] == "succeeded", status["failure"]
    result = status["result"]
    assert (result["frames"], result["dressed"], result["mode"]) == (COUNT, COUNT, "ai_enhanced")
    assert result["mask_source"] == "alpha"
    film = tmp_path / "film.mp4"
    film.write_bytes(httpx.get(result["url"], timeout=30).content)
    pictures = films.read(film)
    assert len(pictures) == COUNT
    lit = []
    for picture, frame, layer in zip(pictures, frames, layers, strict=True):
        outside = cv2.dilate(layer[:, :, 3], np.ones((15, 15), np.uint8)) == 0
        assert np.abs(picture.astype(int) - frame)[outside].mean() < 5  # the codec's, twice
        inside = cv2.erode(layer[:, :, 3], np.ones((9, 9), np.uint8)) > 250
        lit.append(
            (picture.astype(float) + 10)[inside].mean() / (layer[:, :, :3].astype(float) + 10)[inside].mean()
        )
    assert np.ptp(lit) < 0.05, "the light is steady"
    assert httpx.delete(accepted.json()["url"], timeout=30).status_code == 200
