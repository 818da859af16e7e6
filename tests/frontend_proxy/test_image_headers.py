import contextlib
import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frontend_proxy.image_headers import MAX_STEPS, ImageHeader, InvalidHeader, read_image_header, seen_size
from pipeline.pictures.decoding import decode_opaque

TRIALS = Path(__file__).parents[1] / "data" / "trials"
SIDES = st.integers(1, 400)
TAGS = Image.Exif()
TAGS[270] = 3000 * "x"  # ImageDescription
EXIF = TAGS.tobytes()
# Everything that changes what stands before the size in a file.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [
        {},
        {"progressive": True},
        {"exif": EXIF},
        {"icc_profile": bytes(150_000), "comment": b"\xff\xc0" * 900},
        {"quality": 100, "subsampling": 0, "restart_marker_blocks": 1},
    ],
    "PNG": [{}, {"optimize": True}, {"icc_profile": bytes(3000)}, {"bits": 4}],
    "WEBP": [{}, {"lossless": True}, {"exif": EXIF, "icc_profile": bytes(300)}],
}
MODES = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["RGB", "RGBA"],
}
KINDS = [(name, options) for name, variants in OPTIONS.items() for options in variants]


def encoded(image_format: str, size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, image_format, **options)
    return buffer.getvalue()


@given(st.sampled_from(KINDS), SIDES, SIDES, st.data())
def test_it_reads_what_pillow_reads(
    kind: tuple[str, dict[str, Any]], width: int, height: int, data: st.DataObject
) -> None:
    name, options = kind
    mode = data.draw(st.sampled_from(MODES[name]))
    options = {key: value for key, value in options.items() if key != "bits" or mode == "P"}
    picture = encoded(name, (width, height), mode, **options)
    pillow = Image.open(io.BytesIO(picture))
    assert read_image_header(picture) == ImageHeader(name, *pillow.size) == ImageHeader(name, width, height)


@pytest.mark.parametrize("name", ["AVIF", "HEIC"])
def test_the_size_of_a_phone_s_format_is_read_from_its_boxes(name: str) -> None:
    picture = (TRIALS / f"person.{name.lower()}").read_bytes()
    assert read_image_header(picture) == ImageHeader(name, 640, 480)
    assert read_image_header(picture[:2000]) == ImageHeader(name, 640, 480)
    with pytest.raises(InvalidHeader):
        read_image_header(picture[:100])


def box(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I", len(content) + 8 if size is None else size) + kind + content


FTYP = box(b"ftyp", b"mif1\0\0\0\0mif1heic")


def meta(*properties: bytes) -> bytes:
    return box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", b"".join(properties))))


def ispe(width: int, height: int) -> bytes:
    return box(b"ispe", bytes(4) + struct.pack(">II", width, height))


def test_a_photo_in_tiles_has_the_size_of_the_whole() -> None:
    tiled = FTYP + meta(ispe(512, 512), ispe(4032, 3024), ispe(320, 240))
    assert read_image_header(tiled) == ImageHeader("HEIC", 4032, 3024)
    assert read_image_header(FTYP + meta(ispe(2**32 - 1, 2**32 - 1))).width == 2**32 - 1


@pytest.mark.parametrize(
    "boxes",
    [
        b"",
        meta(),
        meta(ispe(0, 5)),
        meta(box(b"ispe", bytes(5))),
        meta(box(b"ispe", bytes(12), 4000)),
        box(b"meta", bytes(4) + box(b"iprp", b"", 4)),
        box(b"free", b"", 1) + bytes(8),
        box(b"free", b"") * 10_000 + meta(ispe(3, 3)),
        meta(*[box(b"free", b"") for _ in range(10_000)], ispe(3, 3)),
    ],
)
def test_boxes_without_a_size_or_without_end_are_refused(boxes: bytes) -> None:
    with pytest.raises(InvalidHeader):
        read_image_header(FTYP + boxes)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(96, 64), (77, 33)])
def test_a_turned_picture_has_the_size_that_is_seen(
    name: str, orientation: int, size: tuple[int, int]
) -> None:
    """AVIF and HEIC turn by their boxes, and HEIC crops an odd size from one that its blocks fill."""
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = encoded(name, size, exif=exif.tobytes())
    assert seen_size(picture) == decode_opaque(picture).shape[1::-1]
    assert seen_size(picture) == (size if orientation < 5 else size[::-1])
    assert seen_size(picture[:20]) is None


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_an_animation_has_the_size_of_its_canvas(name: str) -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "green")]
    frames[0].save(buffer, name, save_all=True, append_images=frames[1:])
    assert read_image_header(buffer.getvalue()) == ImageHeader(name, 30, 20)


