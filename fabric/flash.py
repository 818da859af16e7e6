"""The second photo of a pair: the same cloth with the phone's flash, laid over the first.

A hand moves between two photos. A swatch's outline tells by how much, and where cloth fills the photos, what
is irregular in it. What changes with the light would draw a finer fit along, so that it may only shift.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fabric.camera import FULL_FRAME, USUAL
from fabric.edges import snapped
from fabric.flash_relief import Slopes, View, camera_view, shading, slopes
from fabric.frame import Frame, cut_out, tile_matrix
from fabric.highlight import lobe_width
from fabric.ingest import decode, exposure, focal_length
from fabric.light import srgb_to_linear
from fabric.rectify import find_outline

_SIDE = 1280  # pixels of the longer side at which features are matched
_FEATURES = 3000
_ALIKE = 0.8  # Lowe's ratio of the best match's distance to the second's
_MATCHED = 60  # features that fit one homography
_MOVED = 0.04  # of a side's length: how far from its place in the first photo it is looked for
_SHIFTED = 0.9  # correlation from which a finer shift is believed
_SAME_SHAPE = 0.02  # of the logarithm of width by height
_SAME = 0.6  # correlation below which it is not the same cloth, or not from the same place

Array = np.ndarray


@dataclass(frozen=True)
class Window:
    """What of the photo becomes the tile with its overlap; as `frame.cut_out` takes it."""

    frame: Frame
    size: int
    to_photo: Array


@dataclass(frozen=True)
class Pair:
    """colour: (N, N, 3) linear, lit by both lights: each one's shading is halved. slopes: of the cloth.

    lobe: width of the flash's highlight (`highlight.lobe_width`), None where none is seen.
    """

    colour: Array
    slopes: Slopes
    lobe: float | None


def flash_pair(
    files: tuple[bytes, bytes], plain: Array, corners: Array | None, window: Window
) -> Pair | None:
    """What two files, without and with flash, tell of the cloth in a window; None if they do not fit.

    plain: the first as (H, W, 3) uint8. corners: (4, 2) of the swatch in it, None if the cloth fills it.
    Raises FabricError if the second cannot be read.
    """
    exposures = [exposure(file) for file in files]
    flash = decode(files[1], min(plain.shape[:2]))[..., :3]
    if exposures[0] is None or exposures[1] is None:
        return None
    height, width = plain.shape[:2]
    if abs(np.log(flash.shape[1] / flash.shape[0] * height / width)) > _SAME_SHAPE:
        return None
    flash = cv2.resize(flash, (width, height), interpolation=cv2.INTER_AREA)
    focal = (focal_length(files[0]) or USUAL) / FULL_FRAME * float(np.hypot(width, height))
    view = camera_view(tile_matrix(window.frame, window.size, window.to_photo), (width, height), focal)
    room = cut_out(plain, window.frame, window.size, window.to_photo)
    for matrix in _ways(plain, flash, corners):
        seen = _shifted(room, cut_out(flash, window.frame, window.size, matrix @ window.to_photo))
        if seen is not None:
            return paired(room, seen, exposures[0] / exposures[1], view)
    return None


def _ways(plain: Array, flash: Array, corners: Array | None) -> Iterator[Array]:
    """3×3 from the pixels of `plain` to those of `flash`, (H, W, 3) uint8 each, the likeliest first.

    corners: (4, 2) of the swatch in `plain`, None if the cloth fills it.
    """
    if corners is not None:
        outline = find_outline(flash)
        for there in (outline.corners if outline else None, snapped(flash, corners, _MOVED)):
            if there is not None:
                yield cv2.getPerspectiveTransform(corners.astype(np.float32), there.astype(np.float32))
    found = _by_features(plain, flash)
    if found is not None:
        yield found


def paired(plain: Array, flash: Array, gain: float, view: View) -> Pair:
    """Both photos seen through the tile, (N, N, 3) uint8.

    gain: the exposure of `plain` divided by that of `flash`.
    """
    room = srgb_to_linear(plain)
    both = srgb_to_linear(flash) * np.float32(gain)
    alone = np.maximum(both - room, 0)
    level = float(np.median(room)) / max(float(np.median(alone)), 1e-4)
    found = slopes(shading(room, both), view)
    # Of a highlight of the flash no lights explain the shading; then the room's light alone is nearer.
    share = found.trust / 2
    colour = cv2.pow(room, 1 - share) * cv2.pow(alone * np.float32(level), share)
    return Pair(colour, found, lobe_width(room, alone, flash, view))


def _shifted(plain: Array, flash: Array) -> Array | None:
    """`flash`, shifted by what is left of the hand's movement; None if it does not show the same."""
    one, other = _local(plain, 9.0), _local(flash, 9.0)
    start = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        alike, shift = cv2.findTransformECC(one, other, start, cv2.MOTION_TRANSLATION, criteria, None, 3)
    except cv2.error:  # it does not converge
        return None
    if alike >= _SHIFTED:
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        size = flash.shape[1::-1]
        return cv2.warpAffine(flash, shift, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return flash if float((one * other).mean() / (one.std() * other.std())) > _SAME else None


def _local(photo: Array, sigma: float) -> Array:
    """Detail relative to its surroundings: much the same in two lights."""
    grey = np.log(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) + 8)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), sigma)
    return detail / (cv2.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 2 * sigma)) + np.float32(0.02))


def _by_features(plain: Array, flash: Array) -> Array | None:
    scale = min(1.0, _SIDE / max(plain.shape[:2]))
    detector = cv2.ORB.create(_FEATURES)
    found = []
    for photo in (plain, flash):
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        byte = cv2.convertScaleAbs(_local(small, 6.0), alpha=30, beta=127)
        found.append(detector.detectAndCompute(byte, None))
    (points, one), (others, other) = found
    if one is None or other is None:
        return None
    nearest = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(one, other, k=2)
    good = [two[0] for two in nearest if len(two) == 2 and two[0].distance < _ALIKE * two[1].distance]
    if len(good) < _MATCHED:
        return None
    here = np.array([points[match.queryIdx].pt for match in good], np.float32)
    there = np.array([others[match.trainIdx].pt for match in good], np.float32)
    matrix, inliers = cv2.findHomography(here, there, cv2.RANSAC, 2.0)
    if matrix is None or int(inliers.sum()) < _MATCHED:
        return None
    resize = np.diag([scale, scale, 1.0])
    whole: Array = np.linalg.inv(resize) @ matrix @ resize
    return whole
