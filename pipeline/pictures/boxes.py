"""HEIC and AVIF: boxes (ISO/IEC 14496-12, 23008-12) around coded pictures. Reads headers, decodes nothing."""

import struct
from collections.abc import Iterator

MAX_BOXES = 4096  # of a file that are looked at; a phone's photo of 48 tiles has about 150
_AVIF = (b"avif", b"avis")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_EITHER = (b"mif1", b"msf1", b"mif2", b"miaf")
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # bytes before the boxes inside
_METADATA = (b"Exif", b"mime")
_UNKNOWN = b"skip"  # an item's type that decoders pass over


class InvalidBoxes(ValueError):
    """The file's boxes are damaged, or none says the picture's size."""


def boxes_format(data: bytes) -> str | None:
    """`HEIC` or `AVIF` by the brands in the first box; None for another file."""
    if data[4:8] != b"ftyp":
        return None
    brand = data[8:12]
    if brand in _EITHER:
        others = data[16 : min(int.from_bytes(data[:4], "big"), 256)]
        brand = next((others[at : at + 4] for at in range(0, len(others), 4)
                      if others[at : at + 4] in _AVIF + _HEIC), b"heic")  # fmt: skip
    return "AVIF" if brand in _AVIF else "HEIC" if brand in _HEIC else None


def read_boxes_size(data: bytes) -> tuple[int, int]:
    """(width, height) of the largest picture in the file, as its `ispe` box says. Raises InvalidBoxes."""
    sizes = [
        struct.unpack_from(">II", data, start + 4)
        for kind, start, end in _walk(data)
        if kind == b"ispe" and end - start >= 12
    ]
    if not sizes:
        raise InvalidBoxes("no box says how large the picture is")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return width, height


def read_seen_size(data: bytes) -> tuple[int, int]:
    """(width, height) of the main picture as it is seen: cropped and turned as its properties say.

    Raises InvalidBoxes.
    """
    width, height = read_boxes_size(data)
    properties = _main_properties(data)
    try:
        if b"ispe" in properties:
            width, height = struct.unpack_from(">II", properties[b"ispe"], 4)
        if b"clap" in properties:  # the coded picture has whole blocks
            *fractions, _ = struct.unpack_from(">5I", properties[b"clap"])
            width, height = fractions[0] // fractions[1], fractions[2] // fractions[3]
        turned = b"irot" in properties and properties[b"irot"][0] & 1  # in quarters of a turn
    except (struct.error, IndexError, ZeroDivisionError) as error:
        raise InvalidBoxes("a property of the picture is damaged") from error
    return (height, width) if turned else (width, height)


def read_colour_points(data: bytes) -> tuple[int, int] | None:
    """H.273's code points of the primaries and the transfer, from the first `colr` box that has them.

    Raises InvalidBoxes.
    """
    for kind, start, end in _walk(data):
        if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
            primaries, transfer = struct.unpack_from(">HH", data, start + 4)
            return primaries, transfer
    return None


def without_metadata(data: bytes) -> bytes:
    """The file with its EXIF and XMP hidden: decoders fail on odd ones, and the boxes say the orientation.

    Raises InvalidBoxes.
    """
    file = bytearray(data)
    for kind, start, end in _walk(data):
        if kind == b"infe" and end - start >= 12:
            place = start + (10 if data[start] == 3 else 8)
            if data[place : place + 4] in _METADATA:
                file[place : place + 4] = _UNKNOWN
    return bytes(file)


def _main_properties(data: bytes) -> dict[bytes, bytes]:
    """The main picture's boxes in `ipco` by their types (ISO/IEC 14496-12, 8.11.4 and 8.11.14)."""
    boxes = list(_walk(data))
    first, last = next(((start, end) for kind, start, end in boxes if kind == b"ipco"), (0, 0))
    listed = [(kind, data[start:end]) for kind, start, end in boxes if first < start and end <= last]
    main = next((data[start:end] for kind, start, end in boxes if kind == b"pitm"), b"")
    owners = next((data[start:end] for kind, start, end in boxes if kind == b"ipma"), b"")
    wanted = int.from_bytes(main[4 : 6 if main[:1] == b"\0" else 8], "big")
    of_item, of_index = 4 if owners[:1] > b"\0" else 2, 2 if owners[3:4] and owners[3] & 1 else 1
    at = 8
    for _ in range(min(int.from_bytes(owners[4:8], "big"), MAX_BOXES)):
        item, at = int.from_bytes(owners[at : at + of_item], "big"), at + of_item + 1
        end = at + of_index * int.from_bytes(owners[at - 1 : at], "big")
        if item == wanted:
            # The highest bit says whether a reader must know the property.
            places = (
                int.from_bytes(owners[place : place + of_index], "big") & (1 << 8 * of_index - 1) - 1
                for place in range(at, end, of_index)
            )
            return dict(listed[place - 1] for place in places if 1 <= place <= len(listed))
        at = end
    return {}


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the content, end) of the boxes that describe the pictures, and of those inside them."""
    waiting = [(0, len(data))]
    seen = 0
    while waiting:
        at, end = waiting.pop()
        while at + 8 <= end:
            seen += 1
            if seen > MAX_BOXES:
                raise InvalidBoxes(f"it has more than {MAX_BOXES} boxes")
            size, kind, start = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
            if size == 1:
                size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            elif size == 0:
                size = end - at
            at += size
            if start > at or at > end:
                if kind == b"mdat":  # the coded pixels: a file that is cut off there has its header
                    break
                raise InvalidBoxes("a box is longer than what it lies in")
            yield kind, start, at
            if kind in _CONTAINERS:
                waiting.append((start + _CONTAINERS[kind], at))
            elif kind == b"iinf":
                waiting.append((start + (8 if data[start : start + 1] != b"\0" else 6), at))
