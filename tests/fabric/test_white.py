import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg
from fabric import FabricError, ScanOptions, scan
from fabric.light import srgb_to_linear
from fabric.weaves import Weave, weave_cloth
from fabric.white import balanced, card_colour

WARM = np.array([1.0, 0.8, 0.55])  # a lamp's light


def cloth() -> np.ndarray:
    weave = Weave("basket", (9, 9), np.array([0.3, 0.32, 0.34]), np.array([0.22, 0.24, 0.26]), depth=0.8)
    return weave_cloth(weave, 900, 3)


def colour(photo: bytes, **options: object) -> tuple[np.ndarray, object]:
    """The scan's mean colour, linear, and the white point that it reports."""
    made = scan(photo, ScanOptions(size=256, **options))  # type: ignore[arg-type]
    code = cv2.imdecode(np.frombuffer(made.maps["diffuse"].data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return srgb_to_linear(np.ascontiguousarray(code)).mean(axis=(0, 1)), made.quality["white_point"]


def tint(linear: np.ndarray) -> np.ndarray:
    """Red and blue by green."""
    return linear[[0, 2]] / linear[1]


@pytest.mark.nightly
def test_a_given_white_point_takes_the_light_s_colour_out() -> None:
    truth, none = colour(jpeg(cloth()))
    assert none is None
    warm = jpeg(cloth() * WARM)
    assert abs(tint(colour(warm)[0]) / tint(truth) - 1).max() > 0.2
    white = (255.0, 231.0, 196.0)  # white paper in that light
    found, reported = colour(warm, white_point=white)
    assert np.abs(tint(found) / tint(truth) - 1).max() < 0.03
    assert reported == [255, 231, 196]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("place", [np.s_[330:560, 340:600], np.s_[200:600, 250:700]], ids=["small", "large"])
def test_white_paper_on_the_cloth_sets_the_white_point(place: tuple[slice, slice]) -> None:
    truth, _ = colour(jpeg(cloth()))
    scene = cloth()
    scene[place] = 0.85
    found, reported = colour(jpeg(scene * WARM))
    assert reported is not None
    assert np.abs(tint(found) / tint(truth) - 1).max() < 0.06


def test_a_coloured_card_is_no_white_paper() -> None:
    photo = np.full((100, 100, 3), (200, 60, 50), np.uint8)
    corners = np.array([[20, 20], [80, 20], [80, 80], [20, 80]], np.float64)
    assert card_colour(photo, corners) is None
    photo[:] = 255  # overexposed: its tint is lost
    assert card_colour(photo, corners) is None
    photo[:] = (190, 185, 170)
    assert card_colour(photo, corners) == (190, 185, 170)


def test_a_hand_on_the_cloth_sets_nothing() -> None:
    scene = cloth()
    skin = srgb_to_linear(np.array([[[222, 180, 160]]], np.uint8))
    scene[330:560, 340:600] = skin
    assert colour(jpeg(scene))[1] is None


def test_brightness_stays() -> None:
    white = (240.0, 220.0, 190.0)
    light = srgb_to_linear(np.array([[white]], np.uint8))
    found = balanced(light, white)[0, 0]
    assert np.ptp(found) < 1e-5
    assert found[0] == pytest.approx(float(light[0, 0] @ [0.2126, 0.7152, 0.0722]), rel=1e-4)


@pytest.mark.parametrize("wrong", [(0, 0, 0), (255, 10, 10), (1, 2), "white", (300, 300, 300), (1, None, 2)])
def test_what_is_no_white_point_is_refused(wrong: object) -> None:
    with pytest.raises(FabricError, match="white_point"):
        ScanOptions(white_point=wrong)  # type: ignore[arg-type]
