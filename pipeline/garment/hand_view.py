"""A hand and what lies around it, on a copy of the frame that is small enough to look at every pixel."""

import cv2
import numpy as np

from pipeline.garment.patch import Box, Patch, with_room
from pipeline.garment.pose import Hand, Pose


class HandView:
    """
    longer: the longer side of the hand's reach in pixels of the frame; 0 where no hand is.
    box: around it on the frame. scale: pixels of the copy per pixel of the frame.
    """

    def __init__(self, hand: Hand, size: tuple[int, int], room: float, side: int):
        """size: of the frame. room: around the hand's reach, as a share of its longer side.
        side: of the copy, the longer side of the hand's reach, in pixels."""
        x, y, width, height = cv2.boundingRect(hand.reach.mask)
        self.hand = hand
        self.longer = max(width, height)
        place = (hand.reach.x + x, hand.reach.y + y, width, height)
        self.box: Box = with_room(place, round(room * self.longer), size)
        self.scale = min(1.0, side / max(self.longer, 1))
        self.size = tuple(max(8, round(self.scale * side)) for side in self.box[2:])

    def small(self, picture: np.ndarray) -> np.ndarray:
        """The copy of a picture of the box."""
        return cv2.resize(picture, self.size, interpolation=cv2.INTER_LINEAR)

    def on_copy(self, points: np.ndarray) -> np.ndarray:
        """Points of the frame, (N, 2), in pixels of the copy: (N, 2) float32."""
        x, y, width, height = self.box
        shares = (points - (x, y) + 0.5) / (width, height)
        return np.asarray(shares * self.size - 0.5, np.float32)

    def of(self, *patches: Patch) -> np.ndarray:
        """Where patches of the frame are: (h, w) bool."""
        covered = np.zeros((self.box[3], self.box[2]), np.uint8)
        for patch in patches:
            patch.add_to(covered, self.box)
        return np.asarray(self.small(255 * covered) > 127)

    def core(self) -> np.ndarray:
        """From wrist to fingertips: (h, w) uint8, 0 or 1."""
        core = np.zeros(self.size[::-1], np.uint8)
        corners = (self.hand.corners - self.box[:2]) * self.scale
        return cv2.fillConvexPoly(core, np.rint(corners).astype(np.int32), 1)

    def grown(self, mask: np.ndarray, share: float) -> np.ndarray:
        """mask (h, w) bool and what is nearer to it than this share of the longer side: (h, w) bool."""
        distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 3)
        return np.asarray(distance <= max(1, round(share * self.longer * self.scale)))

    def arms(self, pose: Pose, around_palm: float) -> np.ndarray:
        """Arms, and other hands, that are not this hand: (h, w) bool. Sleeves cover the arms up to the hands,
        however much the arms' colour is the hand's.

        around_palm: where the hand has no sleeve, as a share of the longer side."""
        near = self.grown(self.of(self.hand.palm), around_palm)
        others = [pose.forearms[1 - self.hand.arm], *pose.upper_arms]
        others += [other.reach for other in pose.hands if other.arm != self.hand.arm]
        own = self.of(pose.forearms[self.hand.arm])
        return np.asarray(own & ~near | self.of(*others) & (self.core() == 0))
