"""Photo files for tests: honest ones of any mode and format, and files made to cost a decoder memory."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SRGB = (90, 140, 60)


def saved(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def woven(width: int, height: int) -> np.ndarray:
    """A pattern that any decoder and any step of a scan has work with: (height, width, 3) uint8."""
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    grid = (120 + 60 * np.sin(x / 3) * np.sin(y / 4)).astype(np.uint8)
    return np.dstack([grid, grid // 2 + 60, 255 - grid])


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: tuple[bytes, bytes], image: Image.Image | None = None) -> bytes:
    """A PNG with chunks after its header."""
    png = saved(image or Image.fromarray(woven(80, 70)))
    return png[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + png[33:]


def inflating(size: int) -> bytes:
    """zlib data of `size` zeros."""
    return zlib.compress(bytes(size), 9)


def exif_bomb(entries: int, length: int) -> bytes:
    """A TIFF directory whose every entry points at the same `length` bytes."""
    head = b"II*\0" + struct.pack("<IH", 8, entries)
    start = 8 + 2 + 12 * entries + 4
    body = b"".join(struct.pack("<HHII", 40000 + tag, 7, length, start) for tag in range(entries))
    return head + body + bytes(4) + bytes(length)


def tiff(tags: dict[int, tuple[int, int, int]], pixels: bytes = bytes(64 * 64)) -> bytes:
    """A TIFF of one directory; tags: number to (type, count, value). Pixels begin at byte 8."""
    directory = 8 + len(pixels) + len(pixels) % 2
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<I", directory) + pixels + bytes(len(pixels) % 2)
    return head + struct.pack("<H", len(tags)) + entries + bytes(4)


GREY_TIFF = {
    256: (3, 1, 64),
    257: (3, 1, 64),
    258: (3, 1, 8),
    259: (3, 1, 1),
    262: (3, 1, 1),
    273: (4, 1, 8),
    277: (3, 1, 1),
    278: (4, 1, 64),
    279: (4, 1, 4096),
}
