"""Head and hands stay the camera's own: they are taken out of whatever the garment covers."""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.garment.hands import hand_pixels
from pipeline.garment.patch import Box, Patch, window, with_room
from pipeline.garment.pose import Hand, Pose
from pipeline.resize import size_of

# Half the width of the soft edge beside a head or a hand, as a share of the frame's height.
_SOFT_EDGE = 0.004

# A box of the frame, and the share of the garment that is left in it, (h, w) uint8.
Cut = tuple[Box, np.ndarray]


def protect_head_and_hands(
    frame: np.ndarray,
    pose: Pose,
    mask: np.ndarray,
    colour: np.ndarray | None = None,
    hands: Sequence[Hand] | None = None,
) -> list[Cut]:
    """Takes head and hands out of `mask`, (H, W) uint8, in place, and out of `colour`, premultiplied by it.

    frame: (H, W, 3) BGR uint8. colour: (H, W, 3) uint8. hands: None means all of the pose's.
    Returns where it did so.
    """
    hands = pose.hands if hands is None else hands
    hiding = (pose.head, *(hand_pixels(hand, frame, pose) for hand in hands))
    cuts = [cut for patch in hiding if (cut := _cut(patch, size_of(mask)))]
    for box, share in cuts:
        part = window(box)
        mask[part] = cv2.multiply(mask[part], share, scale=1 / 255)
        if colour is not None:
            colour[part] = cv2.multiply(colour[part], cv2.merge([share] * 3), scale=1 / 255)
    return cuts


def left_by_head_and_hands(frame: np.ndarray, pose: Pose, hands: Sequence[Hand]) -> np.ndarray:
    """What the head and these hands leave of a garment that covers the whole frame: (H, W) uint8."""
    left = np.full(frame.shape[:2], 255, np.uint8)
    protect_head_and_hands(frame, pose, left, hands=hands)
    return left


def _cut(patch: Patch, size: tuple[int, int]) -> Cut | None:
    """What `patch` leaves of a garment. The new edge is as soft as edges in a camera's picture."""
    margin = max(1, round(_SOFT_EDGE * size[1]))
    box = with_room(patch.box, 2 * margin, size)
    if not box[2] * box[3]:
        return None
    side = 2 * margin + 1
    around = cv2.dilate(255 * patch.within(box), np.ones((side, side), np.uint8))
    return box, 255 - cv2.blur(around, (side, side))
