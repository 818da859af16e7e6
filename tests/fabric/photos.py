"""Photo files for tests: honest ones of any mode and format, and files made to cost a decoder memory."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

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


def profile_with(icc: bytes, elements: dict[bytes, bytes]) -> bytes:
    """An ICC profile some of whose elements are others."""
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = [struct.unpack_from(">4sII", icc, 132 + 12 * number) for number in range(count)]
    found = {name: icc[at : at + size] for name, at, size in entries} | elements
    table, data = struct.pack(">I", len(found)), b""
    for name, element in found.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(found) + len(data), len(element))
        data += element + bytes(-len(element) % 4)
    return struct.pack(">I", 128 + len(table) + len(data)) + icc[4:128] + table + data


def display_p3() -> bytes:
    """The profile that phones write: sRGB's curves with stronger colours, as seen in the light of D50."""
    colours = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    elements = {
        name: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * number) for number in numbers))
        for name, numbers in colours.items()
    }
    return profile_with(srgb, elements)


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
