"""Compares a dressed picture with the photograph that it should equal."""

import cv2
import numpy as np
from skimage.metrics import structural_similarity


def psnr(picture: np.ndarray, target: np.ndarray, where: np.ndarray) -> float:
    """Decibels over the pixels of where (H, W) bool; pictures (H, W, 3) uint8."""
    error = (picture[where].astype(np.float64) - target[where]) ** 2
    return float(10 * np.log10(255**2 / max(error.mean(), 1e-9)))


def ssim(picture: np.ndarray, target: np.ndarray, where: np.ndarray) -> float:
    """Mean structural similarity (Wang et al., 2004) over the pixels of where."""
    _, similarity = structural_similarity(picture, target, channel_axis=2, full=True)
    return float(similarity[where].mean())


def oracle_gain(composite: np.ndarray, target: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The composite with the best RGB gain for this picture: the best result of a white balance alone."""
    drawn, wanted = composite[where].astype(np.float64), target[where].astype(np.float64)
    gain = (drawn * wanted).sum(axis=0) / np.maximum((drawn * drawn).sum(axis=0), 1)
    result = composite.copy()
    result[where] = np.rint(drawn * gain).clip(0, 255)
    return result


def edge_ring(mask: np.ndarray, width: int = 4) -> np.ndarray:
    """(H, W) bool: the pixels within `width` of the mask's outline, inside it."""
    inside = (mask > 127).astype(np.uint8)
    core = cv2.erode(inside, np.ones((2 * width + 1,) * 2, np.uint8), borderValue=1)
    return (inside > core).astype(bool)


def gradient_energy(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean squared gradient of the brightness over the pixels of where."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    down, right = np.gradient(grey)
    return float((down**2 + right**2)[where].mean())


def sharpness(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean squared Laplacian of the brightness over the pixels of where: a measure of the finest detail."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float((cv2.Laplacian(grey, cv2.CV_32F)[where] ** 2).mean())
