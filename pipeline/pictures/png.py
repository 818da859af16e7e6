"""Writes PNG files several times as fast as OpenCV and Pillow do, and no larger.

Those try several filters for each row; here every row is filtered by its difference to the row above, which
is best for most of a photograph, and compressed by ISA-L, which has vector code for it. A capture's encoder
took 100 ms of the processor's time, while others waited for their networks.
"""

import struct
import zlib

import cv2
import numpy as np
from isal import isal_zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # the filter's number: the difference to the pixel above
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
_RGB_ORDER = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
_LEVEL = 1


def encode_png(picture: np.ndarray) -> np.ndarray:
    """The picture as a PNG file, (N,) uint8.

    picture: (H, W) or (H, W, 3) or (H, W, 4) uint8, BGR with or without alpha, neither side 0.
    """
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    height, width = picture.shape[:2]
    pixels = cv2.cvtColor(picture, _RGB_ORDER[channels]) if channels in _RGB_ORDER else picture
    rows = np.ascontiguousarray(pixels).reshape(height, width * channels)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]  # nothing is above it
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])  # modulo 256, as the format wants
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    data = isal_zlib.compress(filtered, _LEVEL)
    file = _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return np.frombuffer(file, np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
