from pathlib import Path

import cv2
import numpy as np
import pytest

from frontend_proxy.keyframes.thumbnails import GRID, NO_RENDER, Thumbnails, frame_thumbnail, render_thumbnail

KEYFRAMES = Path(__file__).parents[2] / "data" / "keyframes"
TRIALS = Path(__file__).parents[2] / "data" / "trials"
JPEG = cv2.imencode(".jpg", np.zeros((72, 128, 3), np.uint8))[1].tobytes()


def thumbnails(camera_frame: bytes, jacket_render: bytes) -> Thumbnails:
    return Thumbnails(frame_thumbnail(camera_frame), render_thumbnail(jacket_render))


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.mark.parametrize(
    "render",
    [
        np.full((9, 16), 7, np.uint8),
        np.full((9, 16, 3), 7, np.uint8),
        np.full((9, 16, 4), (7, 7, 7, 255), np.uint8),
        np.full((9, 16, 4), (7 << 8, 7 << 8, 7 << 8, 65535), np.uint16),
    ],
    ids=["grey", "rgb", "rgba", "rgba16"],
)
def test_every_kind_of_render(render: np.ndarray) -> None:
    found = thumbnails(JPEG, png(render))
    assert found.frame.shape == (GRID[1], GRID[0], 3)
    assert np.abs(found.render - (7, 7, 7, 255)).max() < 1
    assert found.garment.all()


def test_without_a_render_the_whole_frame_counts() -> None:
    found = Thumbnails(frame_thumbnail(JPEG), NO_RENDER)
    assert found.render.shape == (GRID[1], GRID[0], 4)
    assert found.garment.all()


def test_colour_under_alpha_0_does_not_count() -> None:
    """A canvas may hold anything there."""
    one, other = (thumbnails(JPEG, png(np.full((9, 16, 4), (c, c, c, 0), np.uint8))).render for c in (0, 200))
    np.testing.assert_array_equal(one, other)


def test_colour_counts_by_its_alpha_and_keeps_its_order() -> None:
    render = np.full((9, 16, 4), (200, 100, 50, 51), np.uint8)
    assert np.abs(render_thumbnail(png(render)) - (40, 20, 10, 51)).max() < 1


@pytest.mark.parametrize("name", ["person.heic", "person.avif"])
def test_a_phone_s_formats_have_thumbnails_too(name: str) -> None:
    photo = frame_thumbnail((TRIALS / "person.jpg").read_bytes())
    assert np.abs(frame_thumbnail((TRIALS / name).read_bytes()) - photo).mean() < 5


def test_hidden_colour_of_a_frame_does_not_count() -> None:
    found = frame_thumbnail(png(np.full((72, 128, 4), (0, 255, 0, 0), np.uint8)))
    np.testing.assert_array_equal(found, np.full_like(found, 255))


def test_the_garment_of_a_real_keyframe() -> None:
    folder = KEYFRAMES / "transparent_off_body"
    found = thumbnails(
        *((folder / name).read_bytes() for name in ("camera_frame.jpg", "jacket_render.png"))
    ).garment
    assert 0.1 < found.mean() < 0.4


@pytest.mark.parametrize(
    ("frame", "render"), [(b"", JPEG), (JPEG, b""), (JPEG, b"\x89PNG"), (b"\xff\xd8", JPEG)]
)
def test_what_is_no_picture_is_an_error(frame: bytes, render: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG, PNG, WebP"):
        thumbnails(frame, render)
