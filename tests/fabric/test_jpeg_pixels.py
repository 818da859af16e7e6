"""A JPEG's pixels are those of Pillow's decoder, and no more of them are read than are asked for."""

import io

import numpy as np
import pytest
from PIL import Image

from fabric.formats import read_container
from fabric.ingest import decode
from fabric.jpeg_pixels import jpeg_pixels
from tests.fabric.photos import saved, woven

WIDTH, HEIGHT = 620, 470


def file(**more: object) -> bytes:
    return read_container(saved(Image.fromarray(woven(WIDTH, HEIGHT)), "JPEG", quality=90, **more)).data


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_all_pixels(scale: int, subsampling: int) -> None:
    data = file(subsampling=subsampling)
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (WIDTH // scale, HEIGHT // scale))
    assert np.array_equal(jpeg_pixels(data, scale), np.asarray(image))


@pytest.mark.parametrize("scale", [1, 2, 8])
def test_the_first_rows(scale: int) -> None:
    data = file()
    whole, some = jpeg_pixels(data, scale), jpeg_pixels(data, scale, 0.5)
    assert whole is not None
    assert some is not None
    assert some.shape == whole.shape
    assert np.array_equal(some[: HEIGHT // 2 // scale + 1], whole[: HEIGHT // 2 // scale + 1])
    assert not some[-HEIGHT // 4 // scale :].any()


def test_all_rows_of_a_file_with_several_scans() -> None:
    """Each scan begins at the top: none of them may end early."""
    data = file(progressive=True)
    assert np.array_equal(jpeg_pixels(data, 1, 0.5), jpeg_pixels(data))


def test_a_damaged_file_shows_what_is_left() -> None:
    data = bytearray(file())
    data[-2000:-1900] = b"\xff\x69" * 50  # no marker of a JPEG
    seen, whole = jpeg_pixels(bytes(data)), jpeg_pixels(file())
    assert seen is not None
    assert whole is not None
    assert np.array_equal(seen[: HEIGHT // 2], whole[: HEIGHT // 2])
    assert jpeg_pixels(bytes(data[:3000])) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_area_of_an_upright_photo(orientation: int) -> None:
    """The rows that are read are the file's, which lies in another way than the photo."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = saved(Image.fromarray(woven(WIDTH, HEIGHT)), "JPEG", quality=90, exif=exif)
    whole = decode(photo, 400)
    height, width = whole.shape[:2]
    for left, top in ((0.1, 0.05), (0.5, 0.4)):
        area = np.array([[left, top], [left + 0.3, top], [left + 0.3, top + 0.3], [left, top + 0.3]])
        seen = decode(photo, 400, area)
        rows, columns = (
            slice(int(at * n), int((at + 0.3) * n) + 1) for at, n in ((top, height), (left, width))
        )
        assert np.array_equal(seen[rows, columns], whole[rows, columns])
