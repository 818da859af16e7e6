"""How far each part of a photo is from what lies along its border, which is the table around a swatch.

By colour, by a colour that the table's own variation does not explain, and by texture.
"""

import cv2
import numpy as np


def difference(lab: np.ndarray) -> np.ndarray:
    """The distance of each pixel's colour from the median of the photo's border, (H, W) float32."""
    away = lab - np.median(border(lab), axis=0)
    return cv2.sqrt(cv2.transform(away * away, np.ones((1, 3))))


def whitened(lab: np.ndarray) -> np.ndarray:
    """The colours relative to those at the photo's border, whose deviation becomes 1 in each direction."""
    rim = border(lab)
    middle = np.median(rim, axis=0)
    away = np.abs(rim - middle).sum(axis=1)
    near = rim[away <= np.percentile(away, 90)]
    values, vectors = np.linalg.eigh(np.cov((near - middle).T) + np.eye(3))
    turned: np.ndarray = cv2.transform(lab - middle, (vectors / np.sqrt(values)).T.astype(np.float32))
    return turned


def border(lab: np.ndarray) -> np.ndarray:
    """The pixels along the border of (H, W) or (H, W, C), as (N,) or (N, C)."""
    height, width = lab.shape[:2]
    rim = max(3, min(height, width) // 50)
    strips = lab[:rim], lab[-rim:], lab[:, :rim], lab[:, -rim:]
    return np.concatenate([strip.reshape(-1, *lab.shape[2:]) for strip in strips])


def texture(photo: np.ndarray, preview: np.ndarray) -> np.ndarray:
    """How strong the finest detail is, relative to the brightness, which a shadow leaves: (H, W) float32."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    detail = cv2.absdiff(grey, cv2.GaussianBlur(grey, (9, 9), 2))
    size = preview.shape[1::-1]
    light = cv2.cvtColor(preview, cv2.COLOR_RGB2GRAY).astype(np.float32)
    share = cv2.resize(detail, size, interpolation=cv2.INTER_AREA).astype(np.float32) + 0.2
    return cv2.GaussianBlur(cv2.log(share / (light + 4)) * 25, (0, 0), 5)