@given(st.sampled_from(KINDS), st.data())
def test_a_header_that_is_cut_off_is_refused_and_never_another_size(
    kind: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    name, options = kind
    options = {key: value for key, value in options.items() if key != "bits"}
    picture = encoded(name, (31, 17), **options)
    length = data.draw(st.integers(0, min(len(picture), 4000)))
    with contextlib.suppress(InvalidHeader):
        assert read_image_header(picture[:length]) == ImageHeader(name, 31, 17)


MAGIC = [
    *(b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    *(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x14ftypavif\0\0\0\0avif\0\0\0\x40meta\0\0\0\0"),
    *(b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WEBPVP8X"),
]


@given(st.sampled_from(MAGIC), st.binary(max_size=300))
def test_any_bytes_give_a_header_or_a_clear_error(magic: bytes, data: bytes) -> None:
    with contextlib.suppress(InvalidHeader):
        header = read_image_header(magic + data)
        assert header.width > 0
        assert header.height > 0


class CountingBytes(bytes):
    """Counts reads: indexing, slicing and searching, in bytes."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        CountingBytes.read += 1 if isinstance(found, int) else len(found)
        return found

    def find(self, sub: Any, start: Any = 0, end: Any = sys.maxsize) -> int:
        found = super().find(sub, start, end)
        CountingBytes.read += (min(end, len(self)) if found < 0 else found) - start
        return found


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of Python the call runs: its work, whatever the machine is busy with."""
    count = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with contextlib.suppress(InvalidHeader):
            call()
    finally:
        sys.settrace(before)
    return count


MIB = 2**20
HOSTILE = {
    "jpeg fill bytes": b"\xff\xd8" + b"\xff" * 4 * MIB,
    "jpeg tiny segments": b"\xff\xd8" + b"\xff\xfe\0\2" * MIB,
    "jpeg app segments": b"\xff\xd8" + b"\xff\xe1\0\2" * MIB,
    "jpeg junk": b"\xff\xd8\xff\xfe\0\2" + bytes(4 * MIB),
    "jpeg short junk": b"\xff\xd8\xff\xfe\0\2" + (bytes(4000) + b"\xff\xfe\0\2") * 1000,
    "jpeg escaped junk": b"\xff\xd8" + b"\xff\0" * 2 * MIB,
    "jpeg restart markers": b"\xff\xd8" + b"\xff\xd0" * 2 * MIB,
    "png text chunks": b"\x89PNG\r\n\x1a\n" + (struct.pack(">I", 0) + b"tEXt" + bytes(4)) * (MIB // 3),
    "webp chunks": b"RIFF\0\0\x40\0WEBP" + b"ICCP\0\0\0\0" * (MIB // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_does_not_grow_with_a_hostile_file(name: str) -> None:
    """Pillow's reader took 1.8 s for 4 MiB of fill bytes, on the event loop."""
    data = CountingBytes(HOSTILE[name])
    CountingBytes.read = 0
    with contextlib.suppress(InvalidHeader):
        read_image_header(data)
    assert CountingBytes.read <= MAX_STEPS * 4200  # 4 MiB that `find` searches in half a millisecond
    assert lines_run(lambda: read_image_header(HOSTILE[name])) < 20 * MAX_STEPS


def test_fill_bytes_and_junk_between_segments_are_skipped_as_decoders_do() -> None:
    jpeg = encoded("JPEG", (30, 20))
    padded = jpeg[:2] + b"\xff" * 100 + b"\xff\xfe\0\4ab" + bytes(30) + b"\xff\0" + jpeg[2:]
    assert Image.open(io.BytesIO(padded)).size == (30, 20)
    assert read_image_header(padded) == ImageHeader("JPEG", 30, 20)


def test_more_metadata_than_any_10_mb_jpeg_needs() -> None:
    jpeg = encoded("JPEG", (30, 20))
    for segments, read in ((MAX_STEPS - 10, True), (MAX_STEPS + 1, False)):
        full = jpeg[:2] + b"\xff\xfe\0\2" * segments + jpeg[2:]
        with contextlib.nullcontext() if read else pytest.raises(InvalidHeader, match="1024 segments"):
            read_image_header(full)


def png_header(width: int, height: int, depth: int = 8, colour: int = 2, crc: int | None = None) -> bytes:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", crc or zlib.crc32(ihdr))


def jpeg_header(width: int, height: int, precision: int = 8, components: int = 3) -> bytes:
    return b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, precision, height, width, components) + bytes(9)


@pytest.mark.parametrize(
    "data",
    [
        *(png_header(0, 5), png_header(5, 0), png_header(5, 5, crc=1), png_header(5, 5, depth=3)),
        *(png_header(5, 5, colour=1), jpeg_header(0, 5), jpeg_header(5, 0), jpeg_header(5, 5, precision=12)),
        *(
            jpeg_header(5, 5, components=2),
            b"\xff\xd8\xff\xd9",
            b"\xff\xd8\xff\xda\0\2",
            b"GIF89a" + bytes(50),
        ),
    ],
)
def test_what_has_no_pixels_or_cannot_be_decoded_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidHeader):
        read_image_header(data)


def test_the_largest_sizes_that_headers_can_say() -> None:
    vp8x = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6
    assert read_image_header(png_header(2**31, 2**31)).width == 2**31
    assert read_image_header(jpeg_header(65535, 65535)) == ImageHeader("JPEG", 65535, 65535)
    assert read_image_header(vp8x) == ImageHeader("WEBP", 2**24, 2**24)
