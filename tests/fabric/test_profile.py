"""A profile's formula is what Pillow applies to whole steps; whatever it is not for is left alone."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from fabric.light import linear_to_srgb
from fabric.profile import read_profile
from tests.fabric.photos import display_p3, profile_with

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def parametric(kind: int, *numbers: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + fixed(*numbers)


def table(*values: int) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


CURVES = {
    "identity": table(),
    "a power": table(round(2.2 * 256)),
    "a table": table(*(round(65535 * (n / 99) ** 1.8) for n in range(100))),
    "kind 0": parametric(0, 2.4),
    "kind 1": parametric(1, 2.2, 1.05, -0.05),
    "kind 2": parametric(2, 2.2, 0.97, -0.02, 0.0),
    "kind 3": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "kind 4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
}


@pytest.mark.parametrize("name", CURVES)
def test_the_colours_that_pillow_makes(name: str) -> None:
    icc = profile_with(display_p3(), dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), CURVES[name]))
    profile = read_profile(icc)
    assert profile is not None
    codes = np.random.default_rng(2).integers(40, 216, (40, 40, 3)).astype(np.uint8)
    transform = ImageCms.buildTransform(io.BytesIO(icc), ImageCms.createProfile("sRGB"), "RGB", "RGB")
    shown = np.asarray(ImageCms.applyTransform(Image.fromarray(codes), transform))
    light = np.stack([profile.curves[codes[..., n], n] for n in range(3)], axis=-1) @ profile.matrix.T
    mine = linear_to_srgb(np.clip(light, 0, 1).astype(np.float32))
    inside = ((light > 0.003) & (light < 1)).all(axis=-1)
    assert inside.mean() > 0.2
    assert np.abs(mine.astype(int) - shown)[inside].max() <= 1
    # And back, where the curve rises by enough for eight bits to tell.
    back = profile.codes_of(shown)[inside] - codes[inside]
    assert np.abs(np.median(back)) < 0.5


def test_a_small_change_of_the_codes() -> None:
    profile = read_profile(display_p3())
    assert profile is not None
    codes = np.full((1, 1, 3), 120.0, np.float32)
    light = profile.curves[120] @ profile.matrix.T
    next_step = profile.curves[[121, 120, 120], [0, 1, 2]] @ profile.matrix.T
    rise = profile.rises(codes, np.array([[[1, 0, 0]]], np.float32))[0, 0]
    np.testing.assert_allclose(rise, next_step - light, rtol=0.01, atol=1e-5)


BROKEN = {
    "no profile": b"no profile",
    "cut off": SRGB[:200],
    "of grey": SRGB[:16] + b"GRAY" + SRGB[20:],
    "of ink": SRGB[:16] + b"CMYK" + SRGB[20:],
    "without a colour": SRGB.replace(b"rXYZ", b"none"),
    "with a table": SRGB.replace(b"cprt", b"A2B0"),
    "with a strange curve": profile_with(SRGB, {b"rTRC": parametric(9, 2.2)}),
    "with a curve of nothing": profile_with(SRGB, {b"rTRC": b""}),
    "with a falling curve": profile_with(SRGB, {b"rTRC": table(65535, 0)}),
    "with a curve beyond numbers": profile_with(SRGB, {b"rTRC": parametric(1, 30000, 30000, 3)}),
    "with a bright black": profile_with(SRGB, {b"rTRC": parametric(2, 2.2, 0.95, -0.02, 0.01)}),
    "with a curve divided by 0": profile_with(SRGB, {b"rTRC": parametric(1, 2.2, 0, 1)}),
    "of one colour": profile_with(SRGB, {b"rXYZ": b"XYZ " + bytes(4) + fixed(0.385, 0.717, 0.097)}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_other_profiles_are_no_formula(name: str) -> None:
    assert read_profile(BROKEN[name]) is None


def test_any_damage_is_survived() -> None:
    rng = np.random.default_rng(5)
    icc = display_p3()
    for _ in range(300):
        damaged = bytearray(icc)
        for at in rng.integers(0, len(icc), 8):
            damaged[at] = rng.integers(256)
        read_profile(bytes(damaged[: rng.integers(1, len(icc) + 1)]))
