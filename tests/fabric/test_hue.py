"""A tile has the hue of its JPEG, which a decoder rounds to whole steps."""

import numpy as np
import pytest
from PIL import Image

from fabric import ScanOptions
from fabric.hue import exact_hue
from fabric.ingest import decode
from fabric.light import srgb_to_linear
from fabric.profile import read_profile
from fabric.scanner import PIXEL_CENTRES, make_tile
from tests.fabric.photos import display_p3, profile_with, saved

SIDE = 480
OPTIONS = ScanOptions(size=256, light_strength=0, contrast_strength=0)


def photo(colour: np.ndarray) -> Image.Image:
    """Cloth of one colour, or of one for each pixel, in sRGB codes; its weave is all in its brightness."""
    y, x = np.mgrid[:SIDE, :SIDE]
    weave = 1 + 0.06 * np.sin(x / 2.1) * np.sin(y / 2.3)
    noise = np.random.default_rng(3).normal(0, 0.8, (SIDE, SIDE, 3))
    return Image.fromarray(np.round(colour * weave[..., None] + noise).clip(0, 255).astype(np.uint8))


def linear_of(code: np.ndarray) -> np.ndarray:
    """sRGB codes of any fraction to linear light."""
    return np.interp(code, np.arange(256), srgb_to_linear(np.arange(256, dtype=np.uint8)).ravel())


def error(file: bytes, colour: np.ndarray) -> float:
    """How far the tile's hue is beside the colour's: the largest difference of two channels' factors."""
    albedo = make_tile(file, OPTIONS).albedo.mean(axis=(0, 1))
    ratio = albedo / linear_of(colour)
    return float(np.ptp(ratio / ratio.mean()))


COLOURS = [(134.6, 126.4, 117.9), (88.5, 93.3, 101.7), (176.2, 120.5, 110.8)]


@pytest.mark.parametrize("colour", COLOURS)
def test_hue_between_whole_steps(colour: tuple[float, float, float]) -> None:
    values = np.array(colour)
    assert error(saved(photo(values), "JPEG", quality=93), values) < 0.006


@pytest.mark.parametrize("orientation", [1, 6])
def test_each_place_has_its_own(orientation: int) -> None:
    upright = np.where(np.arange(SIDE)[None, :, None] < SIDE / 2, COLOURS[0], COLOURS[1]).repeat(SIDE, axis=0)
    lying = np.asarray(photo(np.rot90(upright) if orientation == 6 else upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(Image.fromarray(lying), "JPEG", quality=93, exif=exif)
    code = decode(file, SIDE)
    gain = exact_hue(file, code, np.diag([1 / SIDE, 1 / SIDE, 1]) @ PIXEL_CENTRES)
    assert gain is not None
    for side, colour in zip((slice(50), slice(-50, None)), COLOURS, strict=False):
        seen = code[:, side].mean(axis=(0, 1))
        ratio = linear_of(seen) * gain[:, side].mean(axis=(0, 1)) / linear_of(np.array(colour))
        assert np.ptp(ratio / ratio.mean()) < 0.008


def test_a_strong_colour_stays_as_decoded() -> None:
    values = np.array([214.4, 28.7, 40.3])
    assert error(saved(photo(values), "JPEG", quality=93), values) < 0.04


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_of_a_profile(colour: tuple[float, float, float]) -> None:
    """As phones write them: the file's steps are steps of another red, green and blue."""
    icc = display_p3()
    profile = read_profile(icc)
    assert profile is not None
    codes = np.array(colour)
    light = [np.interp(code, np.arange(256), profile.curves[:, n]) for n, code in enumerate(codes)]
    shown = profile.matrix @ light
    albedo = make_tile(saved(photo(codes), "JPEG", quality=93, icc_profile=icc), OPTIONS).albedo
    ratio = albedo.mean(axis=(0, 1)) / shown
    assert np.ptp(ratio / ratio.mean()) < 0.008


def test_a_broken_profile_s_file_stays_as_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fabric.hue.amplified", lambda *_: pytest.fail("it was read again"))
    icc = profile_with(display_p3(), {b"gTRC": b"none"})
    make_tile(saved(photo(np.array(COLOURS[0])), "JPEG", quality=93, icc_profile=icc), OPTIONS)


def test_yarns_of_two_hues_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding takes no side there, and reading costs as much as a tenth of a scan."""
    up = (np.arange(SIDE) // 4 % 2)[None, :, None]
    file = saved(photo(np.where(up, COLOURS[0], COLOURS[1])), "JPEG", quality=93, subsampling=0)
    monkeypatch.setattr("fabric.hue.amplified", lambda *_: pytest.fail("it was read again"))
    make_tile(file, OPTIONS)


def test_a_png_needs_no_correction() -> None:
    values = np.array(COLOURS[0])
    assert error(saved(photo(values)), values) < 0.006
