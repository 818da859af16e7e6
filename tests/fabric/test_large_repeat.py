import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg
from fabric import ScanOptions, scan
from fabric.frame import longest_side
from fabric.large_repeat import Repeats, find_large_repeats
from fabric.light import linear_to_srgb
from fabric.repeat import Repeat, find_repeats
from fabric.weaves import Weave, weave_cloth

SIDE = 900
WEAVE = Weave("plain", (7, 7), np.array([0.6, 0.6, 0.6]), np.array([0.55, 0.55, 0.55]), irregular=0.2)
RED, GREEN = np.array([0.4, 0.02, 0.03]), np.array([0.02, 0.12, 0.05])


def places(turn: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64) - SIDE / 2
    angle = np.radians(turn)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def dyed(ink: np.ndarray) -> np.ndarray:
    """Linear RGB of a weave that is red, and green where `ink` (N, N) is 1."""
    share = cv2.GaussianBlur(ink.astype(np.float32), (0, 0), 0.7)[..., None]
    return (weave_cloth(WEAVE, SIDE, 1) * (RED + share * (GREEN - RED)) * 1.7).astype(np.float32)


def flowers(period: tuple[float, float], turn: float) -> np.ndarray:
    """A motif without symmetry, so that nothing shorter repeats."""
    across, down = (along % size for along, size in zip(places(turn), period, strict=True))
    one = np.hypot(across - 60, down - 70) < 40
    two = (np.abs(across - 130) < 25) & (np.abs(down - 120) < 12)
    return dyed(one | two)


def repeats(linear: np.ndarray) -> tuple[Repeats, Repeats]:
    """The weave's, and those of the motifs."""
    colour = linear_to_srgb(linear)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    fine = find_repeats(grey)
    return fine, find_large_repeats(colour, grey, fine, longest_side(SIDE))


@pytest.mark.parametrize("turn", [0, 5, 27, -38])
def test_a_motif_is_found_at_any_angle(turn: float) -> None:
    """The weave's repeat was taken, or none beyond 12°: the tile's border cut the motifs."""
    _, (across, down) = repeats(flowers((210, 245), turn))
    assert across is not None
    assert down is not None
    assert sorted([across.period, down.period]) == pytest.approx([210, 245], rel=0.01)
    turned = np.degrees(np.arctan2(across.vector[1], across.vector[0]))
    assert (turned - turn + 45) % 90 - 45 == pytest.approx(0, abs=0.6)


def test_a_motif_that_the_photo_shows_not_quite_twice() -> None:
    """More than a third of the photo was too long for any repeat."""
    _, (across, down) = repeats(flowers((470, 430), 0))
    assert across is not None
    assert down is not None
    assert (across.period, down.period) == pytest.approx((470, 430), rel=0.01)


@pytest.mark.parametrize("turn", [2, 30])
def test_stripes_repeat_at_right_angles_to_themselves(turn: float) -> None:
    _, (across, down) = repeats(dyed(places(turn)[0] % 160 < 50))
    assert across is not None
    assert across.period == pytest.approx(160, rel=0.01)
    assert np.degrees(np.arctan2(across.vector[1], across.vector[0])) == pytest.approx(turn, abs=0.4)
    # Beside them the weave's own, if it lies along them.
    assert down is None or abs(np.array(down.vector) @ np.array(across.vector)) < 0.05 * 160 * down.period


@pytest.mark.parametrize("draft", ["plain", "twill", "satin"])
def test_a_weave_alone_keeps_its_repeat(draft: str) -> None:
    weave = Weave(draft, (9, 9), np.array([0.4, 0.4, 0.45]), np.array([0.1, 0.1, 0.2]), irregular=0.4)
    fine, found = repeats(weave_cloth(weave, SIDE, 1))
    assert found == fine


def test_a_check_that_was_found_before_keeps_its_repeat() -> None:
    across, down = places(0)
    check = dyed((across % 84 < 42) | (down % 84 < 42))
    colour = linear_to_srgb(check)
    fine = Repeat((84.0, 0.0), 0.9), Repeat((0.0, 84.0), 0.9)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    assert find_large_repeats(colour, grey, fine, longest_side(SIDE)) is fine


def test_a_check_of_which_a_tile_shows_one_keeps_its_colours() -> None:
    """Its red became brown: an area as large as the tile was taken for light. And it was called uneven."""
    across, down = places(0)
    check = dyed((across % 400 < 150) | (down % 400 < 150))
    found = scan(jpeg(check), ScanOptions(size=256))
    pixels = cv2.imdecode(np.frombuffer(found.diffuse.data, np.uint8), cv2.IMREAD_COLOR).reshape(-1, 3)
    red = pixels[pixels[:, 2] > 2.0 * pixels[:, 1]]
    true = linear_to_srgb(check).reshape(-1, 3)
    true = true[true[:, 0] > 2.0 * true[:, 1]]
    assert len(red) / len(pixels) == pytest.approx(len(true) / SIDE**2, abs=0.06)
    assert np.abs(red.mean(axis=0)[::-1] - true.mean(axis=0)).max() < 12
    assert found.quality["advice"] == []
