"""HEIC, the format of iPhones: boxes around HEVC pictures (ISO/IEC 14496-15; ITU-T H.265, section 7.3)."""

import re
from collections.abc import Iterator

from fabric.errors import FabricError
from fabric.formats.boxes import MAX_CODED_PIXELS, boxes, coded_pictures, without_frames, without_metadata
from fabric.formats.container import Container, damaged, find_exposure, find_focal_length

BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
MAX_UNITS = 4000  # of one picture: slices, parameter sets
_SEQUENCE_PARAMETERS = 33
_EXIF = re.compile(rb"Exif\0\0(?:II\*\0|MM\0\*)")
_EXIF_BYTES = 1 << 14  # the directories stand at its beginning
# Bytes of a picture's coded tile, of its planes, of the same as RGB and of what turns it upright.
_BYTES_PER_PIXEL = 9.0


def read_heic(photo: bytes) -> Container:
    """The still picture; its orientation is in its own boxes, which the decoder follows.

    Raises FabricError: IMAGE_DECODE for damaged files, TOO_LARGE where the coded picture is larger than any
    photo. A phone's photo is a grid of coded pictures, and each is checked.
    """
    file = bytearray(photo)
    without_frames(photo, file, {b"hevc": b"heic", b"hevx": b"heix", b"msf1": b"mif1"})
    without_metadata(photo, file)
    for data in coded_pictures(photo, {b"hvc1", b"hev1"}):
        for unit in _units(data):
            _check_unit(unit)
    deep = False
    for configuration in _configurations(photo):
        deep |= configuration[17:18] > b"\xf8"  # more than 8 bits, ISO/IEC 14496-15, section 8.3.3.1
        for unit in _parameter_sets(configuration):
            _check_unit(unit)
    exif = _EXIF.search(photo)  # where the boxes say that it lies is of no matter
    notes = photo[exif.start() : exif.start() + _EXIF_BYTES] if exif else b""
    return Container(
        "HEIF",
        bytes(file),
        memory=_BYTES_PER_PIXEL + (6 if deep else 0),
        focal_35=find_focal_length(notes),
        exposure=find_exposure(notes),
    )


def _configurations(photo: bytes) -> Iterator[bytes]:
    """Each `hvcC` box: how pictures are coded."""
    for kind, start, end in boxes(photo, 0, len(photo)):
        if kind != b"meta":
            continue
        for name, at, properties_end in boxes(photo, start + 4, end):
            if name != b"iprp":
                continue
            for container, first, last in boxes(photo, at, properties_end):
                if container == b"ipco":
                    for found, content, box_end in boxes(photo, first, last):
                        if found == b"hvcC":
                            yield photo[content:box_end]


def _parameter_sets(configuration: bytes) -> Iterator[bytes]:
    at = 23
    for _ in range(configuration[22] if len(configuration) > 22 else 0):
        count, at = int.from_bytes(configuration[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(configuration[at : at + 2], "big")
            if at + 2 > len(configuration):
                raise damaged("its parameters end too early")
            yield configuration[at + 2 : at + 2 + length]
            at += 2 + length


def _units(data: bytes) -> Iterator[bytes]:
    """The beginning of each unit of a coded picture."""
    at = 0
    for _ in range(MAX_UNITS):
        if at + 4 > len(data):
            return
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + min(length, 256)]
        at += 4 + length
    raise damaged(f"its picture has more than {MAX_UNITS} parts")


def _check_unit(unit: bytes) -> None:
    """The size in a set of sequence parameters. A decoder allocates it whatever the boxes around it say."""
    if len(unit) < 2 or unit[0] >> 1 & 63 != _SEQUENCE_PARAMETERS:
        return
    width, height = _size(unit[2:256])
    if width * height > MAX_CODED_PIXELS:
        raise FabricError("TOO_LARGE", f"the HEIC's picture is {width}×{height} pixels; send a smaller one")


def _size(parameters: bytes) -> tuple[int, int]:
    data = parameters.replace(b"\0\0\3", b"\0\0")  # the coding never has three such bytes in its content
    bits, left = int.from_bytes(data, "big"), 8 * len(data)

    def read(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise damaged("the parameters of its picture end too early")
        return bits >> left & (1 << count) - 1

    def number() -> int:
        """Exponential-Golomb coding, section 9.2."""
        zeros = 0
        while not read(1):
            zeros += 1
        return (1 << zeros) - 1 + read(zeros)

    read(4)
    layers = read(3)
    read(1 + 96)
    present = [(read(1), read(1)) for _ in range(layers)]
    if layers:
        read(2 * (8 - layers))
    for profile, level in present:
        read(88 * profile + 8 * level)
    number()
    if number() == 3:
        read(1)
    return number(), number()
