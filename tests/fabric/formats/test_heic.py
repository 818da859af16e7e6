"""HEIC, as iPhones write it: upright, in its colours, and no larger in memory than it says."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from fabric import FabricError
from fabric.formats import read_container
from fabric.ingest import decode

CLOTH = (Path(__file__).parents[2] / "data" / "trials" / "cloth.heic").read_bytes()
RED_LEFT = np.zeros((200, 400, 3), np.uint8)
RED_LEFT[:, :200] = (220, 0, 0)


def heic(image: Image.Image, exif: bytes | None = None, **options: object) -> bytes:
    file = pillow_heif.from_pillow(image)
    if exif:
        file[0].info["exif"] = exif
    buffer = io.BytesIO()
    file.save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_every_brand_is_read(brand: bytes) -> None:
    pixels = decode(CLOTH.replace(b"ftypheic", b"ftyp" + brand), 512)
    assert pixels.shape == (480, 640, 3)
    assert pixels[..., 2].mean() > 1.3 * pixels[..., 0].mean()  # denim


def test_a_photo_comes_upright_once() -> None:
    """The orientation is in the file's boxes and, for other programs, in its EXIF as well."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decode(heic(Image.fromarray(RED_LEFT), exif.tobytes()), 512)
    assert pixels.shape == (400, 200, 3)
    assert pixels[:180, :, 0].min() > 180
    assert pixels[220:, :, 0].max() < 40


def test_a_grid_of_tiles_is_one_picture() -> None:
    pixels = decode(heic(Image.fromarray(RED_LEFT), tile_size=128), 512)
    assert np.abs(pixels.astype(int) - RED_LEFT)[:, 30:170].max() < 20


def test_transparency_is_kept() -> None:
    image = Image.fromarray(RED_LEFT).convert("RGBA")
    image.putalpha(100)
    pixels = decode(heic(image), 512)
    assert pixels.shape == (200, 400, 4)
    assert np.abs(pixels[..., 3].astype(int) - 100).max() < 4


def test_metadata_does_not_reach_the_decoder() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    photo = heic(Image.fromarray(RED_LEFT), exif.tobytes())
    assert pillow_heif.open_heif(photo).info["exif"]
    assert not pillow_heif.open_heif(read_container(photo).data).info["exif"]


@pytest.mark.parametrize("length", [10, 40, 200, 400, 1000, len(CLOTH) - 10])
def test_a_file_that_ends_too_early_is_named(length: int) -> None:
    with pytest.raises(FabricError) as caught:
        decode(CLOTH[:length], 512)
    assert caught.value.code == "IMAGE_DECODE"


def test_a_picture_larger_than_any_photo_is_refused_before_decoding() -> None:
    """A decoder allocates the size of the coded picture, whatever the boxes around it say."""
    start = CLOTH.index(b"\x42\x01")  # its sequence parameters
    # Constraints as they are, then id 0, 4:2:0 colour, and 65534 × 65534 in Exp-Golomb.
    size = "1" + "010" + 2 * ("0" * 15 + f"{65535:016b}")
    bits = size.ljust(-(-len(size) // 8) * 8, "1")
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big")
    at = start + 2 + 1 + 12 + 3  # three bytes against false beginnings stand within the constraints
    with pytest.raises(FabricError) as caught:
        read_container(CLOTH[:at] + coded + CLOTH[at + len(coded) :])
    assert caught.value.code == "TOO_LARGE"


@pytest.mark.parametrize("at", range(40, 420, 7))
def test_damaged_boxes_raise_nothing_else(at: int) -> None:
    with suppress(FabricError):
        decode(CLOTH[:at] + b"\xff\x00\x80" + CLOTH[at + 3 :], 512)
