"""JPEG: segments, each a marker and a length, before the coded pixels (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator

import numpy as np

from fabric.formats.container import (
    MAX_PROFILE_BYTES,
    Container,
    damaged,
    find_exposure,
    find_focal_length,
    find_orientation,
)

MAX_SEGMENTS = 2000  # before the pixels; a photo with a large profile has about 50
MAX_SCANS = 40  # of a progressive photo; libjpeg writes 10 for colour and 18 for CMYK
_SOI, _EOI, SOS = 0xD8, 0xD9, 0xDA
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
# Frames and tables, JFIF's and Adobe's segments: the last two say which colours the numbers mean.
_KEPT = {*range(0xC0, 0xD0), 0xDB, 0xDD, 0xE0, 0xEE}
_MARKER = re.compile(rb"[^\xff]")


def read_jpeg(photo: bytes) -> Container:
    """Raises FabricError IMAGE_DECODE."""
    kept = [b"\xff\xd8"]
    exif, xmp, profile = b"", b"", {}
    for marker, start, end in segments(photo):
        if marker == SOS:
            kept.append(photo[start - 2 :])
            break
        body = photo[start + 2 : end]
        if marker == 0xE1 and body.startswith(_EXIF):
            exif = exif or body
        elif marker == 0xE1 and body.startswith(_XMP):
            xmp = xmp or body
        elif marker == 0xE2 and body.startswith(_ICC) and len(body) > 14:
            profile[body[12]] = body[14:]  # by its number: parts may come in any order
        elif marker in _KEPT:
            kept.append(photo[start - 2 : end])
    # Coded pixels never hold these two bytes: there 0xff is followed by 0 or by a restart marker.
    code = np.frombuffer(photo, np.uint8, offset=start - 2)  # `bytes.count` takes twice as long
    scans = int(np.count_nonzero((code[:-1] == 0xFF) & (code[1:] == SOS)))
    if scans > MAX_SCANS:
        raise damaged(f"it has more than {MAX_SCANS} scans; save it as a baseline JPEG")
    icc = b"".join(profile[number] for number in sorted(profile))
    return Container(
        "JPEG",
        b"".join(kept),
        profile=icc if 0 < len(icc) <= MAX_PROFILE_BYTES else None,
        orientation=find_orientation(exif, xmp),
        focal_35=find_focal_length(exif),
        exposure=find_exposure(exif),
        scans=scans,
    )


def segments(photo: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment up to the first scan; `start` is where its length stands.

    Raises FabricError IMAGE_DECODE.
    """
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(photo, at)  # any number of 0xff may come before a marker
        if photo[at : at + 1] != b"\xff" or found is None or found[0] == b"\0":
            raise damaged("a segment begins without a marker")
        marker, at = found[0][0], found.end()
        if marker == _EOI:
            raise damaged("it holds no pixels")
        if marker in _NO_LENGTH:
            continue
        length = int.from_bytes(photo[at : at + 2], "big")
        if length < 2 or at + length > len(photo):
            raise damaged("a segment is longer than the file")
        yield marker, at, at + length
        at += length
    raise damaged(f"it has more than {MAX_SEGMENTS} segments")
