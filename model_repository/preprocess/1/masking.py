"""Where the garment is: its coverage of every pixel of the camera frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from pose import Pose
from registration import Registration, find_video, stretch

# A garment smaller than this share of the frame is none.
_LEAST_GARMENT = 0.002
# Long side, in pixels, at which the differences between render and frame are cleaned.
_CLEAN_AT = 480
# Grey levels that noise, JPEG and exposure may put between two pictures of the same thing.
_NOISE = 28


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
    mask = _difference(laid, frame, pose)
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


def _difference(laid: np.ndarray, frame: np.ndarray, pose: Pose) -> np.ndarray:
    """Coverage of what the laid-on render shows and the frame does not, one solid shape."""
    scale = min(1.0, _CLEAN_AT / max(frame.shape[:2]))
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    difference = cv2.absdiff(
        cv2.resize(laid, size, interpolation=cv2.INTER_AREA),
        cv2.resize(frame, size, interpolation=cv2.INTER_AREA),
    ).max(axis=2)
    changed = (cv2.GaussianBlur(difference, (5, 5), 0) > _NOISE).astype(np.uint8)
    # A person who moved a little since the render was drawn leaves thin edges: opened away. Where the
    # jacket happens to have the frame's colour there are gaps: closed.
    changed = cv2.morphologyEx(changed, cv2.MORPH_OPEN, _disc(0.012 * max(size)))
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, _disc(0.02 * max(size)))
    solid = _fill_holes(_keep_bodies(changed))
    return cv2.resize(
        cv2.GaussianBlur(solid * 255, (3, 3), 0), frame.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _keep_bodies(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece and those at least a tenth of it (sleeves may be apart)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count == 1:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas >= 0.1 * areas.max())
    return np.isin(labels, kept).astype(np.uint8)


def _fill_holes(mask: np.ndarray) -> np.ndarray:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED)
