import io
import struct
import zlib

import pytest
from PIL import Image

from frontend_proxy.errors import ImageTooLarge, UndecodableImage
from frontend_proxy.image_headers import ImageHeader
from frontend_proxy.images import MAX_SIDE, read_header


def encoded(image_format: str, size: tuple[int, int] = (4, 3)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, image_format)
    return buffer.getvalue()


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


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused_and_named(image_format: str) -> None:
    with pytest.raises(UndecodableImage, match="JPEG, PNG, WEBP, AVIF, HEIC"):
        read_header(encoded(image_format), "frame", 100_000, 10_000)
