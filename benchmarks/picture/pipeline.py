"""`preprocess` and `postprocess` in this process, with a stand-in for the networks."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pipeline.garment.crop import Crop, around, latent_mask, pixels
from pipeline.garment.masking import Garment, composite, find_garment, torso_overlap
from pipeline.garment.pictures import decode_frame, decode_render
from pipeline.garment.pose import Pose
from pipeline.light.compositing import relit, to_bgr

RESOLUTION = (256, 256)
# As lucy-tiny's keyframes are served.
_CHECKPOINT = Path(__file__).parents[2] / "export" / "checkpoints" / "lucy-tiny"
_KEYFRAME = json.loads((_CHECKPOINT / "pipeline.json").read_text())["keyframe"]
_HOW = {"sigma": _KEYFRAME["relight_sigma"], "detail_gain": _KEYFRAME["detail_gain"]}

# Maps the composite's crop, (1, 3, H, W) in −1…1, to the picture that a model would make of it.
Model = Callable[[np.ndarray, Crop], np.ndarray]


@dataclass
class Dressed:
    """One case's results after each stage. steps: milliseconds of processor time."""

    frame: np.ndarray
    garment: Garment
    pose: Pose
    composite: np.ndarray
    crop: Crop
    answer: np.ndarray
    steps: dict[str, float] = field(default_factory=dict)


def dress(
    camera_frame: np.ndarray,
    jacket_render: np.ndarray,
    landmarks: np.ndarray,
    model: Model,
) -> Dressed:
    """Run a keyframe from compressed bytes to the answer's JPEG; the model's own time is not counted."""
    steps: dict[str, float] = {}

    def timed(name: str, work: Callable[[], np.ndarray]):
        began = time.process_time()
        result = work()
        steps[name] = 1000 * (time.process_time() - began)
        return result

    frame = timed("decode frame", lambda: decode_frame(camera_frame))
    render = timed("decode render", lambda: decode_render(jacket_render))
    pose = Pose(landmarks, frame.shape[1::-1])
    garment = timed("find garment", lambda: find_garment(render, frame, pose))
    timed("alignment", lambda: torso_overlap(garment.mask, pose))
    drawn = timed("composite", lambda: composite(garment, frame))
    crop = around(garment.mask, RESOLUTION)
    painted = timed("latent mask", lambda: latent_mask(crop, garment.mask, RESOLUTION))
    start = timed("pixels", lambda: pixels(crop, drawn, painted, RESOLUTION, False))
    picture = model(start, crop)
    place = np.array([crop.x, crop.y, crop.width, crop.height])
    answer, _ = timed("relight", lambda: relit(to_bgr(picture[0]), drawn, garment.mask, place, **_HOW))
    timed("encode JPEG", lambda: cv2.imencode(".jpg", answer, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])
    return Dressed(frame, garment, pose, drawn, crop, answer, steps)


def unchanged(start: np.ndarray, crop: Crop) -> np.ndarray:
    """A stand-in for a model under neutral light: it returns its input."""
    return start[:1]


def photographer(target: np.ndarray) -> Model:
    """The ideal model: it returns the photograph at the networks' resolution."""

    def model(start: np.ndarray, crop: Crop) -> np.ndarray:
        picture = crop.of(target, RESOLUTION, cv2.BORDER_REPLICATE)
        return (picture[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1

    return model
