"""One frame of 1280×720 with a jacket over it, and the light that a server would answer."""

import base64
from pathlib import Path

import cv2
import numpy as np

from pipeline.light.light_map import encode_light

SIZE = (1280, 720)
KEYFRAME = Path("tests/data/keyframes/transparent_no_pose")
MARGIN = 0.12  # of the jacket's height, around it
CODING = {"range": 1.4, "floor": 0.04, "sigma": 0.0117, "detail_gain": 1.15}


def scene(opaque: bool) -> dict[str, object]:
    """Pictures as data URIs, and the answer. opaque: the canvas holds the video, too."""
    frame = cv2.imread(str(KEYFRAME / "camera_frame.jpg"))
    layer = cv2.imread(str(KEYFRAME / "jacket_render.png"), cv2.IMREAD_UNCHANGED)
    frame, layer = (cv2.resize(it, SIZE, interpolation=cv2.INTER_AREA) for it in (frame, layer))
    alpha = layer[:, :, 3]
    x, y, width, height = cv2.boundingRect((alpha > 8).astype(np.uint8))
    margin = round(MARGIN * height)
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(SIZE[0], x + width + margin), min(SIZE[1], y + height + margin)
    coverage = cv2.resize(alpha[top:bottom, left:right], (256, 256), interpolation=cv2.INTER_AREA) / 255
    down, across = np.mgrid[-1:1:256j, -1:1:256j]
    light = np.dstack([0.1 - 0.4 * across, -0.3 * across + 0.1 * down, -0.35 * across]).astype(np.float32)
    if opaque:
        share = alpha[:, :, None] / 255
        layer = np.rint(layer[:, :, :3] * share + frame * (1 - share)).astype(np.uint8)
    hidden = np.rint(255 * (1 - coverage)).astype(np.uint8)
    answer = {
        "light": _uri(encode_light(light, coverage.astype(np.float32)), "webp"),
        "occlusion": _uri(cv2.imencode(".png", hidden)[1], "png") if opaque else None,
        "crop": [left / SIZE[0], top / SIZE[1], (right - left) / SIZE[0], (bottom - top) / SIZE[1]],
        "anchor": None,
        "layer_matrix": None,
        "light_coding": CODING,
    }
    return {
        "frame": _uri(cv2.imencode(".png", frame)[1], "png"),
        "layer": _uri(cv2.imencode(".png", layer)[1], "png"),
        "answer": answer,
        "covered": round(float((alpha > 8).mean()), 3),
    }


def _uri(data: np.ndarray, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"
