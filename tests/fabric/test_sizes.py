"""Photos of every size, aspect, mode and format: scanned, unless they have too many pixels."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fabric import FabricError, ScanOptions, scan
from fabric.ingest import MAX_ASPECT
from tests.fabric.photos import saved, woven

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
    "BMP": ("1", "L", "P", "RGB"),
}
COMBINATIONS = st.sampled_from([(name, mode) for name, modes in MODES.items() for mode in modes])
SIDES = st.one_of(st.integers(1, 200), st.sampled_from([63, 64, 65, 127, 128, 300, 511, 640]))
ASPECTS = st.one_of(st.floats(1, MAX_ASPECT + 1), st.sampled_from([1, 19.99, MAX_ASPECT, MAX_ASPECT + 0.05]))
LITTLE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def photo(width: int, height: int, file_format: str, mode: str) -> bytes:
    pixels = woven(width, height)
    if mode == "I;16":
        return saved(Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), file_format)
    return saved(Image.fromarray(pixels).convert(mode), file_format)


def answer(data: bytes, **options: object) -> FabricError | None:
    try:
        result = scan(data, ScanOptions(size=256, **options))
    except FabricError as error:
        return error
    assert len(result.maps) in (7, 8)  # with holes
    return None


@pytest.mark.nightly
@LITTLE
@given(side=SIDES, aspect=ASPECTS, turned=st.booleans(), combination=COMBINATIONS)
@example(side=64, aspect=12_000 / 64, turned=False, combination=("PNG", "RGB"))
@example(side=64, aspect=12_000 / 64, turned=True, combination=("JPEG", "RGB"))
@example(side=1, aspect=1, turned=False, combination=("PNG", "L"))
@example(side=1, aspect=28_000, turned=False, combination=("PNG", "1"))
def test_every_size_and_aspect(side: int, aspect: float, turned: bool, combination: tuple[str, str]) -> None:
    sides = [side, round(side * aspect)]
    width, height = sides[::-1] if turned else sides
    assert answer(photo(width, height, *combination)) is None


@pytest.mark.nightly
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(7071, 7071), (7072, 7072), (35_355, 1414), (50_000, 1001)])
def test_the_limits_of_size(size: tuple[int, int], file_format: str) -> None:
    refused = answer(saved(Image.fromarray(woven(*size)), file_format))
    if size in ((7072, 7072), (50_000, 1001)):
        assert refused is not None
        assert "50 megapixels" in refused.message
    else:
        assert refused is None


CORNER = st.tuples(st.floats(0, 1), st.floats(0, 1))


@pytest.mark.nightly
@LITTLE
@given(
    corners=st.one_of(
        st.tuples(CORNER, CORNER, CORNER, CORNER),
        st.tuples(CORNER, st.floats(0.001, 0.5), st.floats(0.001, 0.5)).map(
            lambda at: tuple(
                (min(at[0][0] + x * at[1], 1.0), min(at[0][1] + y * at[2], 1.0))
                for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))
            )
        ),
    )
)
@example(corners=((0.5, 0.0), (0.515, 0.0), (0.515, 1.0), (0.5, 1.0)))
def test_any_corners(corners: tuple) -> None:
    """A swatch of a few pixels' width was an error of OpenCV's."""
    refused = answer(CLOTH, corners=corners)
    assert refused is None or refused.code == "INVALID_INPUT"


CLOTH = saved(Image.fromarray(woven(1600, 1200)), "JPEG")
