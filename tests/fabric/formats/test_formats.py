"""What is removed from a photo before it is decoded, and what of it counts all the same."""

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fabric import FabricError
from fabric.formats import read_container
from fabric.holes import over_white
from fabric.ingest import decode
from tests.fabric.photos import GREY_TIFF, inflating, png_chunk, png_with, saved, tiff, woven

PHOTO = Image.fromarray(woven(200, 100))
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP")
LOSSLESS = {"WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_lzw"}}


def code_of(photo: bytes) -> str:
    with pytest.raises(FabricError) as caught:
        decode(photo, 1024)
    return caught.value.code


@pytest.mark.parametrize("file_format", FORMATS)
def test_pixels_are_those_that_pillow_decodes(file_format: str) -> None:
    photo = saved(PHOTO, file_format, **LOSSLESS.get(file_format, {}))
    assert np.array_equal(decode(photo, 1024), np.asarray(Image.open(io.BytesIO(photo)).convert("RGB")))


@pytest.mark.parametrize("file_format", FORMATS[:-1])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = saved(PHOTO, file_format, exif=exif.tobytes(), **LOSSLESS.get(file_format, {}))
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).convert("RGB")
    assert np.array_equal(decode(photo, 1024), np.asarray(wanted))


def test_xmp_tells_an_orientation_where_exif_does_not() -> None:
    xmp = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    assert decode(saved(PHOTO, "JPEG", xmp=xmp), 1024).shape == (200, 100, 3)
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp
    assert decode(png_with((b"iTXt", text), image=PHOTO), 1024).shape == (200, 100, 3)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "jpeg"}],
    ids=str,
)
def test_tiffs_of_both_kinds(big: bool, options: dict[str, str]) -> None:
    photo = saved(PHOTO, "TIFF", big_tiff=big, **options)
    assert np.array_equal(decode(photo, 1024), np.asarray(Image.open(io.BytesIO(photo)).convert("RGB")))


def test_only_the_first_frame_of_an_animation_is_read() -> None:
    other = Image.new("RGB", PHOTO.size, "red")
    webp = saved(PHOTO, "WEBP", save_all=True, append_images=[other], lossless=True)
    png = saved(PHOTO, "PNG", save_all=True, append_images=[other])
    for photo in (webp, png):
        assert np.array_equal(decode(photo, 1024), np.asarray(PHOTO))
    avif = saved(PHOTO, "AVIF", save_all=True, append_images=[other], quality=100, subsampling="4:4:4")
    assert np.abs(decode(avif, 1024).astype(int) - np.asarray(PHOTO)).max() < 12


@pytest.mark.parametrize("alpha", [0, 128, 255])
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_shows_white_in_every_format(file_format: str, alpha: int) -> None:
    image = Image.new("RGBA", (80, 80), (0, 0, 0, alpha))
    pixels = decode(saved(image, file_format, **LOSSLESS.get(file_format, {})), 1024)
    if alpha < 255:
        pixels = over_white(pixels)
    assert np.abs(pixels.astype(int) - (255 - alpha)).max() <= 2


def hidden(photo: bytes) -> bytes:
    return read_container(photo).data


def test_metadata_does_not_reach_the_decoder() -> None:
    """Each of these would be inflated or read as soon as Pillow opens the file."""
    secret = b"metadata" * 40
    exif = Image.Exif()
    exif[0x010E] = secret.decode()
    jpeg = saved(PHOTO, "JPEG", comment=secret)
    for photo in (
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(secret) + 8) + b"Exif\0\0" + secret + jpeg[2:],
        png_with(
            (b"tEXt", b"a\0" + secret), (b"iTXt", secret), (b"eXIf", secret), (b"iCCP", b"a\0\0" + secret)
        ),
        saved(PHOTO, "WEBP", xmp=secret, exif=exif.tobytes()),
        saved(PHOTO, "AVIF", xmp=secret, exif=exif.tobytes()),
        saved(PHOTO, "TIFF", tiffinfo={270: secret.decode(), 700: secret}),
    ):
        assert secret in photo
        opened = Image.open(io.BytesIO(hidden(photo)))
        assert secret not in b"".join(
            value if isinstance(value, bytes) else str(value).encode() for value in opened.info.values()
        )
        assert not {"exif", "xmp", "comment", "icc_profile"} & opened.info.keys()


