"""AVIF: boxes (ISO/IEC 14496-12, 23008-12) around AV1 pictures (AV1 specification, section 5.5)."""

from fabric.errors import FabricError
from fabric.formats.boxes import MAX_CODED_PIXELS, boxes, coded_pictures, without_frames, without_metadata
from fabric.formats.container import Container, damaged

MAX_OBUS = 1000  # of one picture
_SEQUENCE_HEADER = 1


def read_avif(photo: bytes) -> Container:
    """The still picture; an orientation is in its own boxes, which the decoder reports.

    Raises FabricError: IMAGE_DECODE for damaged files, TOO_LARGE where the coded picture is larger than the
    file says.
    """
    file = bytearray(photo)
    without_frames(photo, file, {b"avis": b"avif", b"msf1": b"mif1"})
    without_metadata(photo, file)
    for data in coded_pictures(photo, {b"av01"}):
        _check_picture(data)
    metas = [(start, end) for kind, start, end in boxes(photo, 0, len(photo)) if kind == b"meta"]
    memory = _memory(photo, metas[-1][0] + 4, metas[-1][1]) if metas else 0.0
    return Container("AVIF", bytes(file), memory=memory)


def _memory(photo: bytes, start: int, end: int) -> float:
    """Bytes for each pixel: the planes of colour and of transparency, the same as RGB, and Pillow's copy."""
    planes = [
        _planes(photo[content + 2])
        for kind, at, properties_end in boxes(photo, start, end)
        if kind == b"iprp"
        for container, first, last in boxes(photo, at, properties_end)
        if container == b"ipco"
        for name, content, box_end in boxes(photo, first, last)
        if name == b"av1C" and box_end >= content + 4
    ]
    return sum(planes) + (7 if len(planes) < 2 else 8)


def _planes(flags: int) -> float:
    """Bytes for each pixel of a picture, from the third byte of its `av1C` box (AV1-ISOBMFF, section 2.3)."""
    deep, grey, half_x, half_y = flags & 0x40, flags & 0x10, flags & 8, flags & 4
    colour = 0.0 if grey else 2 / (2 if half_x else 1) / (2 if half_y else 1)
    return (1 + colour) * (2 if deep else 1)


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
