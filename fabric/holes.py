"""Transparency of a photo: the holes of a net or lace, a veil, the surroundings of a cut-out."""

import cv2
import numpy as np

MIN_SHARE = 0.002  # of the pixels; less is the edge of something that was cut out
_OPAQUE = 250
_STRIP = 256  # rows


def over_white(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 laid over white paper: (H, W, 3)."""
    laid = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), _STRIP):
        strip = pixels[top : top + _STRIP].astype(np.float32)
        alpha = strip[..., 3:] / 255
        laid[top : top + _STRIP] = np.rint(strip[..., :3] * alpha + 255 * (1 - alpha))
    return laid


def separated(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The colour (H, W, 3) of pixels of 3 or 4 channels, and the opacity (H, W), None without holes.

    In a hole a file may have any colour, mostly black: the cloth's mean takes its place, so that neither the
    light's correction nor a mipmap mixes it with the threads.
    """
    if pixels.shape[2] == 3:
        return pixels, None
    alpha = pixels[..., 3]
    holes = float(np.count_nonzero(alpha < _OPAQUE)) / alpha.size
    visible = float(np.count_nonzero(alpha > 16)) / alpha.size
    if holes < MIN_SHARE or visible < MIN_SHARE:
        return over_white(pixels), None
    colour = np.ascontiguousarray(pixels[..., :3])
    empty = alpha < alpha.max() / 2
    mean = cv2.mean(colour, cv2.bitwise_not(empty.astype(np.uint8) * 255))
    colour[empty] = np.rint(mean[:3])
    return colour, np.ascontiguousarray(alpha)


def surroundings(alpha: np.ndarray) -> np.ndarray:
    """Transparent areas that are too large to be holes of the cloth, of a small picture's (H, W): bool."""
    side = max(3, min(alpha.shape) // 10) | 1
    opaque = (alpha > alpha.max() / 2).astype(np.uint8)
    return cv2.morphologyEx(opaque, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) == 0
