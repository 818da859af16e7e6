"""Colours of any profile to sRGB, which browsers assume and the networks were trained on."""

import io
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageCms

from pipeline.strips import strips

STRIP_PIXELS = 2**18  # converted at once: a copy of the whole picture would take as much memory again
UNSEEN = 2.0  # of 255; a profile that changes no colour by more is taken for sRGB
_SRGB = ImageCms.createProfile("sRGB")
_SRGB_GAMMA = 1 / 2.2  # as PNG files say that they are in sRGB; the exact curve is meant
# x and y of white, red, green and blue (ITU-T H.273, table 2).
_D65 = (0.3127, 0.3290)
_BT709 = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_PRIMARIES: dict[int, Sequence[float]] = {
    1: _BT709,
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
_GAMMAS = {1: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}  # None: sRGB's curve
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


def convert_to_srgb(picture: np.ndarray, profile: bytes, mode: str) -> None:
    """Convert (H, W, 3) BGR or (H, W, 4) BGRA in place. A broken profile leaves the pixels as they are.

    mode: `RGB`, or `L` for a picture whose three channels are equal.
    """
    transform = transform_to_srgb(profile, mode)
    if transform is None:
        return
    for rows in strips_of(picture):
        colours = np.ascontiguousarray(picture[rows, :, :3])
        source = colours[:, :, 0] if mode == "L" else cv2.cvtColor(colours, cv2.COLOR_BGR2RGB)
        converted = np.asarray(_apply(source, transform))
        picture[rows, :, :3] = converted[:, :, ::-1]


@lru_cache(maxsize=8)
def transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of Pillow's `mode`; None for sRGB itself, and where the profile is of no use."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
        if mode == "CMYK":
            return transform
        levels = np.arange(0, 256, 15, dtype=np.uint8)
        probe = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, len(levels), 3)
        if mode == "L":
            probe = probe[:, :, :1].repeat(3, axis=2)
        seen = np.asarray(_apply(probe[:, :, 0] if mode == "L" else probe, transform))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(seen.astype(int) - probe).max() > UNSEEN else None


def strips_of(picture: np.ndarray) -> Iterator[slice]:
    """Of rows, with `STRIP_PIXELS` each."""
    height, width = picture.shape[:2]
    return strips(0, height, max(1, STRIP_PIXELS // width))


def cicp_profile(primaries: int, transfer: int) -> bytes | None:
    """The ICC profile of H.273's code points; None for those that are unknown, HDR, or sRGB."""
    if primaries not in _PRIMARIES or transfer not in _GAMMAS:
        return None
    if primaries == 1 and _GAMMAS[transfer] is None:
        return None
    return matrix_profile(_PRIMARIES[primaries], _GAMMAS[transfer])


def gamma_profile(gamma: float, places: Sequence[float] | None) -> bytes | None:
    """The ICC profile of PNG's `gAMA` and `cHRM`; None for sRGB's and for impossible ones.

    places: x and y of white, red, green and blue; None: sRGB's.
    """
    places = places or _BT709
    srgb = abs(gamma - _SRGB_GAMMA) < 0.01
    if not 0.1 <= gamma <= 10 or (srgb and np.abs(np.subtract(places, _BT709)).max() < 0.002):
        return None
    return matrix_profile(places, None if srgb else 1 / gamma)


@lru_cache(maxsize=8)
def _matrix_profile(places: tuple[float, ...], gamma: float | None) -> bytes | None:
    xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in np.reshape(places, (4, 2)) if y > 0]).T
    if xyz.shape != (3, 4):
        return None
    white, primaries = xyz[:, 0], xyz[:, 1:]
    try:
        columns = primaries * np.linalg.solve(primaries, white)
    except np.linalg.LinAlgError:
        return None
    adapted = np.linalg.solve(
        _BRADFORD, np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white)) @ _BRADFORD @ columns
    )
    if gamma is None:  # the parametric curve of sRGB (ICC.1:2022, 10.18)
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0\0\3\0\0" + b"".join(_fixed(number) for number in numbers)
    else:
        curve = b"para\0\0\0\0\0\0\0\0" + _fixed(gamma)
    tags = {b"wtpt": _xyz(_D50)}
    tags |= {name + b"XYZ": _xyz(adapted[:, at]) for at, name in enumerate((b"r", b"g", b"b"))}
    tags |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    return _icc(tags)


def matrix_profile(places: Sequence[float], gamma: float | None) -> bytes | None:
    """An ICC profile of three primaries and one curve; None where they span no colours.

    gamma: the curve's exponent; None: sRGB's curve.
    """
    return _matrix_profile(tuple(places), gamma)


def _icc(tags: dict[bytes, bytes]) -> bytes:
    """ICC.1:2022, section 7."""
    at = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s", at + len(content), 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    return header.ljust(68, b"\0") + _xyz(_D50)[8:] + bytes(48) + table + content


def _xyz(values: Sequence[float] | np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(max(-32_000.0, min(32_000.0, float(value))) * 65536))


def _apply(pixels: np.ndarray, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(pixels)), transform)
    assert converted is not None
    return converted
