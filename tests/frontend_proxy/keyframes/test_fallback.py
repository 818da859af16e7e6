import cv2
import numpy as np
import pytest

from frontend_proxy.keyframes.fallback import composite

GREY, RED = (128, 128, 128), (0, 0, 255)  # BGR


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def decoded(jpeg: bytes) -> np.ndarray:
    assert jpeg.startswith(b"\xff\xd8\xff")
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def frame(width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def render(width: int, height: int) -> np.ndarray:
    """Transparent, but opaque red in its right half."""
    image = np.zeros((height, width, 4), np.uint8)
    image[:, width // 2 :] = (*RED, 255)
    return image


@pytest.mark.parametrize("size", [(64, 48), (96, 30), (20, 100)])
def test_a_transparent_render_is_stretched_onto_the_frame(size: tuple[int, int]) -> None:
    answer = decoded(composite(png(frame()), png(render(*size))))
    assert answer.shape == (48, 64, 3)
    assert np.abs(answer[:, :24].astype(int) - GREY).max() < 12
    assert np.abs(answer[:, 40:].astype(int) - RED).max() < 12


def test_half_transparent_is_half() -> None:
    glass = np.full((48, 64, 4), (0, 0, 255, 128), np.uint8)
    np.testing.assert_allclose(
        decoded(composite(png(frame()), png(glass))).mean((0, 1)), (64, 64, 192), atol=3
    )


def test_no_dark_rim_where_the_render_ends() -> None:
    """Colour under alpha 0 is black in a canvas; interpolated unpremultiplied it draws a dark line."""
    white = np.full((480, 640, 3), 255, np.uint8)
    jacket = np.zeros((48, 64, 4), np.uint8)
    jacket[:, 32:] = 255
    assert decoded(composite(png(white), png(jacket))).min() > 245


@pytest.mark.parametrize(
    "jacket",
    [None, b"", b"no image", png(np.zeros((9, 9, 3), np.uint8)), png(np.zeros((9, 9), np.uint8))],
    ids=["none", "empty", "broken", "opaque", "grey"],
)
def test_without_alpha_the_frame_is_the_answer(jacket: bytes | None) -> None:
    assert np.abs(decoded(composite(png(frame()), jacket)).astype(int) - GREY).max() < 4


def test_a_broken_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="camera_frame"):
        composite(b"\xff\xd8\xffno", None)
