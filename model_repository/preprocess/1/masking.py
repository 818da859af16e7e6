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
    alpha = render[:, :, 3]
    if alpha.min() < 250:  # a canvas with a background that can be seen through
        registration = stretch(render.shape[1::-1], size)
        colour = registration.warp(_premultiplied(render), size)
        return _spare(Garment(registration.warp(alpha, size), colour, "alpha", registration), pose)

    opaque = render[:, :, :3]
    video = find_video(opaque, frame)
    if video is None:
        registration = stretch(render.shape[1::-1], size)
        return Garment(np.zeros(frame.shape[:2], np.uint8), frame, None, registration, "unusable_render")
    laid = video.warp(opaque, size)
    mask = difference_mask(laid, frame)
    colour = cv2.multiply(laid, cv2.merge([mask] * 3), scale=1 / 255)
    return _spare(Garment(mask, colour, "difference", video), pose)


def composite(garment: Garment, frame: np.ndarray) -> np.ndarray:
    """The render drawn on the frame: (H, W, 3) BGR uint8, the frame's own where the mask is 0."""
    y, x = np.nonzero(garment.mask)
    if not y.size:
        return frame
    window = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]
    mask = garment.mask[window].astype(np.float32)[:, :, None] / 255
    result = frame.copy()
    result[window] = np.rint(garment.colour[window] + (1 - mask) * frame[window]).clip(0, 255)
    return result


def torso_overlap(mask: np.ndarray, pose: Pose) -> float | None:
    """The share of the torso that the garment covers, 0 to 1; None where no torso is in the frame."""
    if not pose.tracked:
        return None
    torso = pose.torso() & ~pose.protected()
    return round(float((mask[torso] > 127).mean()), 3) if torso.any() else None


def _premultiplied(render: np.ndarray) -> np.ndarray:
    """Colour times alpha, so that resampling does not bleed the transparent pixels' colour in."""
    return cv2.multiply(render[:, :, :3], cv2.merge([render[:, :, 3]] * 3), scale=1 / 255)


def _spare(garment: Garment, pose: Pose) -> Garment:
    """The garment without head and hands; without anything where too little is left."""
    protected = pose.protected()
    mask, colour = garment.mask.copy(), garment.colour.copy()
    mask[protected] = 0
    colour[protected] = 0
    if (mask > 127).mean() < _LEAST_GARMENT:
        return Garment(np.zeros_like(mask), colour, garment.source, garment.registration, "no_garment")
    return Garment(mask, colour, garment.source, garment.registration)
