"""Which garment of several each pixel of the frame shows: (H, W) uint8, 0 for the lowest."""

import numpy as np

# Of one request.
MAX_GARMENTS = 4
# The map that means "one garment".
ONE_GARMENT = np.zeros((1, 1), np.uint8)
# The `render_parts` (layers.py) that mean "one render".
ONE_RENDER = np.zeros((1, 2), np.int32)


def masks_of(mask: np.ndarray, garment_map: np.ndarray) -> list[np.ndarray]:
    """The part of `mask`, (H, W) uint8, that each garment has.

    garment_map: (H, W) uint8, or ONE_GARMENT: then all of it is the only garment's.
    """
    if garment_map.shape != mask.shape or not garment_map.size:
        return [mask]
    count = int(garment_map.max()) + 1
    return [np.where(garment_map == layer, mask, np.uint8(0)) for layer in range(count)]
