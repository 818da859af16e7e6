"""A generated person who walks, sways and turns, 30 frames a second.

Of each frame: what the camera sees, what the client draws, and the photograph, which is the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.picture.cases import SIZE as WEBCAM
from benchmarks.picture.cases import bgr, encode
from training.lucy_tiny.scenes import Scene

SIZE = (640, 360)
RATE = 30
NOISE = 2.0  # standard deviation in grey levels of a webcam in a lit room


@dataclass(frozen=True)
class Moment:
    """One frame. Pictures are (H, W, 3 or 4) BGR(A) uint8.

    mask: (H, W) uint8, the garment's. landmarks: (33, 4).
    """

    time: float
    frame: np.ndarray
    render: np.ndarray
    truth: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray

    def keyframe(self) -> dict[str, np.ndarray]:
        """As `tryon` takes it."""
        return {
            "camera_frame": encode(self.frame, ".jpg"),
            "jacket_render": encode(self.render, ".png"),
            "pose": self.landmarks,
        }


@dataclass(frozen=True)
class Motion:
    """How far the person goes in each way, as a share of a lively person's: to and fro, swaying, turning."""

    walk: float
    sway: float
    turn: float


MOTIONS = {
    "walking": Motion(walk=1, sway=0.3, turn=0.3),
    "swaying": Motion(walk=0, sway=1, turn=0),
    "turning": Motion(walk=0.1, sway=0.2, turn=1.5),
    "all together": Motion(walk=1, sway=1, turn=1),
}


def film(scene: Scene, seconds: float, how: Motion = MOTIONS["all together"]) -> Iterator[Moment]:
    for number in range(round(seconds * RATE)):
        time = number / RATE
        turn = how.turn * np.sin(2 * np.pi * time / 3.1)  # about −1 to 1: how far the person has turned
        motion = _motion(time, turn, how)
        rng = np.random.default_rng(number)
        lit = _turned_light(bgr(scene.target), scene.mask, turn)
        points = scene.landmarks.copy()
        points[:, :2] = ((points[:, :2] * WEBCAM) @ motion[:, :2].T + motion[:, 2]) / WEBCAM
        frame = _seen(bgr(scene.frame), motion, cv2.BORDER_REPLICATE)
        noise = rng.normal(0, NOISE, frame.shape)
        yield Moment(
            time,
            np.rint(frame + noise).clip(0, 255).astype(np.uint8),
            _seen(bgr(scene.render), motion, cv2.BORDER_CONSTANT),
            _seen(lit, motion, cv2.BORDER_REPLICATE),
            _seen(scene.mask, motion, cv2.BORDER_CONSTANT),
            points.astype(np.float32),
        )


def _motion(time: float, turn: float, how: Motion) -> np.ndarray:
    """Walking to and fro, nearer and further, swaying, and the narrowing of a turn: (2, 3)."""
    angle = 3 * how.sway * np.sin(2 * np.pi * time / 1.7)
    scale = 1 + 0.08 * how.walk * np.sin(2 * np.pi * time / 4.3)
    motion = cv2.getRotationMatrix2D((WEBCAM[0] / 2, WEBCAM[1]), angle, scale)
    motion[:, 2] += how.walk * np.array(
        [110 * np.sin(2 * np.pi * time / 4), 8 * np.sin(2 * np.pi * time / 0.6)]
    )
    narrow = 1 - 0.1 * turn**2
    about = np.array([[narrow, 0, (1 - narrow) * WEBCAM[0] / 2], [0, 1, 0], [0, 0, 1]])
    return (np.vstack([motion, (0, 0, 1)]) @ about)[:2]


def _turned_light(target: np.ndarray, mask: np.ndarray, turn: float) -> np.ndarray:
    """The photograph; the garment's side that has turned away from the lamp is darker by up to a fifth."""
    x, _, width, _ = cv2.boundingRect(mask)
    across = ((np.arange(mask.shape[1]) - x) / width * 2 - 1).clip(-1, 1) * 0.2 * turn
    factor = 1 + mask[..., None] / 255 * across[None, :, None]
    return (target * factor).clip(0, 255).astype(np.uint8)


def _seen(picture: np.ndarray, motion: np.ndarray, border: int) -> np.ndarray:
    down = np.diag([SIZE[0] / WEBCAM[0], SIZE[1] / WEBCAM[1], 1])
    matrix = (down @ np.vstack([motion, (0, 0, 1)]))[:2]
    if picture.ndim == 3 and picture.shape[2] == 4:
        share = picture[:, :, 3:].astype(np.float32) / 255
        picture = np.dstack([picture[:, :, :3] * share, picture[:, :, 3]]).astype(np.float32)
        seen = cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=border)
        colour = seen[:, :, :3] / np.maximum(seen[:, :, 3:] / 255, 1e-3)
        return np.dstack([colour, seen[:, :, 3]]).clip(0, 255).astype(np.uint8)
    return cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=border)
