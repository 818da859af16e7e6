import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg
from fabric import ScanOptions, scan
from fabric.weaves import Weave, weave_cloth

SIDE = 700
BORDER = "does not meet at the tile's border"
PLAIN = Weave("plain", (8, 8), np.array([0.5, 0.45, 0.4]), np.array([0.5, 0.45, 0.4]), irregular=0.2)


def printed(pattern: str, turn: float = 0, tilt: float = 0) -> np.ndarray:
    """A print that fills the photo (SIDE, SIDE, 3), linear; turned in degrees, and seen at a tilt from 0."""
    cloth = weave_cloth(PLAIN, SIDE, 1)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    depth = 1 + tilt * y / SIDE  # what is farther away is seen smaller
    angle = np.radians(turn)
    across = (x * np.cos(angle) + y * np.sin(angle)) / depth / 64
    down = (y * np.cos(angle) - x * np.sin(angle)) / depth / 64
    if pattern == "checks":
        shade = 1.0 * (across % 1 > 0.5) + 1.0 * (down % 1 > 0.5)
    elif pattern == "stripes":
        shade = 2.0 * (across % 1 > 0.5)
    else:
        shade = 2.0 * (np.hypot(across % 1 - 0.5, down % 1 - 0.5) < 0.3)
    ink = cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 0.7)[..., None]
    return cloth * (1 - ink * np.array([0.42, 0.38, 0.2], np.float32))


def advice_for(linear: np.ndarray, **options: object) -> list[str]:
    result = scan(jpeg(linear), ScanOptions(size=512, **options))
    return result.quality["advice"]  # type: ignore[return-value]


@pytest.mark.parametrize("pattern", ["checks", "stripes", "dots"])
def test_a_print_at_a_tilt_is_told_that_it_does_not_meet(pattern: str) -> None:
    """Its motifs were cut and doubled at every border of the tile, and the scan said nothing."""
    advice = advice_for(printed(pattern, 30, 0.5))
    assert [sentence for sentence in advice if BORDER in sentence]
    assert not [sentence for sentence in advice if "too little of the pattern" in sentence]


@pytest.mark.parametrize("turn", [0, 8])
@pytest.mark.parametrize("pattern", ["checks", "stripes", "dots"])
def test_a_print_seen_from_above_needs_no_advice(pattern: str, turn: float) -> None:
    assert advice_for(printed(pattern, turn)) == []
