"""From the model's picture to the dressed frame: its light on the render's own detail.

The model works on 32×32 latents, so its picture has lost the cloth's weave and carries blotches. What it
knows is the light. The ratio of its picture to the render, smoothed within the garment, multiplies the
render: a quotient image (Shashua & Riklin-Raviv, 2001), restricted to the mask.
"""

import cv2
import numpy as np

# Smoothing, as a share of the picture's side.
SIGMA = 0.012
_FLOOR = 12.0  # grey levels, against the noise of dark cloth
_LIMIT = 1.6  # of the logarithm: five times as bright or dark


def transfer_light(
    picture: np.ndarray, composite: np.ndarray, mask: np.ndarray, sigma: float = SIGMA
) -> np.ndarray:
    """The composite in the picture's light, (H, W, 3) uint8; unchanged where the mask is 0.

    picture: (H, W, 3) uint8, what the model made of the composite. composite: (H, W, 3) uint8, the render
    drawn on the frame. mask: (H, W) uint8, the garment's coverage.
    """
    share = mask.astype(np.float32)[..., None] / 255
    width = sigma * max(mask.shape)
    weight = cv2.GaussianBlur(share[..., 0], (0, 0), width)[..., None] + 1e-4
    # Of the smoothed pictures, not a smoothed ratio: single dark pixels would rule that.
    model, drawn = (
        cv2.GaussianBlur(share * source.astype(np.float32), (0, 0), width) / weight
        for source in (picture, composite)
    )
    gain = np.log((model + _FLOOR) / (drawn + _FLOOR)).clip(-_LIMIT, _LIMIT)
    relit = (composite + _FLOOR) * np.exp(gain) - _FLOOR
    return np.rint(composite + share * (relit - composite)).clip(0, 255).astype(np.uint8)
