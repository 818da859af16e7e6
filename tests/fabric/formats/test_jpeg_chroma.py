"""A JPEG's colour differences are told more finely than its decoder does."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fabric.formats.jpeg_chroma import amplified
from tests.fabric.photos import saved


def decoded(data: bytes) -> np.ndarray:
    """Luminance, blue and red difference, as the file says: (H, W, 3) float64."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return pixels[..., ::-1].astype(np.float64)


def cloth(colour: tuple[float, float, float]) -> np.ndarray:
    """Of one colour between the whole steps, which noise keeps on average: (64, 64, 3) uint8."""
    noise = np.random.default_rng(4).normal(0, 1.2, (64, 64, 3))
    return np.round(np.array(colour) + noise).astype(np.uint8)


def differences(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.array([(blue - luminance) / 1.772, (red - luminance) / 1.402])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"qtables": "keep"}])
@pytest.mark.parametrize("colour", [(120.3, 131.6, 140.4), (180.7, 150.2, 139.3)])
def test_differences_between_whole_steps(
    colour: tuple[float, float, float], options: dict[str, object]
) -> None:
    pixels = cloth(colour)
    if options.get("qtables"):
        options = {"qtables": [[3] * 64]}  # one table for all three components
    photo = saved(Image.fromarray(pixels), "JPEG", **({"quality": 93} | options))
    data = amplified(photo, 4)
    assert data is not None
    told = (decoded(data)[..., 1:].mean(axis=(0, 1)) - 128) / 4
    np.testing.assert_allclose(told, differences(pixels), atol=0.2)


def test_luminance_stays() -> None:
    pixels = cloth((90, 120, 60))
    photo = saved(Image.fromarray(pixels), "JPEG", quality=93)
    data = amplified(photo, 2)
    assert data is not None
    grey = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(decoded(data)[..., 0].mean(), grey.mean(), atol=0.2)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_files_without_two_differences(mode: str) -> None:
    assert amplified(saved(Image.fromarray(cloth((90, 99, 60))).convert(mode), "JPEG"), 4) is None


def test_a_file_whose_components_are_red_green_and_blue() -> None:
    photo = saved(Image.fromarray(cloth((90, 99, 60))), "JPEG", keep_rgb=True)
    assert amplified(photo, 4) is None


PHOTO = saved(Image.fromarray(cloth((90, 99, 60))), "JPEG")


@settings(max_examples=60)
@given(st.integers(0, len(PHOTO) - 1), st.integers(0, 255), st.integers(2, len(PHOTO)))
def test_a_damaged_file_raises_nothing(at: int, value: int, length: int) -> None:
    data = bytearray(PHOTO)
    data[at] = value
    amplified(bytes(data[:length]), 4)
