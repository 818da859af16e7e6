"""A square seen at an angle is a square."""

import io

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from benchmarks.fabric.sheets import PHOTO, Sheet, camera_over
from fabric.camera import true_aspect
from fabric.ingest import focal_length
from tests.fabric.photos import saved, woven

SIZE = PHOTO[::-1]


def seen(rows: int, columns: int, focal_35: float, seed: int) -> np.ndarray:
    blank = np.zeros((rows, columns, 3), np.float32)
    matrix, _ = camera_over(np.random.default_rng(seed), Sheet("", blank, blank, 0.8, "cloth"), focal_35)
    corners = np.array([[[0, 0], [columns, 0], [columns, rows], [0, rows]]], np.float64)
    found: np.ndarray = cv2.perspectiveTransform(corners, matrix)[0]
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("rows", "columns"), [(1000, 1000), (700, 1100)])
def test_the_file_s_focal_length_gives_the_true_proportions(rows: int, columns: int, seed: int) -> None:
    for focal_35 in (24.0, 52.0):
        found = true_aspect(seen(rows, columns, focal_35, seed), SIZE, focal_35)
        assert found == pytest.approx(columns / rows, rel=0.04)  # the camera's axis is off the middle


@pytest.mark.parametrize("seed", range(6))
def test_without_it_the_vanishing_points_and_the_usual_camera_do(seed: int) -> None:
    """By the sides' lengths alone a square became oblong by a fifth."""
    assert true_aspect(seen(1000, 1000, 26, seed), SIZE) == pytest.approx(1, abs=0.08)


def test_from_above_the_sides_tell() -> None:
    corners = np.array([[400.0, 300], [1200, 300], [1200, 700], [400, 700]])
    assert true_aspect(corners, SIZE) == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "HEIC"])
def test_the_focal_length_is_read_from_the_file(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0xA405] = 26
    image = Image.fromarray(woven(80, 70))
    if file_format == "HEIC":
        buffer = io.BytesIO()
        pillow_heif.from_pillow(image).save(buffer, exif=exif.tobytes())
        photo = buffer.getvalue()
    else:
        photo = saved(image, file_format, exif=exif.tobytes())
    assert focal_length(photo) == 26
    assert focal_length(saved(image)) is None
