"""Other photographs of the same truth: whatever is done to the person is done to the photo.

Light transport is linear, so a darker exposure or another white balance of both is a photograph that could
have been taken; the render has no light, and stays as it is. A mirrored person has left and right exchanged.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from training.landmarks import MIRRORED

# The exposure's range as a factor of linear values, and the white balance's standard deviation.
_DARKEST, _BRIGHTEST, _BALANCE = 0.65, 1.1, 0.04
# The largest part of a side that is cut away.
_CUT = 0.06


@dataclass(frozen=True)
class Shot:
    """One row's pictures, decoded: BGR(A) uint8; None where there is none. pose: (33, 4)."""

    person: np.ndarray
    photo: np.ndarray
    render: np.ndarray | None
    garment: np.ndarray | None
    mask: np.ndarray | None
    pose: np.ndarray


def varied(shot: Shot, rng: np.random.Generator) -> Shot:
    """A random variant."""
    shot = mirrored(shot) if rng.random() < 0.5 else shot
    gain = rng.uniform(_DARKEST, _BRIGHTEST) * np.exp(rng.normal(0, _BALANCE, 3))
    return cut(exposed(shot, gain), *rng.uniform(0, _CUT, 4))


def mirrored(shot: Shot) -> Shot:
    pose = shot.pose
    if pose.any():
        pose = pose[MIRRORED].copy()
        pose[:, 0] = 1 - pose[:, 0]
    flipped: dict[str, Any] = {
        name: None if picture is None else cv2.flip(picture, 1)
        for name in ("person", "photo", "render", "garment", "mask")
        for picture in (getattr(shot, name),)
    }
    return replace(shot, pose=pose, **flipped)


def exposed(shot: Shot, gain: np.ndarray) -> Shot:
    """gain: (3,), of linear values, BGR. Where the photo is white already nothing is known, and it is kept
    white."""
    codes = np.arange(256) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    lit = (linear[:, None] * gain).clip(0, 1)
    coded = np.where(lit <= 0.0031308, lit * 12.92, 1.055 * lit ** (1 / 2.4) - 0.055)
    table = np.rint(255 * coded).astype(np.uint8)[None]  # (1, 256, 3)
    table[:, 255] = 255
    return replace(shot, person=cv2.LUT(shot.person, table), photo=cv2.LUT(shot.photo, table))


def cut(shot: Shot, left: float, top: float, right: float, bottom: float) -> Shot:
    """Without these shares of the sides. A render of another aspect covers the frame in a way that a cut does
    not keep: then nothing is cut."""
    height, width = shot.person.shape[:2]
    over = [it for it in (shot.render, shot.mask) if it is not None]
    if any(it.shape[:2] != (height, width) for it in over):
        return shot
    box = np.s_[
        round(top * height) : height - round(bottom * height),
        round(left * width) : width - round(right * width),
    ]
    rows, columns = box
    pose = shot.pose
    if pose.any():
        pose = pose.copy()
        pose[:, 0] = (pose[:, 0] * width - columns.start) / (columns.stop - columns.start)
        pose[:, 1] = (pose[:, 1] * height - rows.start) / (rows.stop - rows.start)
        pose[:, 2] *= width / (columns.stop - columns.start)
    pictures: dict[str, Any] = {
        name: None if picture is None else np.ascontiguousarray(picture[box])
        for name in ("person", "photo", "render", "mask")
        for picture in (getattr(shot, name),)
    }
    return replace(shot, pose=pose, **pictures)
