"""Takes the noise of colour out of a tile: sensors and JPEG know hue less exactly than brightness.

A faint difference of colour from the surroundings is noise and is taken out; the stronger one is,
the more of it stays, so that yarns and prints of two colours keep their edges (coring, as in Simoncelli &
Adelson, "Noise removal via Bayesian wavelet coring", 1996). Brightness does not change.
"""

import cv2
import numpy as np

from fabric.shrink import halved

_WIDE = 2.0  # σ in pixels of half the resolution, which is that of colour in most JPEGs
_NOISE = 2e-4  # variance of colour for each unit of light: about one step of eight bits

Array = np.ndarray


def excess(linear: Array) -> Array:
    """The noise of colour in `linear` (H, W, 3) float32, at half the resolution of the tile."""
    # Halved once more: the blur is wider than what that loses.
    height, width = linear.shape[:2]
    around = cv2.resize(cv2.GaussianBlur(halved(linear), (0, 0), _WIDE / 2), (width, height))
    light, mean = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (linear, around))
    ratio = cv2.divide(light, cv2.max(mean, 1e-4))
    away = cv2.subtract(linear, cv2.multiply(around, cv2.merge([ratio] * 3)))  # of no brightness
    noise = cv2.multiply(light, _NOISE)
    power = cv2.transform(cv2.multiply(away, away), np.ones((1, 3)))
    share = cv2.divide(noise, cv2.add(cv2.add(power, noise), 1e-9))
    found: Array = cv2.multiply(away, cv2.merge([share] * 3))
    return found
