import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg
from fabric import ScanOptions, scan
from fabric.light import linear_to_srgb
from fabric.quality import MIN_SHARPNESS, PhotoQuality, advice, judge
from fabric.weaves import Weave, weave_cloth

SIDE = 700
FINE = Weave("plain", (5, 5), *2 * [np.array([0.72, 0.7, 0.66])], irregular=0.1, fuzz=0.1, depth=0.25)
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
    assert any(BORDER in sentence for sentence in advice_for(printed(pattern, 30, 0.5)))


def test_a_tilt_is_not_told_as_too_little_of_the_pattern() -> None:
    """Stripes at a tilt were told to be taken from farther away, which would not have helped."""
    good = PhotoQuality(sharpness=0.4, contrast=0.1, brightness=0.5, clipped=0.0, evenness=1.0)
    few = {"flatness": 0.0, "repeats": [3], "scale": 1.0}
    assert ["too little of the pattern" in sentence for sentence in advice(good, **few)] == [True]
    assert [BORDER in sentence for sentence in advice(good, **few, misfit=0.7)] == [True]


@pytest.mark.parametrize("turn", [0, 8])
@pytest.mark.parametrize("pattern", ["checks", "stripes", "dots"])
def test_a_print_seen_from_above_needs_no_advice(pattern: str, turn: float) -> None:
    assert advice_for(printed(pattern, turn)) == []


def photo_of(linear: np.ndarray, blur: float = 0, noise: float = 0) -> bytes:
    """As a camera out of focus takes it: the blur comes before the sensor's noise, in steps of 255."""
    seen = linear_to_srgb(cv2.GaussianBlur(linear, (0, 0), blur) if blur else linear).astype(np.float32)
    seen += noise * np.random.default_rng(1).standard_normal((*seen.shape[:2], 1))
    pixels = np.clip(seen, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    return cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), quality)[1].tobytes()


def sharpness(file: bytes) -> float:
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    return judge(pixels[..., ::-1], cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)).sharpness


@pytest.fixture(scope="module")
def bold() -> np.ndarray:
    """Large dots on a fine weave: printed ink has soft edges, and far more contrast than the threads."""
    cloth = weave_cloth(FINE, SIDE, 1)
    y, x = np.mgrid[:SIDE, :SIDE]
    dots = (np.hypot(x % 80 - 40, y % 80 - 40) < 26).astype(np.float32)
    ink = cv2.GaussianBlur(dots, (0, 0), 3)[..., None]
    return cloth * (1 - ink * np.array([0.97, 0.97, 0.9], np.float32))


@pytest.mark.parametrize("noise", [0, 1.5])
def test_a_sharp_photo_of_a_bold_print_is_not_called_blurred(bold: np.ndarray, noise: float) -> None:
    """The print's contrast hid the weave's share, so that a sharp photo of dots was called blurred."""
    assert sharpness(photo_of(bold, noise=noise)) > MIN_SHARPNESS


@pytest.mark.parametrize("noise", [0, 1.5])
@pytest.mark.parametrize("blur", [2, 3, 4, 6])
def test_a_blurred_photo_of_a_bold_print_is_found(bold: np.ndarray, blur: float, noise: float) -> None:
    """Its noise is sharp, too, and fills the cells that have no print."""
    assert sharpness(photo_of(bold, blur, noise)) < MIN_SHARPNESS


def lace(ground: float, motif: float) -> bytes:
    """A PNG whose opacity is a square net of period `ground` with discs and rings of period `motif`."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    net = np.maximum(np.abs(x % ground / ground - 0.5), np.abs(y % ground / ground - 0.5)) > 0.38
    far = np.hypot(x % motif - motif / 2, y % motif - motif / 2) / motif
    thread = np.maximum(net, (far < 0.3) & (np.abs(far - 0.17) > 0.02)).astype(np.float32)
    pixels = np.full((SIDE, SIDE, 4), 230, np.uint8)
    pixels[..., 3] = 255 * cv2.GaussianBlur(thread, (0, 0), 0.7)
    return cv2.imencode(".png", pixels)[1].tobytes()


def test_lace_whose_motifs_do_not_meet_is_told_so() -> None:
    """The tile held whole meshes of the net, and half-transparent ghosts of the motifs. No advice said so."""
    options = ScanOptions(size=512, fabric_class="lace")
    apart, fitting = (scan(lace(20, motif), options) for motif in (133, 120))
    assert [sentence for sentence in apart.quality["advice"] if BORDER in sentence]  # type: ignore[attr-defined]
    assert not [s for s in fitting.quality["advice"] if BORDER in s]  # type: ignore[attr-defined]


def test_lace_without_transparency_is_told_how_to_show_its_holes() -> None:
    """Its maps were those of a cloth without holes, and nothing said so."""
    cloth = weave_cloth(PLAIN, SIDE, 1)
    assert any("transparent" in sentence for sentence in advice_for(cloth, fabric_class="lace"))
    assert not any("transparent" in sentence for sentence in advice_for(cloth))
    seen = scan(lace(20, 120), ScanOptions(size=512, fabric_class="lace"))
    assert not any("transparent" in s for s in seen.quality["advice"])  # type: ignore[attr-defined]
