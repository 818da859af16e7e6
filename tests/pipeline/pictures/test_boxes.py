"""Which of a file's boxes tell the size of its main picture; `test_image_headers` reads real files."""

import struct

import pytest

from pipeline.pictures.boxes import InvalidBoxes, read_seen_size
from tests.frontend_proxy.test_image_headers import FTYP, box, ispe


def item(number: int, *places: int) -> bytes:
    """What `ipma` says about one: the places of its properties, from 1 on."""
    return struct.pack(">HB", number, len(places)) + bytes(places)


IPMA = struct.pack(">II", 0, 2) + item(1, 3, 4) + item(2, 1, 2, 0, 99)
PITM = box(b"pitm", bytes(4) + struct.pack(">H", 2))


@pytest.mark.parametrize(
    ("main", "owners", "size"),
    [
        (PITM, IPMA, (200, 300)),
        (b"", IPMA, (900, 600)),
        (PITM, b"", (900, 600)),
        (PITM, IPMA[:-2], (200, 300)),
        (PITM, struct.pack(">II", 0, 2**32 - 1), (900, 600)),
    ],
)
def test_only_what_belongs_to_the_main_picture_turns_it(
    main: bytes, owners: bytes, size: tuple[int, int]
) -> None:
    ipco = box(b"ipco", ispe(300, 200) + box(b"irot", b"\1") + ispe(900, 600) + box(b"irot", b"\2"))
    boxes = main + box(b"iprp", ipco + box(b"ipma", owners))
    assert read_seen_size(FTYP + box(b"meta", bytes(4) + boxes)) == size


@pytest.mark.parametrize("broken", [box(b"irot", b""), box(b"clap", bytes(32)), box(b"clap", b"\0")])
def test_a_damaged_property_is_refused(broken: bytes) -> None:
    owners = struct.pack(">II", 0, 1) + item(2, 1, 2)
    ipco = box(b"ipco", ispe(300, 200) + broken)
    boxes = PITM + box(b"iprp", ipco + box(b"ipma", owners))
    with pytest.raises(InvalidBoxes):
        read_seen_size(FTYP + box(b"meta", bytes(4) + boxes))
