"""Boxes of AVIF and HEIC files (ISO/IEC 14496-12), and the items in them (ISO/IEC 23008-12)."""

from collections.abc import Iterator

from fabric.formats.container import damaged

MAX_BOXES = 1000  # at each level; one for each item and one for each of their properties
MAX_CODED_PIXELS = 52_000_000  # of one picture: those of the largest photo, in whole coded blocks
_IGNORED = b"skip"  # an item or box type that decoders pass over


def boxes(photo: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
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


def without_frames(photo: bytes, file: bytearray, brands: dict[bytes, bytes]) -> None:
    """Hide a sequence's frames in `file`, a copy of the photo: only the still picture is read.

    brands: of sequences, which would promise a `moov` box, to those of still pictures.
    """
    for kind, start, end in boxes(photo, 0, len(photo)):
        if kind == b"ftyp":
            for sequence, still in brands.items():
                file[start:end] = bytes(file[start:end]).replace(sequence, still)
        elif kind == b"moov":
            place = start - (4 if photo[start - 4 : start] == kind else 12)  # a long size lies in between
            file[place : place + 4] = _IGNORED


def without_metadata(photo: bytes, file: bytearray) -> None:
    """Hide EXIF and XMP in `file`, a copy of the photo."""
    for item_type, place, _ in _item_types(photo):
        if item_type in (b"Exif", b"mime"):
            file[place : place + 4] = _IGNORED


def coded_pictures(photo: bytes, types: set[bytes]) -> Iterator[bytes]:
    """The coded data of each item of these types."""
    pictures = {item_id for item_type, _, item_id in _item_types(photo) if item_type in types}
    for start, end in _metas(photo):
        for kind, at, _ in boxes(photo, start, end):
            if kind == b"iloc":
                for item_id, data in _items(photo, at):
                    if item_id in pictures:
                        yield data


def _metas(photo: bytes) -> list[tuple[int, int]]:
    return [(start + 4, end) for kind, start, end in boxes(photo, 0, len(photo)) if kind == b"meta"]


def _item_types(photo: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, where it stands in the file, id) of each item."""
    for start, end in _metas(photo):
        for kind, at, box_end in boxes(photo, start, end):
            if kind != b"iinf":
                continue
            wide = photo[at] > 0
            for item_kind, item, _ in boxes(photo, at + (8 if wide else 6), box_end):
                place = item + (10 if photo[item : item + 1] == b"\3" else 8)
                if item_kind == b"infe":
                    yield photo[place : place + 4], place, int.from_bytes(photo[item + 4 : place - 2], "big")
