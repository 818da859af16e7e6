"""TIFF 6.0 and BigTIFF: a directory of tags, which point anywhere into the file."""

from dataclasses import dataclass
from typing import Literal

from fabric.errors import FabricError
from fabric.formats.container import MAX_PROFILE_BYTES, Container, damaged

MAX_TAGS = 512
SMALL_TILE = 2**20  # pixels; writers use tiles of up to 1024 × 1024 whatever the picture's size
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_WIDTH, _HEIGHT, _COMPRESSION, _ORIENTATION, _ROWS = 256, 257, 259, 274, 278
_TILE_WIDTH, _TILE_HEIGHT, _PROFILE = 322, 323, 34675
# What pixels need: layout, colours, compression, transparency. The rest is metadata.
_KEPT = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}
_KEPT |= {332, 338, 339, 347, 529, 530, 531, 532}
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}  # none, fax, LZW, JPEG, Deflate, PackBits
_ALL_ROWS = 2**32 - 1


@dataclass(frozen=True)
class _Layout:
    """Where the numbers of a classic TIFF and of a BigTIFF stand."""

    order: Literal["little", "big"]
    offset: int  # bytes of an offset or of a count of values
    count: int  # bytes of the count of tags

    @property
    def entry(self) -> int:
        return 4 + 2 * self.offset

    def number(self, data: bytes, at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], self.order)


def read_tiff(photo: bytes) -> Container:
    """The first picture. Raises FabricError IMAGE_DECODE, and INVALID_INPUT for unusual tiles."""
    order: Literal["little", "big"] = "little" if photo[:2] == b"II" else "big"
    big = photo[2:4] in (b"+\0", b"\0+")
    layout = _Layout(order, 8 if big else 4, 8 if big else 2)
    directory = layout.number(photo, layout.offset, layout.offset)
    entries = _entries(photo, layout, directory)
    number = {tag: _first(photo, layout, entry) for tag, entry in entries.items()}
    if number.get(_COMPRESSION, 1) not in _COMPRESSIONS:
        raise FabricError(
            "IMAGE_DECODE", "the TIFF's compression is not supported; save it with LZW, Deflate or none"
        )
    _check_tiles(number)
    return Container(
        "TIFF",
        _rewritten(photo, layout, directory, [entry for tag, entry in entries.items() if tag in _KEPT]),
        profile=_profile(photo, layout, entries.get(_PROFILE)),
        orientation=number.get(_ORIENTATION, 1) if 1 <= number.get(_ORIENTATION, 1) <= 8 else 1,
    )


def _entries(photo: bytes, layout: _Layout, directory: int) -> dict[int, bytes]:
    """The directory's entries by tag, of those that are used. What they point at lies within the file."""
    count = layout.number(photo, directory, layout.count)
    start = directory + layout.count
    if not 0 < count <= MAX_TAGS or start + count * layout.entry + layout.offset > len(photo):
        raise damaged("its TIFF directory is not within the file, or has too many tags")
    entries = {}
    total = 0
    for at in range(start, start + count * layout.entry, layout.entry):
        tag = layout.number(photo, at, 2)
        if tag not in _KEPT and tag not in (_ORIENTATION, _PROFILE):
            continue
        entries[tag] = photo[at : at + layout.entry]
        total += _bytes(layout, entries[tag])
    if total > len(photo):
        raise damaged("its TIFF tags hold more than the file")
    return entries


def _bytes(layout: _Layout, entry: bytes) -> int:
    return _SIZES.get(layout.number(entry, 2, 2), 1) * layout.number(entry, 4, layout.offset)


def _first(photo: bytes, layout: _Layout, entry: bytes) -> int:
    """The first value of a tag of whole numbers."""
    size = _SIZES.get(layout.number(entry, 2, 2), 1)
    at = 4 + layout.offset
    if _bytes(layout, entry) > layout.offset:
        return layout.number(photo, layout.number(entry, at, layout.offset), size)
    return layout.number(entry, at, size)


def _check_tiles(number: dict[int, int]) -> None:
    """A decoder allocates a whole tile or strip, however small the picture in it is."""
    width, height = number.get(_WIDTH, 0), number.get(_HEIGHT, 0)
    rows = number.get(_ROWS, _ALL_ROWS)
    strip = width * (height if rows >= _ALL_ROWS else rows)
    tile = number.get(_TILE_WIDTH, 0) * number.get(_TILE_HEIGHT, 0)
    across = -(-width // 16) * 16 * (-(-height // 16) * 16)  # tiles' sides are multiples of 16
    if max(strip, tile) > max(across, SMALL_TILE):
        raise FabricError(
            "INVALID_INPUT",
            "the TIFF's tiles are larger than its picture; save it as JPEG, PNG or plain TIFF",
        )


def _profile(photo: bytes, layout: _Layout, entry: bytes | None) -> bytes | None:
    size = _bytes(layout, entry) if entry else 0
    if entry is None or not layout.offset < size <= MAX_PROFILE_BYTES:
        return None
    at = layout.number(entry, 4 + layout.offset, layout.offset)
    return photo[at : at + size] or None


def _rewritten(photo: bytes, layout: _Layout, directory: int, entries: list[bytes]) -> bytes:
    """The file with these entries alone in its directory, and no further directory."""
    file = bytearray(photo)
    written = len(entries).to_bytes(layout.count, layout.order) + b"".join(entries) + bytes(layout.offset)
    file[directory : directory + len(written)] = written
    return bytes(file)
