"""The served treatment of render and light, so that what is measured and shown here is what is served."""

import cv2
import numpy as np

from pipeline.garment.softness import soften
from pipeline.light import relighting


def draw(frame: np.ndarray, render: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The render, (H, W, 4) RGBA uint8, drawn on a frame of its size as `preprocess` does, (H, W, 3) uint8,
    and its coverage, (H, W) uint8."""
    laid = soften(cv2.cvtColor(render, cv2.COLOR_RGBA2mRGBA), 1.0)
    uncovered = cv2.merge([255 - laid[:, :, 3]] * 3)
    return cv2.add(laid[:, :, :3], cv2.multiply(frame, uncovered, scale=1 / 255)), laid[:, :, 3].copy()


def relight(
    picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float, detail_gain: float = 1.0
) -> np.ndarray:
    """The composite in the light of the model's picture, (H, W, 3) uint8; unchanged where the mask is 0.

    picture, composite: (H, W, 3) RGB uint8. mask: (H, W) uint8, the garment's coverage. sigma: in pixels.
    detail_gain: see pipeline.light.relighting.
    """
    share = mask.astype(np.float32) / 255
    picture, composite = (cv2.cvtColor(p, cv2.COLOR_RGB2BGR) for p in (picture, composite))
    ratio = relighting.light_ratio(picture, composite, share, sigma)
    lit = relighting.with_detail(ratio, composite, share, sigma, detail_gain)
    return cv2.cvtColor(relighting.relight(composite, lit, mask), cv2.COLOR_BGR2RGB)
