"""Draws the render and applies the light as the server does, so that training measures what is served."""

import cv2
import numpy as np

from pipeline.garment.masking import over
from pipeline.garment.softness import soften
from pipeline.light.compositing import relit
from pipeline.light.relighting import NO_LIGHT
from pipeline.resize import size_of


def draw(frame: np.ndarray, render: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The render drawn on a frame of its size, (H, W, 3) uint8, and its coverage, (H, W) uint8.

    render: (H, W, 4) RGBA uint8.
    """
    laid = soften(cv2.cvtColor(render, cv2.COLOR_RGBA2mRGBA), 1.0)
    coverage = cv2.extractChannel(laid, 3)
    return over(laid[:, :, :3], coverage, frame), coverage


def relight(
    picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float, detail_gain: float = 1.0
) -> np.ndarray:
    """The composite in the light of the model's picture, (H, W, 3) uint8; unchanged where the mask is 0.

    picture, composite: (H, W, 3) RGB uint8. mask: (H, W) uint8, the garment's coverage. sigma: in pixels.
    detail_gain: see pipeline.light.relighting.
    """
    picture, composite = (cv2.cvtColor(p, cv2.COLOR_RGB2BGR) for p in (picture, composite))
    whole = np.array([0, 0, *size_of(mask)])
    answer, _ = relit(picture, composite, mask, whole, sigma, NO_LIGHT, detail_gain)
    return cv2.cvtColor(answer, cv2.COLOR_BGR2RGB)
