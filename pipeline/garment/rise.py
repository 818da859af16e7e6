"""A steep rise from none to all of a garment."""

import numpy as np


def rise(middle: float, soft: float, share: np.ndarray) -> np.ndarray:
    """A share times 255 that rises from 0 to 255 within `soft` of `middle`: uint8."""
    rising = ((share.astype(np.float32) / 255 - middle) / (2 * soft) + 0.5).clip(0, 1)
    return np.rint(255 * rising).astype(np.uint8)
