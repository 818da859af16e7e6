"""Pictures that are small to send and costly to read, each a valid file or nearly one."""

import struct
import zlib
from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np

MIB = 2**20
_PNG = b"\x89PNG\r\n\x1a\n"


@cache
def jpeg_of_fill_bytes(size: int = 4 * MIB) -> bytes:
    """Any number of 0xFF may stand before a marker: a header reader in Python takes a step for each."""
    return b"\xff\xd8" + b"\xff" * size + _small(".jpg")[2:]


@cache
def jpeg_of_tiny_segments(size: int = 4 * MIB) -> bytes:
    """Empty comments of four bytes each, before the picture's size."""
    return b"\xff\xd8" + b"\xff\xfe\x00\x02" * (size // 4) + _small(".jpg")[2:]


@cache
def png_of_tiny_chunks(size: int = 4 * MIB) -> bytes:
    """Empty chunks of twelve bytes each, between the header and the pixels."""
    header_ends = len(_PNG) + 25
    small = _small(".png")
    return small[:header_ends] + _chunk(b"teXt", b"") * (size // 12) + small[header_ends:]


@cache
def webp_of_tiny_chunks(size: int = 4 * MIB) -> bytes:
    """Empty unknown chunks of eight bytes each, before the chunk that has the picture's size."""
    content = b"WEBP" + b"JUNK\0\0\0\0" * (size // 8) + _small(".webp")[12:]
    return b"RIFF" + struct.pack("<I", len(content)) + content


@cache
def tiff_with_one_tile(side: int = 64, tile: int = 18_000) -> bytes:
    """A picture of `side`², whose only tile has `tile`² pixels: 3 bytes each in memory, nothing in the file.

    tile: a multiple of 16, as TIFF 6.0 demands.
    """
    data = _deflated(bytes(3 * tile) for _ in range(tile))
    tags = [
        (256, 4, 1, side), (257, 4, 1, side),  # width, length
        (258, 3, 3, None),  # bits of each sample
        (259, 3, 1, 8), (262, 3, 1, 2),  # deflate, RGB
        (277, 3, 1, 3), (284, 3, 1, 1),  # samples of a pixel, which lie together
        (322, 4, 1, tile), (323, 4, 1, tile),
        (324, 4, 1, None), (325, 4, 1, len(data)),  # the tile's offset and bytes
    ]  # fmt: skip
    bits_at = 8 + 2 + 12 * len(tags) + 4
    values = {258: bits_at, 324: bits_at + 6}
    entries = [
        struct.pack("<HHII", tag, kind, count, values.get(tag, value)) for tag, kind, count, value in tags
    ]
    directory = struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<HHH", 8, 8, 8) + data


@cache
def png_of_pixels(width: int, height: int, bits: int = 8, channels: int = 3) -> bytes:
    """Every row is the same, so that it deflates to a thousandth. channels: 1, 3 or 4."""
    colour = {1: 0, 3: 2, 4: 6}[channels]
    row = bytes(range(256)) * (width * channels * bits // 8 // 256 + 1)
    line = b"\0" + row[: width * channels * bits // 8]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = _deflated(line for _ in range(height))
    return _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


@cache
def jpeg_of_pixels(width: int, height: int, progressive: bool = False) -> bytes:
    """A progressive one must be held as a whole before it can be shrunk."""
    row = np.arange(3 * width, dtype=np.uint32).reshape(1, width, 3).astype(np.uint8) // 8 * 8
    options = [cv2.IMWRITE_JPEG_QUALITY, 60, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", np.broadcast_to(row, (height, width, 3)).copy(), options)[1].tobytes()


@cache
def _small(suffix: str) -> bytes:
    gradient = np.linspace(0, 255, 96 * 128 * 3).reshape(96, 128, 3).astype(np.uint8)
    return cv2.imencode(suffix, gradient)[1].tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _deflated(blocks: Iterable[bytes]) -> bytes:
    compressor = zlib.compressobj(6)
    return b"".join([*map(compressor.compress, blocks), compressor.flush()])
