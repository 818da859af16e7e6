import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from fabric import FabricError
from fabric.ingest import MAX_ASPECT, MIN_SIDE, decode

RED_LEFT = np.zeros((100, 200, 3), np.uint8)
RED_LEFT[:, :100] = (255, 0, 0)


def saved(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def code_of(photo: bytes) -> str:
    with pytest.raises(FabricError) as caught:
        decode(photo, 1024)
    assert str(caught.value)
    return caught.value.code


def test_a_phone_s_photo_comes_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned clockwise
    pixels = decode(saved(Image.fromarray(RED_LEFT), "JPEG", exif=exif.tobytes(), quality=95), 1024)
    assert pixels.shape == (200, 100, 3)
    assert pixels[:80, :, 0].min() > 200
    assert pixels[120:, :, 0].max() < 50


def test_a_profile_is_turned_into_srgb() -> None:
    """Phones write Display P3. Here a profile that swaps red and green, which nobody can overlook."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"....").replace(b"gXYZ", b"rXYZ").replace(b"....", b"gXYZ")
    olive = Image.new("RGB", (100, 100), (90, 140, 60))
    for profile, shown in ((srgb, (90, 140, 60)), (swapped, (140, 90, 60)), (b"no profile", (90, 140, 60))):
        pixel = decode(saved(olive, icc_profile=profile), 1024)[50, 50]
        assert np.abs(pixel.astype(int) - shown).max() <= 2


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 100).astype(np.uint16).reshape(1, 100).repeat(100, axis=0)
    pixels = decode(saved(Image.fromarray(ramp)), 1024)
    assert np.abs(pixels[50, :, 0].astype(int) - ramp[50] // 256).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("RGB", (80, 70), (255, 255, 255))
    image = Image.new("I;16", (80, 70)) if mode == "I;16" else image.convert(mode)
    pixels = decode(saved(image, "TIFF" if mode == "CMYK" else "PNG"), 1024)
    assert (pixels.shape, pixels.dtype) == ((70, 80, 3), np.uint8)


@pytest.mark.parametrize("white", [1, 255])
def test_fractions_are_a_photo_too(white: int) -> None:
    """Those from 0 to 1 became black."""
    file = io.BytesIO()
    Image.new("F", (80, 70), 0.5 * white).save(file, "TIFF")
    assert decode(file.getvalue(), 64).mean() == pytest.approx(127, abs=1)


def test_transparency_is_a_fourth_channel() -> None:
    """The holes of a net were white cloth."""
    half = Image.new("RGBA", (80, 80), (200, 0, 0, 255))
    half.paste((9, 9, 9, 0), (0, 0, 40, 80))
    for file_format in ("PNG", "WEBP", "TIFF", "AVIF"):
        pixels = decode(saved(half, file_format), 1024)
        assert pixels.shape == (80, 80, 4)
        assert (pixels[:, :36, 3].max() < 20, pixels[:, 44:, 3].min() > 235) == (True, True), file_format
    assert decode(saved(half.convert("RGB").convert("RGBA")), 1024).shape == (80, 80, 3)


def test_a_large_jpeg_is_decoded_no_larger_than_needed() -> None:
    photo = saved(Image.new("RGB", (4000, 3000), (90, 90, 90)), "JPEG")
    assert decode(photo, 1000).shape == (1500, 2000, 3)
    assert decode(photo, 2500).shape == (3000, 4000, 3)


def test_bad_photos_have_a_code() -> None:
    assert code_of(b"not an image") == "IMAGE_DECODE"
    assert code_of(b"") == "IMAGE_DECODE"
    assert code_of(saved(Image.new("L", (7500, 7000)))) == "TOO_LARGE"
    assert code_of(saved(Image.fromarray(RED_LEFT))[:200]) == "IMAGE_DECODE"


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (63, 64), (500, 3), (20_000, 70)])
def test_tiny_and_narrow_photos_become_usable(size: tuple[int, int]) -> None:
    pixels = decode(saved(Image.new("RGB", size, (90, 140, 60))), 1024)
    height, width = pixels.shape[:2]
    assert min(height, width) >= MIN_SIDE
    assert max(height, width) <= MAX_ASPECT * min(height, width)
    assert tuple(pixels[height // 2, width // 2]) == (90, 140, 60)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damaged_files_never_raise_anything_else(noise: bytes, at: int) -> None:
    photo = bytearray(saved(Image.fromarray(RED_LEFT), "JPEG"))
    photo[at : at + len(noise)] = noise
    with suppress(FabricError):
        assert decode(bytes(photo), 1024).shape[2] == 3
