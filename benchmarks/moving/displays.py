"""What three clients show of the newest answer while the person moves on."""

import cv2
import numpy as np

from benchmarks.moving.film import SIZE, Moment
from benchmarks.moving.motion import motion
from pipeline.light.composing import PlacedLight, composed, steadied

MOST = 0.7  # of the old frontend's blend
RISE_S = 0.5  # until it is reached, from 0 at each answer
EASE_S = 0.4  # of client.js, at most


def drawn(moment: Moment) -> np.ndarray:
    """The client's own render over the live frame."""
    share = moment.render[:, :, 3:].astype(np.float32) / 255
    colour = moment.frame + share * (moment.render[:, :, :3].astype(np.float32) - moment.frame)
    return np.rint(colour).astype(np.uint8)


def blended(moment: Moment, answer: np.ndarray, age: float) -> np.ndarray:
    """The existing frontend: the newest picture at up to 70 % over the live render."""
    passed = min(1.0, age / RISE_S)
    alpha = MOST * (1 - (1 - passed) ** 3)
    return cv2.addWeighted(drawn(moment), 1 - alpha, answer, alpha, 0)


def lit(
    moment: Moment, newest: PlacedLight, keyframe: np.ndarray, earlier: PlacedLight | None, age: float
) -> np.ndarray:
    """client.js: the newest light on what is live, eased from the one before. keyframe: its landmarks.

    tests/studio/test_light.py holds its WebGL to the server's picture.
    """
    passed = min(1.0, age / EASE_S)
    share = passed * passed * (3 - 2 * passed)
    lights = [newest] if earlier is None or share == 1 else [newest, earlier]
    light = steadied(lights, [share, 1 - share][: len(lights)] if len(lights) == 2 else [1.0], 0, SIZE)
    return composed(moment.frame, moment.render, newest, light, motion(keyframe, moment.landmarks, SIZE))