def test_a_directory_whose_entries_hold_more_than_the_file() -> None:
    assert code_of(tiff({**GREY_TIFF, 273: (4, 2**28, 8)})) == "IMAGE_DECODE"


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ({}, True),
        ({278: (4, 1, 2**32 - 1)}, True),  # "all rows", as many writers say
        ({278: (4, 1, 1024)}, True),
        ({278: (4, 1, 2**24)}, False),
        (
            {322: (4, 1, 18_000), 323: (4, 1, 18_000), 324: (4, 1, 8), 325: (4, 1, 4096), 259: (3, 1, 5)},
            False,
        ),
        ({322: (4, 1, 64), 323: (4, 1, 64), 324: (4, 1, 8), 325: (4, 1, 4096)}, True),
    ],
)
def test_tiles_and_strips_are_no_larger_than_the_picture(tags: dict, fits: bool) -> None:
    photo = tiff({**GREY_TIFF, **tags})
    if fits:
        assert decode(photo, 1024).shape == (64, 64, 3)
    else:
        assert code_of(photo) == "INVALID_INPUT"


@pytest.mark.nightly
def test_an_avif_whose_picture_is_larger_than_it_says() -> None:
    """Its boxes say 80 × 80, its sequence header 8000 × 8000."""
    photo = saved(Image.new("RGB", (8000, 8000)), "AVIF", speed=10)
    small = photo.replace(struct.pack(">II", 8000, 8000), struct.pack(">II", 80, 80))
    assert small != photo
    assert code_of(small) == "TOO_LARGE"


@pytest.mark.parametrize("pixels", [(14_000, 13_000), (65_000, 65_000)])
def test_a_header_of_too_many_pixels_is_too_large(pixels: tuple[int, int]) -> None:
    """Pillow refuses 179 megapixels itself, with an error of its own."""
    photo = saved(Image.new("RGB", (64, 64)))
    header = png_chunk(b"IHDR", struct.pack(">II", *pixels) + photo[24:29])
    assert code_of(photo[:8] + header + photo[33:]) == "TOO_LARGE"
    jpeg = bytearray(saved(Image.new("RGB", (64, 64)), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", *pixels)
    assert code_of(bytes(jpeg)) == "TOO_LARGE"


def test_what_would_take_long_is_refused() -> None:
    jpeg = saved(PHOTO, "JPEG")
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    rle = bytearray(saved(PHOTO.quantize(16), "BMP"))
    rle[30] = 1
    for photo in (
        jpeg[:2] + b"\xff\xfe\0\2" * 5000 + jpeg[2:],
        jpeg[:-2] + scan * 100 + jpeg[-2:],
        png_with(*[(b"tEXt", b"")] * 70_000),
        bytes(rle),
    ):
        assert code_of(photo) == "IMAGE_DECODE"


def test_fill_bytes_before_a_marker_cost_nothing() -> None:
    jpeg = saved(PHOTO, "JPEG")
    filled = jpeg[:2] + b"\xff" * 2**22 + jpeg[2:]
    assert np.array_equal(decode(filled, 1024), decode(jpeg, 1024))


@pytest.mark.nightly
def test_a_profile_that_inflates_without_end_is_ignored() -> None:
    photo = png_with((b"iCCP", b"a\0\0" + inflating(2**28)), image=PHOTO)
    assert read_container(photo).profile is None
    assert np.array_equal(decode(photo, 1024), np.asarray(PHOTO))


SMALL = {name: saved(PHOTO, name, **LOSSLESS.get(name, {})) for name in FORMATS}
SMALL["GREY TIFF"] = tiff(GREY_TIFF)


@pytest.mark.parametrize("name", SMALL)
@given(data=st.data())
def test_damaged_files_of_every_format_raise_nothing_else(name: str, data: st.DataObject) -> None:
    photo = bytearray(SMALL[name])
    at = data.draw(st.integers(0, min(len(photo) - 1, 600)))
    noise = data.draw(st.binary(min_size=1, max_size=16))
    photo[at : at + len(noise)] = noise
    with suppress(FabricError):
        assert decode(bytes(photo[: data.draw(st.integers(0, len(photo)))]), 1024).shape[2] == 3
