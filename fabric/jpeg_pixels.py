"""The pixels of a JPEG, as few of them as are needed.

Of the time that a photo's pixels take, half is for the coded numbers, which can only be read from the top. So
what lies below the cloth is not read: the file is told to have fewer rows.
"""

import struct
from contextlib import suppress

import cv2
import numpy as np
import simplejpeg

from fabric.formats.jpeg import SOS, segments

_BASELINE = 0xC0, 0xC1
_BLOCK = 16  # rows of pixels that are coded together, at most
_SPARE = 16  # rows below what is needed: a decoder smooths colours across the last ones
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

Array = np.ndarray


def jpeg_pixels(data: bytes, scale: int = 1, share: float = 1.0) -> Array | None:
    """A JPEG at 1/`scale`: (H, W, 3) uint8 RGB, lying as in the file. None if it cannot be decoded.

    data: as `read_jpeg` leaves it. scale: 1, 2, 4 or 8. share: of the rows, from the top, that are needed;
    those below may be black.
    """
    # simplejpeg has OpenCV's decoder without its copies of each row: 0.8 of the time.
    with suppress(ValueError):
        height, width = (-(-side // scale) for side in simplejpeg.decode_jpeg_header(data)[:2])
        if share < 1 and (shorter := _shortened(data, share)):
            first, rows = shorter
            pixels = np.empty((height, width, 3), np.uint8)
            few = -(-rows // scale)
            # Not strict, since the pixels that are left out are no error here.
            simplejpeg.decode_jpeg(
                first, "RGB", min_height=few, min_width=width, min_factor=1, buffer=pixels, strict=False
            )
            pixels[few:] = 0
            return pixels
        whole: Array = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, min_factor=1)
        return whole
    # It may only be damaged, and OpenCV shows what is left of it.
    found = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[scale] | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if found is None else cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=found)


def _shortened(data: bytes, share: float) -> tuple[bytes, int] | None:
    """The file with only its first rows, and their number. None where there are several scans, or few rows.

    Of several scans each begins at the top, so that none may end early.
    """
    starts = {}
    for marker, start, _ in segments(data):
        starts[marker] = start
        if marker == SOS:
            break
    frame = next((starts[marker] for marker in _BASELINE if marker in starts), None)
    if frame is None or data[starts[SOS] + 2] != data[frame + 7]:
        return None
    height = int.from_bytes(data[frame + 3 : frame + 5], "big")
    rows = -(-(int(share * height) + 1 + _SPARE) // _BLOCK) * _BLOCK
    if rows >= height:
        return None
    return data[: frame + 3] + struct.pack(">H", rows) + data[frame + 5 :], rows
