import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import measured, texture
from fabric.light import linear_to_srgb
from fabric.repeat import find_repeats
from fabric.weaves import DRAFTS, Weave, nap, ribs, weave_cloth

WARP, WEFT = np.array([0.45, 0.42, 0.4]), np.array([0.2, 0.2, 0.24])


def grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("turned", [0.0, 6.0])
def test_the_period_of_a_known_weave(draft: str, turned: float) -> None:
    """A turned twill repeats along slanted shifts as well, some of them shorter than the true period."""
    weave = Weave(draft, (12.7, 11.4), WARP, WEFT, irregular=0.4)
    image = grey(linear_to_srgb(weave_cloth(weave, 1200, 3)))
    matrix = cv2.getRotationMatrix2D((600, 600), -turned, 1)
    square = cv2.warpAffine(image, matrix, (1200, 1200), flags=cv2.INTER_CUBIC)[88:1112, 88:1112]
    across, down = find_repeats(square)
    assert across is not None
    assert down is not None
    assert across.period == pytest.approx(weave.period[0], rel=0.005)
    assert down.period == pytest.approx(weave.period[1], rel=0.005)
    assert np.degrees(np.arctan2(across.vector[1], across.vector[0])) == pytest.approx(turned, abs=0.5)


@pytest.mark.nightly
def test_the_period_of_a_large_photo_is_in_its_own_pixels() -> None:
    """It is looked for in a smaller copy."""
    weave = Weave("twill", (12.7, 11.4), WARP, WEFT, irregular=0.4)
    across, down = find_repeats(grey(linear_to_srgb(weave_cloth(weave, 1700, 3))))
    assert across is not None
    assert down is not None
    assert (across.period, down.period) == pytest.approx(weave.period, rel=0.005)


@pytest.mark.nightly
def test_the_shortest_of_hundreds_of_like_shifts_is_found() -> None:
    """An even satin correlates as well with itself far away: its repeat got lost among those."""
    weave = Weave("satin", (5, 5), WARP, WEFT, irregular=0.1, depth=0.16)
    across, down = find_repeats(grey(linear_to_srgb(weave_cloth(weave, 1400, 4))))
    assert across is not None
    assert down is not None
    assert (across.period, down.period) == pytest.approx((25, 25), rel=0.005)


def test_stripes_repeat_one_way_only() -> None:
    across, down = find_repeats(grey(linear_to_srgb(ribs(1024, 34.3, WARP, 1))))
    assert across is not None
    assert across.period == pytest.approx(34.3, rel=0.005)
    assert down is None


@pytest.mark.parametrize("name", ["felt", "leather", "grass", "gravel", "nap", "noise"])
def test_no_period_where_there_is_none(name: str) -> None:
    if name in ("felt", "leather"):
        image = linear_to_srgb(measured(name).albedo)
    elif name == "nap":
        image = linear_to_srgb(nap(1024, WARP, 2))
    elif name == "noise":
        image = np.random.default_rng(1).integers(0, 255, (512, 512, 3)).astype(np.uint8)
    else:
        image = texture(name)
    assert find_repeats(grey(image)) == (None, None)
