import base64
import contextlib
import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frontend_proxy.errors import ImageTooLarge, UndecodableImage
from frontend_proxy.image_headers import ImageHeader
from frontend_proxy.images import MAX_SIDE, from_base64, read_header, to_data_uri


def encoded(image_format: str, size: tuple[int, int] = (4, 3)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, image_format)
    return buffer.getvalue()


@given(st.binary(max_size=200), st.sampled_from(["", "data:image/png;base64,", "data:;charset=x;base64,"]))
def test_base64_comes_back_with_any_prefix_padding_and_line_breaks(data: bytes, prefix: str) -> None:
    text = base64.b64encode(data).decode()
    assert from_base64(prefix + text) == data
    assert from_base64(prefix + text.rstrip("=")) == data
    assert from_base64(prefix + "\r\n".join(text[i : i + 7] for i in range(0, len(text), 7))) == data


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_what_is_longer_than_a_piece_comes_back_whole(size: int) -> None:
    data = bytes(range(256)) * 2**12 * 3 + bytes(size)
    text = to_data_uri(data, "image/png")
    assert text == "data:image/png;base64," + base64.b64encode(data).decode()
    assert from_base64(text) == data
    assert from_base64(text.rstrip("=")) == data
    with pytest.raises(ValueError, match="base64"):
        from_base64(text[:-9] + "!" + text[-8:])


@given(st.text(max_size=50))
def test_other_text_is_a_value_error_at_worst(text: str) -> None:
    with contextlib.suppress(ValueError):
        from_base64(text)


@pytest.mark.parametrize(
    "text", ["data:,", "data:image/png,abc", "data:image/png;base64", "Zm9v!", "Zm9vé", "Z"]
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    """An empty canvas's toDataURL() is `data:,`."""
    with pytest.raises(ValueError, match=r"data URI|base64"):
        from_base64(text)


def test_data_uri() -> None:
    assert to_data_uri(b"foo", "image/png") == "data:image/png;base64,Zm9v"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_header_of_each_format(image_format: str) -> None:
    assert read_header(encoded(image_format), "frame", 10_000, 12) == ImageHeader(image_format, 4, 3)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"not an image", b"GIF89a" + bytes(50)])
def test_no_image_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match="camera_frame"):
        read_header(data, "camera_frame", 10_000, 10_000)


def test_limits_hold_exactly() -> None:
    png = encoded("PNG")
    read_header(png, "frame", len(png), 12)
    with pytest.raises(ImageTooLarge, match="bytes"):
        read_header(png, "frame", len(png) - 1, 12)
    with pytest.raises(ImageTooLarge, match="4×3"):
        read_header(png, "frame", len(png), 11)


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    """A few bytes that claim 3.6 gigapixels."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + ihdr
        + struct.pack(">I", zlib.crc32(ihdr))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )
    with pytest.raises(ImageTooLarge):
        read_header(bomb, "frame", 10_000, 25_000_000)


@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)])
def test_a_side_that_opencv_cannot_warp_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(
        ImageTooLarge, match=f"{size[0]}×{size[1]}; send at most {MAX_SIDE} pixels on each side"
    ):
        read_header(encoded("PNG", size), "frame", 10_000, 25_000_000)
    assert read_header(encoded("PNG", (MAX_SIDE, 1)), "frame", 10_000, 25_000_000).width == MAX_SIDE


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "AVIF"])
def test_other_formats_are_refused_and_named(image_format: str) -> None:
    with pytest.raises(UndecodableImage, match="JPEG, PNG, WEBP"):
        read_header(encoded(image_format), "frame", 100_000, 10_000)


def test_base64_with_a_blank_after_each_character_takes_no_string_for_each() -> None:
    """A list of millions of strings took a second in which no other thread could run, and 100 MB."""
    data = bytes(range(256)) * 2**12
    spaced = "\n".join(base64.b64encode(data).decode())
    tracemalloc.start()
    assert from_base64(spaced) == data
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(spaced)
    with pytest.raises(ValueError, match="not base64"):
        from_base64(spaced + " é")
