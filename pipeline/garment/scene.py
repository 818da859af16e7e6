"""What the light reader (light_reader.py) sees: a square window of the frame with the garment and the face.

The networks' crop ends close to the garment. The scene's light is told by what lies around it, too: the face,
the neck, the shirt, the background.
"""

import cv2
import numpy as np

from pipeline.garment.crop import Crop, scene_around
from pipeline.garment.pose import Pose
from pipeline.resize import size_of

SIDE = 96
# The planes of a scene, in their order. All have values in 0…1.
PLANES = (
    *("camera red", "camera green", "camera blue"),
    *("garment red", "garment green", "garment blue"),  # the render's own colours, where it covers anything
    *("coverage", "inside the frame", "head", "body", "hands"),
)

# The `scene` that means "none".
NO_SCENE = np.zeros((1, len(PLANES), 1, 1), np.float32)


def see(
    frame: np.ndarray, colour: np.ndarray, mask: np.ndarray, landmarks: np.ndarray, side: int = SIDE
) -> tuple[np.ndarray, np.ndarray]:
    """The planes, (1, 11, side, side) float32, and the window on the frame: x, y, width, height, int32.

    frame: (H, W, 3) BGR uint8. colour: (H, W, 3) BGR uint8, the render's, premultiplied by the mask.
    mask: (H, W) uint8. landmarks: (33, 4); all zero: no pose.
    """
    return seen_in(scene_around(mask), frame, colour, mask, landmarks, side)


def seen_in(
    window: Crop,
    frame: np.ndarray,
    colour: np.ndarray,
    mask: np.ndarray,
    landmarks: np.ndarray,
    side: int = SIDE,
) -> tuple[np.ndarray, np.ndarray]:
    """As `see`, in a window that is known."""
    size = (side, side)
    camera = window.of(frame, size, cv2.BORDER_REPLICATE)
    premultiplied = window.of(colour, size, cv2.BORDER_CONSTANT)
    coverage = window.of(mask, size, cv2.BORDER_CONSTANT)
    planes = np.zeros((len(PLANES), side, side), np.float32)
    planes[0:3] = cv2.split(camera)[::-1]
    planes[3:6] = cv2.split(own_colour(premultiplied, coverage))[::-1]
    planes[6] = coverage
    planes[:7] /= 255
    planes[7] = _inside(window, size_of(frame), side)
    planes[8:11] = _parts(window, size_of(frame), landmarks, side)
    place = np.array([window.x, window.y, window.width, window.height], np.int32)
    return planes[None], place


def own_colour(premultiplied: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """The colours without the coverage that they were multiplied by: (H, W, 3) float32 in 0…255, and 0 where
    hardly anything is covered."""
    share = cv2.merge([np.maximum(coverage, 1).astype(np.float32) / 255] * 3)
    colours = np.minimum(premultiplied / share, 255)
    return np.where(coverage[..., None] > 12, colours, 0).astype(np.float32)


def _inside(window: Crop, size: tuple[int, int], side: int) -> np.ndarray:
    inside = np.zeros((side, side), np.float32)
    scale = side / window.width
    left, top = (round(-scale * min(0, start)) if start < 0 else 0 for start in (window.x, window.y))
    right, bottom = (
        round(scale * (length - start)) for length, start in zip(size, (window.x, window.y), strict=True)
    )
    inside[top:bottom, left:right] = 1
    return inside


def _parts(window: Crop, size: tuple[int, int], landmarks: np.ndarray, side: int) -> np.ndarray:
    """Head, body and hands by the pose, (3, side, side), 0 or 1."""
    parts = np.zeros((3, side, side), np.float32)
    points = landmarks.astype(np.float64)
    if not points.any():
        return parts
    offset, length = (window.x, window.y), (window.width, window.height)
    points[:, :2] = (points[:, :2] * size - offset) / length
    pose = Pose(points, (side, side))
    if not pose.tracked:
        return parts
    whole = (0, 0, side, side)
    parts[0] = pose.head.within(whole)
    parts[1] = pose.body()
    for hand in pose.hands:
        parts[2] = np.maximum(parts[2], hand.outline.within(whole))
    return parts
