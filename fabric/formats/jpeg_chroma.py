"""A JPEG's colour differences, more exactly than its decoder tells them.

A decoder rounds blue and red difference to whole steps of 256, and an evenly dyed cloth hardly varies: all of
it is rounded the same way, up to half a step off, which is a ΔE of up to one. The file itself tells them in
finer steps. With tables of quantisation that are larger by a factor the same coded pixels decode to
differences that are larger by it, and are rounded after that.
"""

import struct

from fabric.errors import FabricError
from fabric.formats.jpeg import SOS, segments

_SOF, _DQT, _APP0, _ADOBE = (0xC0, 0xC1, 0xC2), 0xDB, 0xE0, 0xEE
# Its last byte, 0, says that the three numbers of a pixel are to be left as they are.
_AS_THEY_ARE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
_RGB = b"RGB"  # names of components that are no colour differences

Table = tuple[int, ...]


def amplified(data: bytes, factor: int) -> bytes | None:
    """A JPEG (as `read_jpeg` leaves it) that decodes to luminance and `factor` times the differences.

    128 stays 128. None for a file without luminance and two differences, and for one that is damaged.
    """
    try:
        return _amplified(data, factor)
    except (FabricError, IndexError, struct.error, KeyError, ValueError):
        return None


def _amplified(data: bytes, factor: int) -> bytes | None:
    tables: dict[int, Table] = {}
    kept = [data[:2], _AS_THEY_ARE]
    frame = b""
    for marker, start, end in segments(data):
        if marker == SOS:
            break
        segment = data[start - 2 : end]
        if marker == _DQT:
            tables |= _tables(segment[4:])
        elif marker in _SOF:
            frame = segment
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and segment[15] != 1:
            return None  # not what these numbers mean
        if marker not in (*_SOF, _APP0, _ADOBE):
            kept.append(segment)
    if len(frame) != 19 or frame[9] != 3 or frame[10::3] == _RGB:
        return None
    luminance, *differences = frame[12::3]
    free = [number for number in range(4) if number != luminance][:2]
    changed = bytearray(frame)
    for component, (number, old) in enumerate(zip(free, differences, strict=True), start=1):
        larger = [min(value * factor, 0xFFFF) for value in tables[old]]
        kept.append(struct.pack(">2sHB64H", b"\xff\xdb", 131, 0x10 | number, *larger))
        changed[12 + 3 * component] = number
    return b"".join([*kept, bytes(changed), data[start - 2 :]])


def _tables(body: bytes) -> dict[int, Table]:
    """The tables of quantisation in a segment, by their numbers."""
    found: dict[int, Table] = {}
    at = 0
    while at < len(body):
        size, number = body[at] >> 4, body[at] & 15
        form = ">64H" if size else ">64B"
        found[number] = struct.unpack_from(form, body, at + 1)
        at += 1 + struct.calcsize(form)
    return found
