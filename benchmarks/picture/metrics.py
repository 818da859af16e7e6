"""Measures of whether a dressed picture is right. Pictures are (H, W, 3) BGR uint8, masks (H, W) uint8."""

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks; a pixel belongs to a mask if its coverage is above one half."""
    one, other = mask > 127, truth > 127
    return float((one & other).sum() / max((one | other).sum(), 1))


def changed_share(answer: np.ndarray, frame: np.ndarray, where: np.ndarray) -> float:
    """The share of the pixels in `where`, (H, W) bool, that differ from the camera's."""
    return float((answer[where] != frame[where]).any(axis=1).mean()) if where.any() else 0.0


def seam_ratio(picture: np.ndarray, mask: np.ndarray) -> float:
    """How much the garment's outline stands out: the brightness's gradient across the outline within 2
    pixels of it, over that 6 to 10 pixels from it on either side. The frame's edge is no outline."""
    distance = signed_distance(mask)
    across = cv2.GaussianBlur(distance, (0, 0), 2)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    (normal_x, normal_y), (x, y) = (_gradient(field) for field in (across, grey))
    gradient = np.abs(x * normal_x + y * normal_y) / np.maximum(np.hypot(normal_x, normal_y), 1e-3)
    inner = np.zeros(mask.shape, bool)
    inner[12:-12, 12:-12] = True
    off = np.abs(distance)
    return float(gradient[inner & (off <= 2)].mean() / gradient[inner & (off >= 6) & (off <= 10)].mean())


def edge_steepness(picture: np.ndarray, mask: np.ndarray) -> float:
    """The 99th percentile of second differences across the outline, in grey levels: high for a hard cut,
    low for a camera's picture."""
    near = np.abs(signed_distance(mask)) <= 2
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float(np.percentile(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[near], 99))


def colour_difference(picture: np.ndarray, render: np.ndarray, where: np.ndarray) -> float:
    """Mean ΔE2000 (CIE 142-2001) between the garment's smoothed colours, within an (H, W) bool mask."""
    one, other = (
        rgb2lab(cv2.cvtColor(cv2.GaussianBlur(p, (0, 0), 3), cv2.COLOR_BGR2RGB)[where][::7][None])
        for p in (picture, render)
    )
    return float(deltaE_ciede2000(one, other).mean())


def detail_ratio(picture: np.ndarray, render: np.ndarray, where: np.ndarray) -> float:
    """Energy of the Laplacian of log brightness, divided by the render's: 1 if the cloth has the render's
    detail, whatever the light."""
    energies = []
    for one in (picture, render):
        grey = np.log(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY).astype(np.float32) + 10)
        energies.append(float((cv2.Laplacian(grey, cv2.CV_32F)[where] ** 2).mean()))
    return energies[0] / max(energies[1], 1e-9)


def flicker(pictures: list[np.ndarray], motions: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """Mean absolute difference of each picture from the one before it, warped by its known motion, (2, 3),
    within the garment in both."""
    differences = []
    for before, now, motion, mask, old_mask in zip(
        pictures, pictures[1:], motions[1:], masks[1:], masks, strict=False
    ):
        size = now.shape[1::-1]
        warped = cv2.warpAffine(before, motion, size, flags=cv2.INTER_CUBIC)
        there = cv2.warpAffine(old_mask, motion, size)
        inside = cv2.erode(cv2.min(mask, there), np.ones((15, 15), np.uint8)) > 250
        differences.append(np.abs(warped.astype(np.int16) - now)[inside].mean())
    return float(np.mean(differences))


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """To the outline, in pixels, positive inside: (H, W) float32."""
    inside = (mask > 127).astype(np.uint8)
    within, beyond = (cv2.distanceTransform(m, cv2.DIST_L2, 5) for m in (inside, 1 - inside))
    return np.where(inside > 0, within - 0.5, 0.5 - beyond)


def _gradient(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(cv2.Sobel(field, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
