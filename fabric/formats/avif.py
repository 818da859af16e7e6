"""AVIF: boxes (ISO/IEC 14496-12, 23008-12) around AV1 pictures (AV1 specification, section 5.5)."""

from collections.abc import Iterator

from fabric.errors import FabricError
from fabric.formats.container import Container, damaged

MAX_BOXES = 1000  # at each level; one for each item and one for each of their properties
MAX_OBUS = 1000  # of one picture
MAX_CODED_PIXELS = 48_000_000  # of one picture: those of the largest photo, in whole superblocks
_SEQUENCE_HEADER = 1
_IGNORED = b"skip"  # an item or box type that decoders pass over


def read_avif(photo: bytes) -> Container:
    """The still picture; an orientation is in its own boxes, which the decoder reports.

    Raises FabricError: IMAGE_DECODE for damaged files, TOO_LARGE where the coded picture is larger than the
    file says.
    """
    file = bytearray(photo)
    memory = 0.0
    for kind, start, end in _boxes(photo, 0, len(photo)):
        if kind == b"ftyp":  # an animation's brands, which would promise a `moov` box
            file[start:end] = photo[start:end].replace(b"avis", b"avif").replace(b"msf1", b"mif1")
        elif kind == b"moov":  # an animation's frames
            place = start - (4 if photo[start - 4 : start] == kind else 12)  # a long size lies in between
            file[place : place + 4] = _IGNORED
        elif kind == b"meta":
            _clean(photo, file, start + 4, end)
            memory = _memory(photo, start + 4, end)
    return Container("AVIF", bytes(file), memory=memory)


def _clean(photo: bytes, file: bytearray, start: int, end: int) -> None:
    """Hide EXIF and XMP from the decoder, and check the pictures' sizes."""
    pictures = set()
    for kind, at, box_end in _boxes(photo, start, end):
        if kind == b"iinf":
            wide = photo[at] > 0
            for item_kind, item, _ in _boxes(photo, at + (8 if wide else 6), box_end):
                place = item + (10 if photo[item : item + 1] == b"\3" else 8)
                item_type = photo[place : place + 4]
                if item_kind == b"infe" and item_type in (b"Exif", b"mime"):
                    file[place : place + 4] = _IGNORED
                elif item_type == b"av01":
                    pictures.add(int.from_bytes(photo[item + 4 : place - 2], "big"))
    for kind, at, _ in _boxes(photo, start, end):
        if kind == b"iloc":
            for item_id, data in _items(photo, at):
                if item_id in pictures:
                    _check_picture(data)


def _memory(photo: bytes, start: int, end: int) -> float:
    """Bytes for each pixel: the planes of colour and of transparency, the same as RGB, and Pillow's copy."""
    planes = [
        _planes(photo[content + 2])
        for kind, at, properties_end in _boxes(photo, start, end)
        if kind == b"iprp"
        for container, first, last in _boxes(photo, at, properties_end)
        if container == b"ipco"
        for name, content, box_end in _boxes(photo, first, last)
        if name == b"av1C" and box_end >= content + 4
    ]
    return sum(planes) + (7 if len(planes) < 2 else 8)


def _planes(flags: int) -> float:
    """Bytes for each pixel of a picture, from the third byte of its `av1C` box (AV1-ISOBMFF, section 2.3)."""
    deep, grey, half_x, half_y = flags & 0x40, flags & 0x10, flags & 8, flags & 4
    colour = 0.0 if grey else 2 / (2 if half_x else 1) / (2 if half_y else 1)
    return (1 + colour) * (2 if deep else 1)


def _boxes(photo: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the content, end) of each box."""
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        size, kind, content = int.from_bytes(photo[at : at + 4], "big"), photo[at + 4 : at + 8], at + 8
        if size == 1:
            size, content = int.from_bytes(photo[content : content + 8], "big"), content + 8
        elif size == 0:
            size = end - at
        if size < content - at or at + size > end:
            raise damaged("a box is longer than what it lies in")
        yield kind, content, at + size
        at += size
    raise damaged(f"it has more than {MAX_BOXES} boxes")


def _items(photo: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """(id, data) of each item that lies in the file; all of them hold no more than the file does."""
    version = photo[at]
    sizes = int.from_bytes(photo[at + 4 : at + 6], "big")
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    position, total = at + 6, 0

    def read(size: int) -> int:
        nonlocal position
        position += size
        if position > len(photo):
            raise damaged("its list of items ends too early")
        return int.from_bytes(photo[position - size : position], "big")

    for _ in range(read(wide)):
        item_id = read(wide)
        method = read(2) & 15 if version else 0
        read(2)
        base = read(base_size)
        parts = []
        for _ in range(read(2)):
            if version:
                read(index_size)
            start, length = base + read(offset_size), read(length_size)
            total += length or len(photo)
            if total > len(photo):
                raise damaged("its items hold more than the file")
            parts.append(photo[start : start + length] if length else photo[start:])
        if method == 0:
            yield item_id, b"".join(parts)


def _check_picture(data: bytes) -> None:
    """Each sequence header's largest frame. A decoder allocates it whatever the boxes around it say."""
    at = 0
    for _ in range(MAX_OBUS):
        if at >= len(data):
            return
        header, at = data[at], at + (2 if data[at] & 4 else 1)
        length = len(data) - at
        if header & 2:
            length, at = _leb128(data, at)
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            width, height = _largest_frame(data[at : at + min(length, 256)])
            if width * height > MAX_CODED_PIXELS:
                raise FabricError(
                    "TOO_LARGE", f"the AVIF's picture is {width}×{height} pixels; send a smaller one"
                )
        at += length
    raise damaged(f"its picture has more than {MAX_OBUS} parts")


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 56, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if not data[at - 1] & 128:
            return value, at
    raise damaged("a length in its picture does not end")


def _largest_frame(header: bytes) -> tuple[int, int]:
    """Width and height in a sequence header. One with a video's clock is refused: no photo has it."""
    bits, left = int.from_bytes(header, "big"), 8 * len(header)

    def read(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise damaged("a header of its picture ends too early")
        return bits >> left & (1 << count) - 1

    read(4)  # profile, still picture
    if read(1):  # a reduced header
        read(5)
    else:
        if read(1):
            raise damaged("it is a video")
        delays = read(1)
        for _ in range(read(5) + 1):
            read(12)
            if read(5) > 7:
                read(1)
            if delays and read(1):
                read(4)
    sides = read(4) + 1, read(4) + 1
    return read(sides[0]) + 1, read(sides[1]) + 1
