"""Frames and renders drawn for tests: a photograph, and a jacket whose outline is known."""

import cv2
import numpy as np
from skimage import data

FRAME_SIZE = (640, 480)


def photograph(size=FRAME_SIZE):
    """The public-domain portrait `astronaut`, (H, W, 3) BGR uint8."""
    return cv2.resize(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), size, interpolation=cv2.INTER_AREA)


def outline(size=FRAME_SIZE):
    """Where the jacket is: (H, W) bool, a trapezium over the torso."""
    width, height = size
    corners = np.array([[0.3, 0.45], [0.62, 0.45], [0.75, 1.0], [0.15, 1.0]]) * size
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1)
    return mask.astype(bool)


def transparent_render(size=FRAME_SIZE):
    """The jacket on a transparent canvas, (H, W, 4) BGRA."""
    render = np.zeros((size[1], size[0], 4), np.uint8)
    render[outline(size)] = (200, 120, 20, 255)
    return render


def opaque_render(frame, size, plane=1.0):
    """The jacket drawn over the video plane, which is stretched to `plane` of an opaque canvas."""
    width, height = round(size[0] * plane), round(size[1] * plane)
    video = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    video[outline((width, height))] = (200, 120, 20)
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    canvas[:, :, 3] = 255
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    canvas[y : y + height, x : x + width, :3] = video
    return canvas


def landmarks(**points):
    """(33, 4) of a person who faces the camera, as MediaPipe gives it for `photograph`."""
    pose = np.zeros((33, 4), np.float32)
    face = {0: (0.44, 0.26), 2: (0.46, 0.22), 5: (0.41, 0.22), 7: (0.50, 0.24), 8: (0.38, 0.24)}
    face |= {9: (0.455, 0.30), 10: (0.425, 0.30)}
    body = {11: (0.60, 0.50), 12: (0.28, 0.50), 23: (0.55, 0.95), 24: (0.33, 0.95)}
    for number, (x, y) in (face | body | {int(name[1:]): point for name, point in points.items()}).items():
        pose[number] = (x, y, 0, 0.99)
    return pose


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def no_hand(picture):
    """A stand-in for the network of hands, which sees none."""
    return np.zeros((1, 63), np.float32), np.zeros((1, 1), np.float32)
