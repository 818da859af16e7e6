"""Pairs with and without flash tell the room's light, and more of the relief than one photo."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from benchmarks.fabric.flash import compare
from benchmarks.fabric.flash_pairs import Pair, photograph_pair
from benchmarks.fabric.sheets import make_sheet
from fabric import Scan, ScanOptions, scan
from fabric.flash_relief import View, integrated, room_light, slopes
from fabric.ingest import exposure

SIDE = 256
VIEW = View((100.0, 150.0), 400.0)


def bumps() -> np.ndarray:
    y, x = 2 * np.pi * np.mgrid[:SIDE, :SIDE] / SIDE
    height: np.ndarray = (np.sin(20 * x) + np.sin(20 * y)).astype(np.float32)
    return height


def shading(height: np.ndarray, light: tuple[float, float]) -> np.ndarray:
    down, across = (-(np.roll(height, -1, axis) - np.roll(height, 1, axis)) / 2 for axis in (0, 1))
    towards = np.array(light) - VIEW.towards(SIDE)
    ratio: np.ndarray = (across * towards[..., 0] + down * towards[..., 1]).astype(np.float32)
    return ratio


@pytest.mark.parametrize("light", [(0.5, 0.0), (-0.3, 0.4), (0.1, -0.8)])
def test_the_room_s_light_is_found(light: tuple[float, float]) -> None:
    """Which side it comes from and how steeply: one photo tells neither."""
    found, explained = room_light(shading(bumps(), light), VIEW.towards(SIDE))
    assert found == pytest.approx(light, abs=0.12)
    assert explained > 0.9
    noise = np.random.default_rng(1).normal(0, 0.1, (SIDE, SIDE)).astype(np.float32)
    assert slopes(noise, VIEW).trust == 0


def test_the_height_is_as_high_as_it_is() -> None:
    height = bumps()
    found = slopes(shading(height, (0.5, 0.5)), VIEW)
    seen = integrated(found.towards, found.along)
    assert np.corrcoef(seen.ravel(), height.ravel())[0, 1] > 0.85
    assert 0.6 < seen.std() / height.std() < 1.3


@pytest.fixture(scope="module")
def pair() -> Pair:
    return photograph_pair(make_sheet("twill", 301), 301)


def options() -> ScanOptions:
    return ScanOptions(size=512, fabric_class="wool")


@pytest.mark.nightly
def test_a_pair_is_nearer_to_the_truth_than_one_photo() -> None:
    one, both, flat = compare(make_sheet("twill", 301), 301)
    assert both.angle < 0.75 * min(one.angle, flat)
    assert both.delta_e < one.delta_e
    assert both.trust == 1.0


@pytest.mark.nightly
@pytest.mark.parametrize("case", ["other cloth", "no exposure", "other shape"])
def test_a_photo_that_does_not_fit_is_left_out(pair: Pair, case: str) -> None:
    photo = Image.open(io.BytesIO(pair.flash))
    flash = {
        "other cloth": photograph_pair(make_sheet("leather", 307), 307).flash,
        "no exposure": saved(photo, None),
        "other shape": saved(photo.crop((0, 0, 1200, 1200)), photo.getexif()),
    }[case]
    alone, together = scan(pair.plain.file, options()), scan(pair.plain.file, options(), flash)
    assert together.normal == alone.normal
    assert together.quality["flash"] is None
    assert "the photo with the flash was not used" in (together.detail or "")
    assert "flash" not in (alone.detail or "")


@pytest.mark.nightly
def test_the_trust_is_reported(pair: Pair) -> None:
    result: Scan = scan(pair.plain.file, ScanOptions(fabric_class="wool"), pair.flash)
    assert result.quality["flash"] == 1.0
    assert result.quality["roughness_seen"] is None  # a cloth as rough as chalk shows no highlight


@pytest.mark.nightly
def test_a_highlight_tells_the_roughness() -> None:
    """Whatever the class says: felt is as rough as chalk."""
    shown = photograph_pair(replace(make_sheet("grain", 303), roughness=0.3), 303)
    felt = ScanOptions(size=512, fabric_class="felt")
    alone, pair = scan(shown.plain.file, felt), scan(shown.plain.file, felt, shown.flash)
    assert alone.quality["roughness_seen"] is None
    seen = pair.quality["roughness_seen"]
    assert isinstance(seen, float)
    assert 0.25 < seen < 0.5
    assert abs(pair.roughness - seen) < 0.1 < alone.roughness - pair.roughness


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_the_exposure_is_read_from_the_file(file_format: str) -> None:
    exif = Image.Exif()
    values = exif.get_ifd(0x8769)
    values[0x829A], values[0x8827], values[0x829D] = IFDRational(1, 50), 200, IFDRational(2, 1)
    assert exposure(saved(Image.new("RGB", (64, 64)), exif, file_format)) == pytest.approx(1.0)
    assert exposure(saved(Image.new("RGB", (64, 64)), None, file_format)) is None
    values[0x829A] = IFDRational(0, 50)
    assert exposure(saved(Image.new("RGB", (64, 64)), exif, file_format)) is None


def saved(image: Image.Image, exif: Image.Exif | None, file_format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **({} if exif is None else {"exif": exif}))
    return buffer.getvalue()
