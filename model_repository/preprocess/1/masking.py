"""Where the garment is: its coverage of every pixel of the camera frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from difference import difference_mask
from pose import Pose
from registration import Registration, find_video, stretch

# A garment smaller than this share of the frame is none.
_LEAST_GARMENT = 0.002


@dataclass(frozen=True)
class Garment:
    """The garment as it lies on the frame.

    mask: (H, W) uint8, its coverage; 0 everywhere where there is none to paint.
    colour: (H, W, 3) BGR uint8, premultiplied by the render's own alpha.
    source: `alpha`, `difference`, or None where no mask could be had.
    reason: why there is none: `no_garment` or `unusable_render`; None where there is one.
    """

    mask: np.ndarray
    colour: np.ndarray
    source: str | None
    registration: Registration
    reason: str | None = None


def find_garment(render: np.ndarray, frame: np.ndarray, pose: Pose) -> Garment:
    """The garment of `render` (h, w, 4) BGRA on `frame` (H, W, 3) BGR, head and hands spared."""
    size = frame.shape[1::-1]
    alpha = cv2.extractChannel(render, 3)
    if cv2.minMaxLoc(alpha)[0] < 250:  # a canvas with a background that can be seen through
        registration = stretch(render.shape[1::-1], size)
        premultiplied = cv2.merge(
            [cv2.multiply(c, alpha, scale=1 / 255) for c in cv2.split(render)[:3]] + [alpha]
        )
        laid = registration.warp(premultiplied, size)
        colour, mask = cv2.cvtColor(laid, cv2.COLOR_BGRA2BGR), cv2.extractChannel(laid, 3)
        return _spare(Garment(mask, colour, "alpha", registration), pose)

    opaque = cv2.cvtColor(render, cv2.COLOR_BGRA2BGR)
    video = find_video(opaque, frame)
    if video is None:
        registration = stretch(render.shape[1::-1], size)
        return Garment(np.zeros(frame.shape[:2], np.uint8), frame, None, registration, "unusable_render")
    mask = difference_mask(opaque, frame, video)
    colour = _times(video.warp(opaque, size), mask)
    return _spare(Garment(mask, colour, "difference", video), pose)


def composite(garment: Garment, frame: np.ndarray) -> np.ndarray:
    """The render drawn on the frame: (H, W, 3) BGR uint8, the frame's own where the mask is 0."""
    if not garment.mask.any():
        return frame
    x, y, width, height = cv2.boundingRect(garment.mask)
    window = np.s_[y : y + height, x : x + width]
    result = frame.copy()
    result[window] = cv2.add(garment.colour[window], _times(frame[window], 255 - garment.mask[window]))
    return result


def torso_overlap(mask: np.ndarray, pose: Pose) -> float | None:
    """The share of the torso that the garment covers, 0 to 1; None where no torso is in the frame."""
    if not pose.tracked:
        return None
    torso = pose.torso() & ~pose.protected()
    return round(float((mask[torso] > 127).mean()), 3) if torso.any() else None


def _times(picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`picture` (H, W, 3) uint8 times `share` (H, W) uint8 of 255."""
    return cv2.multiply(picture, cv2.merge([share] * 3), scale=1 / 255)


def _spare(garment: Garment, pose: Pose) -> Garment:
    """The garment without head and hands; without anything where too little is left."""
    mask, colour = garment.mask, garment.colour
    protected = pose.protected().view(np.uint8)
    if protected.any():
        # Beside what is spared the garment begins softly, as the edge of something seen by a camera.
        x, y, width, height = cv2.boundingRect(protected)
        window = np.s_[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2]
        share = 255 - cv2.blur(cv2.dilate(255 * protected[window], np.ones((3, 3), np.uint8)), (3, 3))
        mask[window] = cv2.multiply(mask[window], share, scale=1 / 255)
        colour[window] = _times(colour[window], share)
    if cv2.countNonZero(cv2.compare(mask, 127, cv2.CMP_GT)) < _LEAST_GARMENT * mask.size:
        return Garment(np.zeros_like(mask), colour, garment.source, garment.registration, "no_garment")
    return Garment(mask, colour, garment.source, garment.registration)
