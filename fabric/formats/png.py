"""PNG: chunks, each a length, a type, data and a checksum (ISO/IEC 15948, section 5)."""

import zlib
from collections.abc import Iterator

from fabric.formats.container import (
    MAX_PROFILE_BYTES,
    MAX_XMP_BYTES,
    Container,
    damaged,
    find_exposure,
    find_focal_length,
    find_orientation,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 2**16  # 10 MB of pixels in chunks of 160 bytes
_KEPT = {b"IHDR", b"PLTE", b"tRNS"}
_XMP = b"XML:com.adobe.xmp\0\0\0"  # the keyword of text that is not compressed


def read_png(photo: bytes) -> Container:
    """Raises FabricError IMAGE_DECODE."""
    kept: list[tuple[bytes, bytes]] = []
    pixels: list[bytes] = []
    exif, xmp, profile = b"", b"", None
    for kind, data in _chunks(photo):
        if kind == b"IDAT":
            pixels.append(data)
        elif kind in _KEPT:
            kept.append((kind, data))
        elif kind == b"iCCP":
            profile = _inflated(data.partition(b"\0")[2][1:])
        elif kind == b"eXIf":
            exif = data
        elif kind == b"iTXt" and data.startswith(_XMP):
            xmp = data[:MAX_XMP_BYTES]
    if not kept or kept[0][0] != b"IHDR" or not pixels:
        raise damaged("it holds no pixels")
    chunks = [*kept, (b"IDAT", b"".join(pixels)), (b"IEND", b"")]
    file = SIGNATURE + b"".join(_written(kind, data) for kind, data in chunks)
    return Container(
        "PNG",
        file,
        profile=profile,
        orientation=find_orientation(exif, xmp),
        focal_35=find_focal_length(exif),
        exposure=find_exposure(exif),
    )


def _chunks(photo: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, data) of each chunk up to the end of the picture."""
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        length, kind = int.from_bytes(photo[at : at + 4], "big"), photo[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(photo):
            raise damaged("the file ends too early")
        if kind == b"IEND":
            return
        data = photo[at + 8 : end]
        critical = kind[0] & 0x20 == 0
        if critical and zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(photo[end : end + 4], "big"):
            raise damaged(f"the checksum of a chunk {kind!r} is wrong")
        yield kind, data
        at = end + 4
    raise damaged(f"it has more than {MAX_CHUNKS} chunks")


def _written(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return len(data).to_bytes(4, "big") + kind + data + checksum.to_bytes(4, "big")


def _inflated(data: bytes) -> bytes | None:
    """A colour profile; None for one that is damaged or larger than profiles are."""
    try:
        profile = zlib.decompressobj().decompress(data, MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return None
    return profile if 0 < len(profile) <= MAX_PROFILE_BYTES else None
