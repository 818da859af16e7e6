"""Format and size of a compressed image, read from its header in bounded time. No pixel is decoded.

Image libraries read all of a file's metadata without a limit: a 4 MiB JPEG of fill bytes or of tiny segments
keeps them busy for seconds. These readers run on the event loop, so they read only what tells the size, in at
most `MAX_STEPS` steps (segments and fill bytes), however long the file is.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.pictures.boxes import InvalidBoxes, boxes_format, read_boxes_size, read_seen_size
from pipeline.pictures.metadata import read_metadata

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIC")
MAX_STEPS = 1024  # a 10 MiB JPEG whose metadata fill the largest segments has 160 of them
MAX_JUNK = 4096  # bytes between two JPEG segments that decoders skip; a scan for the next marker ends there

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; DHT, JPG and DAC lie between
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM, RST0 to RST7
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type


class InvalidHeader(ValueError):
    """The bytes do not begin with a readable header."""


@dataclass(frozen=True)
class ImageHeader:
    """`format` is one of `FORMATS`. Width and height are in pixels."""

    format: str
    width: int
    height: int


def read_image_header(data: bytes) -> ImageHeader:
    """Raises InvalidHeader for another format, a damaged header, or an image without pixels."""
    for name, (recognizes, read_size) in _READERS.items():
        if not recognizes(data):
            continue
        try:
            width, height = read_size(data)
        except (struct.error, IndexError):
            raise InvalidHeader(f"the {name} header is cut off") from None
        except InvalidBoxes as error:
            raise InvalidHeader(f"the {name} header is damaged: {error}") from error
        if width < 1 or height < 1:
            raise InvalidHeader(f"the {name} header says {width}×{height} pixels")
        return ImageHeader(name, width, height)
    raise InvalidHeader("the format is unknown")


def seen_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a compressed image as it is seen: upright, and without what its file crops.

    None if its header does not tell it.
    """
    try:
        header = read_image_header(data)
        if header.format in ("AVIF", "HEIC"):
            return read_seen_size(data)
    except (InvalidHeader, InvalidBoxes):
        return None
    on_its_side = read_metadata(data).orientation >= 5  # EXIF's 5 to 8 turn it by 90°
    return (header.height, header.width) if on_its_side else (header.width, header.height)


def _jpeg(data: bytes) -> tuple[int, int]:
    """The first frame header (ITU T.81, B.2.2). Decoders refuse a file with two."""
    at = 2
    for _ in range(MAX_STEPS):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at, at + MAX_JUNK)
            if at < 0:
                break
        code = data[at + 1]
        if code == 0xFF:  # a fill byte (B.1.1.2)
            at += 1
        elif code == 0 or code in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif code in _JPEG_SIZES:
            precision, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            if precision != 8 or components not in (1, 3, 4):
                raise InvalidHeader(
                    f"a JPEG of {precision} bits and {components} components is not supported"
                )
            return width, height
        elif code < 0xC0 or code in (0xD8, 0xD9, 0xDA):  # no marker; another start, end, or scan
            break
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if length < 2:
                break
            at += 2 + length
    raise InvalidHeader(f"no JPEG frame header within {MAX_STEPS} segments")


def _png(data: bytes) -> tuple[int, int]:
    """The IHDR chunk, which must be the first (PNG specification, 11.2.1)."""
    length, kind, width, height, depth, colour, compression, filters, interlace, crc = struct.unpack_from(
        ">I4sIIBBBBBI", data, 8
    )
    if length != 13 or kind != b"IHDR" or zlib.crc32(data[12:29]) != crc:
        raise InvalidHeader("the PNG does not begin with a valid IHDR chunk")
    if depth not in _PNG_DEPTHS.get(colour, ()) or compression or filters or interlace > 1:
        raise InvalidHeader("the PNG has a bit depth, colour type or method that does not exist")
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    """The first chunk: VP8X (canvas), VP8L (lossless) or VP8 (lossy)."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, more, height, most = struct.unpack_from("<HBHB", data, 24)  # 24 bits each, less one
        return (more << 16 | width) + 1, (most << 16 | height) + 1
    if kind == b"VP8L":
        signature, bits = struct.unpack_from("<BI", data, 20)
        if signature == 0x2F:
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        frame_tag, start_code, width, height = struct.unpack_from("<B2x3sHH", data, 20)
        if not frame_tag & 1 and start_code == b"\x9d\x01\x2a":  # a key frame (RFC 6386, 9.1)
            return width & 0x3FFF, height & 0x3FFF
    raise InvalidHeader("the WebP does not begin with a VP8, VP8L or VP8X chunk")


_READERS: dict[str, tuple[Callable[[bytes], bool], Callable[[bytes], tuple[int, int]]]] = {
    "JPEG": (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    "PNG": (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    "WEBP": (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    "AVIF": (lambda data: boxes_format(data) == "AVIF", read_boxes_size),
    "HEIC": (lambda data: boxes_format(data) == "HEIC", read_boxes_size),
}
