"""The sample user: scikit-image's public-domain portrait `astronaut`, with our own jacket render."""

import cv2
import numpy as np
from skimage import data

from catalog import Catalog
from training.landmarks import as_points
from training.lucy_tiny.jackets import render_jacket

# The face's points are MediaPipe's. Shoulders, arms and hips are set by hand, since the collar misleads it.
_FACE = [
    (0.416, 0.252), (0.444, 0.213), (0.462, 0.216), (0.478, 0.219), (0.397, 0.207), (0.378, 0.205),
    (0.362, 0.204), (0.500, 0.238), (0.334, 0.219), (0.439, 0.288), (0.385, 0.284),
]  # fmt: skip
_BODY = {
    11: (0.645, 0.545), 12: (0.185, 0.535), 13: (0.72, 0.82), 14: (0.09, 0.82), 15: (0.66, 1.08),
    16: (0.20, 1.08), 23: (0.56, 1.12), 24: (0.28, 1.12),
}  # fmt: skip
FABRIC = "corduroy-brown"


def frame() -> np.ndarray:
    """The camera frame, (512, 512, 3) RGB uint8."""
    return data.astronaut()


def landmarks() -> np.ndarray:
    """(33, 4) as MediaPipe gives them: x, y of the frame, z, visibility."""
    points = np.zeros((33, 4), np.float32)
    for number, (x, y) in {**dict(enumerate(_FACE)), **_BODY}.items():
        points[number] = (x, y, 0, 0.99)
    return points


def render(size: tuple[int, int] = (768, 768)) -> np.ndarray:
    """The jacket as a frontend draws it: (H, W, 4) RGBA uint8, transparent around it."""
    catalog = Catalog()
    texture = catalog.texture(catalog.get(FABRIC).textures["diffuse"].filename)
    cloth = cv2.cvtColor(cv2.imread(str(texture)), cv2.COLOR_BGR2RGB)
    return render_jacket(landmarks(), size, cloth, seed=12)  # a blazer


def encode(picture: np.ndarray, suffix: str) -> bytes:
    """An (H, W, 3 or 4) RGB(A) uint8 picture as a file's bytes; suffix: `.jpg` or `.png`."""
    code = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return cv2.imencode(suffix, cv2.cvtColor(picture, code))[1].tobytes()


def message() -> dict:
    """The fields of the frontend's keyframe message, without its type and pictures."""
    return {
        "pose": {"landmarks": as_points(landmarks()), "shoulderWidth": 0.42, "rotation": 3.1},
        "fabric_id": FABRIC,
    }
