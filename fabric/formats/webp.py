"""WebP: RIFF chunks (RFC 9649). Of an animation only the first frame is read."""

from collections.abc import Iterator

from fabric.formats.container import (
    MAX_PROFILE_BYTES,
    Container,
    damaged,
    find_exposure,
    find_focal_length,
    find_orientation,
)

MAX_CHUNKS = 1000
_ALPHA = 0x10  # VP8X's flag


def read_webp(photo: bytes) -> Container:
    """A still picture: the coded pixels, and their transparency. Raises FabricError IMAGE_DECODE."""
    exif, xmp, profile = b"", b"", None
    pixels: dict[bytes, bytes] = {}
    for kind, data in _chunks(photo, 12, min(len(photo), 8 + int.from_bytes(photo[4:8], "little"))):
        if kind in (b"VP8 ", b"VP8L", b"ALPH") and not pixels.keys() & {b"VP8 ", b"VP8L"}:
            pixels[kind] = data
        elif kind == b"ANMF" and not pixels:
            pixels = dict(_chunks(data, 16, len(data)))
        elif kind == b"EXIF":
            exif = data
        elif kind == b"XMP ":
            xmp = data
        elif kind == b"ICCP" and 0 < len(data) <= MAX_PROFILE_BYTES:
            profile = data
    size = _size(pixels)
    return Container(
        "WEBP",
        _written(pixels, size),
        profile=profile,
        orientation=find_orientation(exif, xmp),
        focal_35=find_focal_length(exif),
        exposure=find_exposure(exif),
        size=size,
    )


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(MAX_CHUNKS):
        if at + 8 > end:
            return
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            raise damaged("the file ends too early")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise damaged(f"it has more than {MAX_CHUNKS} chunks")


def _size(pixels: dict[bytes, bytes]) -> tuple[int, int]:
    """(width, height) as the coded pixels themselves tell it."""
    if lossy := pixels.get(b"VP8 "):
        if len(lossy) >= 10 and lossy[3:6] == b"\x9d\x01\x2a":
            width, height = (int.from_bytes(lossy[at : at + 2], "little") & 0x3FFF for at in (6, 8))
            return width, height
    elif (lossless := pixels.get(b"VP8L", b""))[:1] == b"\x2f" and len(lossless) >= 5:
        bits = int.from_bytes(lossless[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise damaged("it holds no pixels")


def _written(pixels: dict[bytes, bytes], size: tuple[int, int]) -> bytes:
    chunks = b""
    if b"VP8 " in pixels and b"ALPH" in pixels:
        canvas = b"".join((side - 1).to_bytes(3, "little") for side in size)
        chunks = _chunk(b"VP8X", bytes([_ALPHA, 0, 0, 0]) + canvas) + _chunk(b"ALPH", pixels[b"ALPH"])
    kind = b"VP8 " if b"VP8 " in pixels else b"VP8L"
    chunks += _chunk(kind, pixels[kind])
    return b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
