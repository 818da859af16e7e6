"""What three clients show of the newest answer while the person moves on."""

import cv2
import numpy as np

from benchmarks.moving.film import SIZE, Moment
from pipeline.garment.pose import SHOULDERS
from pipeline.light.light_map import decode_light
from pipeline.light.relighting import relight, with_detail
from pipeline.light.session_light import similarity

MOST = 0.7  # of the old frontend's blend
RISE_S = 0.5  # until it is reached, from 0 at each answer
EASE_S = 0.4  # of client.js, at most
SIDE = 256


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


class Light:
    """A light, and where it lies. The arithmetic is that of client.js, whose WebGL is held to the server's
    picture by tests/studio/test_light.py."""

    def __init__(self, image: np.ndarray, told: dict, occlusion: np.ndarray | None):
        self.map = cv2.resize(decode_light(image), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        self.told = told
        self.occlusion = occlusion

    def onto(self, landmarks: np.ndarray) -> np.ndarray:
        """(3, 3), from pixels of the light to those of the frame with these landmarks."""
        x, y, width, height = np.multiply(self.told["crop"], (*SIZE, *SIZE))
        crop = np.array([[width / SIDE, 0, x], [0, height / SIDE, y], [0, 0, 1]])
        if self.told["anchor"] is None:
            return crop
        now = landmarks[list(SHOULDERS), :2] * SIZE
        return similarity(np.multiply(self.told["anchor"], SIZE), now) @ crop


def lit(moment: Moment, newest: Light, earlier: Light | None, age: float) -> np.ndarray:
    """client.js: the newest light on what is live, eased from the one before."""
    place = newest.onto(moment.landmarks)
    light = newest.map
    passed = min(1.0, age / EASE_S)
    share = passed * passed * (3 - 2 * passed)
    if earlier is not None and share < 1:
        between = np.linalg.inv(place) @ earlier.onto(moment.landmarks)
        before = _warp(earlier.map, between, (SIDE, SIDE))
        light = share * light + (1 - share) * before
    coverage = moment.render[:, :, 3].astype(np.float32) / 255
    if newest.occlusion is not None:
        scale = np.diag([SIDE / newest.occlusion.shape[1], SIDE / newest.occlusion.shape[0], 1])
        coverage *= 1 - _warp(newest.occlusion, place @ scale, SIZE).astype(np.float32) / 255
    colour = moment.frame + coverage[..., None] * (moment.render[:, :, :3].astype(np.float32) - moment.frame)
    composite = np.rint(colour).astype(np.uint8)
    back = np.linalg.inv(place)
    small = _warp(composite, back, (SIDE, SIDE))
    there = _warp(coverage, back, (SIDE, SIDE), cv2.BORDER_CONSTANT)
    coding = newest.told["light_coding"]
    full = with_detail(light.astype(np.float32), small, there, coding["sigma"] * SIDE, coding["detail_gain"])
    return relight(composite, _warp(full, place, SIZE), np.rint(255 * coverage).astype(np.uint8))


def _warp(
    picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int], border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    return cv2.warpAffine(picture, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=border)
