"""Hair that lies on the garment.

A pose tells nothing of it: the head's outline ends at the chin. The network that tells what is visible
(visibility.py) finds it, but in real photographs it also found things before a garment that are not there.
So only what hangs down from the head counts, and only where the network is sure.
"""

import cv2
import numpy as np

# The probability that something hides the garment, from which on it may be hair, and how far around it the
# edge is soft.
_SURE, _SOFT = 0.75, 0.1
# How far below or beside the head's outline hair may begin, as a share of the outline's width.
_AROUND_HEAD = 0.1
# By `visible`, in 0…255: the share that is hidden, times 255.
_HIDDEN = np.rint(255 * ((1 - np.arange(256) / 255 - _SURE) / (2 * _SOFT) + 0.5).clip(0, 1)).astype(np.uint8)


def hair_before(visible: np.ndarray, garment: np.ndarray, head: np.ndarray) -> np.ndarray:
    """The share of the garment that hair hides, (n, n) uint8, times 255.

    visible: (n, n) uint8, the network's probability that the garment is visible, times 255.
    garment: (n, n) uint8, its coverage, still over head and hair. head: (n, n) uint8, 0 or 1.
    """
    hidden = ((visible < 255 * (1 - _SURE)) & (garment > 127)).view(np.uint8)
    hidden = cv2.morphologyEx(hidden, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    reach = 2 * max(1, round(_AROUND_HEAD * cv2.boundingRect(head)[2])) + 1
    begins = cv2.dilate(head, np.ones((reach, reach), np.uint8))
    count, parts = cv2.connectedComponents(hidden)
    hanging = np.zeros(count, np.uint8)
    hanging[parts[(begins & hidden) > 0]] = 1
    with_edge = cv2.dilate(hanging[parts], np.ones((3, 3), np.uint8))
    return cv2.LUT(visible, _HIDDEN) * with_edge
