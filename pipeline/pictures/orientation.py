"""EXIF's orientation: how a picture must be turned to be upright."""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

MAX_ENTRIES = 512
_TAG = 0x0112
_WIDTHS = {1: 1, 3: 2, 4: 4}  # bytes of a BYTE, a SHORT and a LONG (TIFF 6.0, section 2)
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda picture: cv2.flip(picture, 1),
    3: lambda picture: cv2.rotate(picture, cv2.ROTATE_180),
    4: lambda picture: cv2.flip(picture, 0),
    5: cv2.transpose,
    6: lambda picture: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
    7: lambda picture: cv2.rotate(cv2.transpose(picture), cv2.ROTATE_180),
    8: lambda picture: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def find_orientation(exif: bytes) -> int:
    """1 (upright) to 8; 1 also where the EXIF is broken.

    Reads at most `MAX_ENTRIES` entries of the first directory and none of the data that they point at, so
    whatever else a phone writes there cannot do harm.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    if tiff[:2] not in (b"II", b"MM"):
        return 1
    directory = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[directory : directory + 2], order)
    for number in range(min(count, MAX_ENTRIES)):
        at = directory + 2 + 12 * number
        entry = tiff[at : at + 12]
        if int.from_bytes(entry[:2], order) == _TAG:
            width = _WIDTHS.get(int.from_bytes(entry[2:4], order), 2)
            value = int.from_bytes(entry[8 : 8 + width], order)
            return value if 1 <= value <= 8 else 1
    return 1


def upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W) or (H, W, C) turned as `orientation` says; the same array for 1."""
    return _TURNS[orientation](picture) if orientation in _TURNS else picture
