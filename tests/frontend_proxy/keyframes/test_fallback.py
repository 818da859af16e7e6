import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from frontend_proxy.keyframes.fallback import MAX_JPEG_SIDE, composite

TRIALS = Path(__file__).parents[2] / "data" / "trials"
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


def test_the_render_s_edge_has_no_dark_rim() -> None:
    """A canvas is black under alpha 0; interpolation without premultiplication draws a dark line."""
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
    renders = [] if jacket is None else [jacket]
    assert np.abs(decoded(composite(png(frame()), *renders)).astype(int) - GREY).max() < 4


@pytest.mark.parametrize("name", ["person.heic", "person.avif"])
def test_a_phone_s_formats_are_drawn(name: str) -> None:
    answer = decoded(composite((TRIALS / name).read_bytes(), (TRIALS / "jacket.png").read_bytes()))
    plain = decoded(composite((TRIALS / "person.jpg").read_bytes(), (TRIALS / "jacket.png").read_bytes()))
    assert np.median(np.abs(answer.astype(int) - plain)) < 6


def test_colour_profiles_of_frame_and_render_are_applied() -> None:
    swapped = (TRIALS / "profile_swaps_red_and_blue.jpg").read_bytes()
    numbers = decoded(swapped).astype(int)
    assert np.median(np.abs(decoded(composite(swapped)) - numbers[:, :, ::-1])) < 6
    grey = png(frame(640, 480))
    one, other = (
        decoded(composite(grey, (TRIALS / name).read_bytes())).astype(int)
        for name in ("jacket.png", "jacket_profile_swaps_red_and_blue.png")
    )
    assert np.abs(one - other[:, :, ::-1]).mean() < 3


@pytest.mark.parametrize(
    "options", [{}, {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}]
)
def test_a_frame_alone_that_is_shown_as_its_numbers_are_keeps_its_bytes(options) -> None:
    """Chromium's canvas writes sRGB's profile; to encode its JPEG once more would only lose detail."""
    buffer = io.BytesIO()
    Image.fromarray(frame()).save(buffer, "JPEG", **options)
    assert composite(buffer.getvalue()) == buffer.getvalue()


def test_a_frame_alone_that_lies_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(frame(64, 48)).save(buffer, "JPEG", exif=exif)
    assert decoded(composite(buffer.getvalue())).shape == (64, 48, 3)


def test_hidden_colour_of_a_frame_stays_hidden() -> None:
    answer = decoded(composite((TRIALS / "cut_out.png").read_bytes())).astype(int)
    green = (answer[:, :, 1] > 60 + answer[:, :, 2]) & (answer[:, :, 1] > 60 + answer[:, :, 0])
    assert green.mean() < 0.01


def test_a_broken_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="camera_frame"):
        composite(b"\xff\xd8\xffno")


@pytest.mark.parametrize("size", [(1600, 1200), (3200, 1200), (800, 600)])
def test_memory_per_pixel_is_bounded(size: tuple[int, int]) -> None:
    """Floats of whole pictures took 1.65 GB for a 0.5 MB keyframe of 25 megapixels."""
    camera_frame, jacket = png(frame(1600, 1200)), png(render(*size))
    tracemalloc.start()
    composite(camera_frame, jacket)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 20 * max(1600 * 1200, size[0] * size[1])


@pytest.mark.parametrize(("size", "other"), [((1, 1), (9, 9)), ((9, 9), (1, 1)), ((700, 1), (1, 700))])
def test_every_size_and_aspect_is_drawn(size: tuple[int, int], other: tuple[int, int]) -> None:
    assert decoded(composite(png(frame(*size)), png(render(*other)))).shape == (size[1], size[0], 3)


def test_a_render_of_16_bits_is_drawn() -> None:
    answer = decoded(composite(png(frame()), png(render(64, 48).astype(np.uint16) * 257)))
    assert np.abs(answer[:, 40:].astype(int) - RED).max() < 12


SIDE = st.one_of(st.integers(1, 300), st.sampled_from([1, 2, 4096, 12_000, 33_000, MAX_JPEG_SIDE]))
SIZE = st.tuples(SIDE, SIDE).filter(lambda size: size[0] * size[1] < 10**6)


@given(
    SIZE, SIZE, st.sampled_from([1, 3, 4]), st.sampled_from([3, 4]), st.sampled_from([np.uint8, np.uint16])
)
@example((1, 1), (1, 1), 3, 4, np.uint8)
@example((12_000, 10), (10, 12_000), 3, 4, np.uint8)
@example((1, MAX_JPEG_SIDE), (MAX_JPEG_SIDE, 1), 3, 4, np.uint16)
@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
def test_every_size_channel_and_depth_has_an_answer_of_the_frame_s_size(
    frame_size: tuple[int, int],
    render_size: tuple[int, int],
    channels: int,
    render_channels: int,
    depth: type,
) -> None:
    def grey(size: tuple[int, int], channels: int) -> bytes:
        return png(np.full((size[1], size[0], channels), np.iinfo(depth).max // 2, depth))

    answer = decoded(composite(grey(frame_size, channels), grey(render_size, render_channels)))
    assert answer.shape == (frame_size[1], frame_size[0], 3)


@pytest.mark.parametrize("size", [(MAX_JPEG_SIDE + 1, 1), (1, 100_000)])
def test_a_frame_that_no_jpeg_can_hold_is_an_error_that_says_so(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at most 65500 pixels a side"):
        composite(png(frame(*size)), png(render(9, 9)))


# The limit of MAX_IMAGE_PIXELS, and what the two pictures may take beyond what the process has anyway.
MEGAPIXELS_25, MOST_MIB = (5773, 4330), 450
PEAK = """
import re, sys
from pathlib import Path
from frontend_proxy.keyframes.fallback import composite

def peak():  # ru_maxrss would begin with that of the process that started this one
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])

pictures = [Path(path).read_bytes() for path in sys.argv[1:]]
composite(*(Path(path).read_bytes() for path in sys.argv[3:]))
before = peak()
composite(*pictures[:2])
print((peak() - before) // 1024)
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("render_size", [MEGAPIXELS_25, (900, 700)])
@pytest.mark.parametrize("frame_format", [".jpg", ".png"])
def test_memory_of_the_largest_pictures(
    tmp_path: Path, depth: type, render_size: tuple[int, int], frame_format: str
) -> None:
    """A keyframe of 0.5 MB took 1.65 GB: float arithmetic on whole pictures."""
    jacket = render(*render_size).astype(depth) * (257 if depth is np.uint16 else 1)
    paths = [tmp_path / name for name in ("frame", "render", "small frame", "small render")]
    paths[0].write_bytes(cv2.imencode(frame_format, frame(*MEGAPIXELS_25))[1].tobytes())
    paths[1].write_bytes(png(jacket))
    paths[2].write_bytes(png(frame()))
    paths[3].write_bytes(png(render(9, 9)))
    printed = subprocess.run(
        [sys.executable, "-c", PEAK, *paths], stdout=subprocess.PIPE, check=True, timeout=120
    )
    assert int(printed.stdout) < MOST_MIB
