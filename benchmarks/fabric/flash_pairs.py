"""Pairs of photos of a sheet of known surface: without and with the phone's flash, from nearly one place.

The flash is a point beside the lens: its light falls off with the square of the distance and comes from
another side at each point of the cloth. The hand moves between the photos; the camera exposes each by itself.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from benchmarks.fabric.sheets import (
    PHOTO,
    Photo,
    Sheet,
    camera_over,
    developed,
    drawn_on_photo,
    focal_pixels,
    light_fields,
    lit_sheet,
    table_top,
)

_LENS_TO_FLASH = 0.03  # of the distance to the cloth
_STEEPEST = 14.0  # degrees between the camera's axis and the cloth's normal

Array = np.ndarray


@dataclass(frozen=True)
class Pair:
    """plain: without the flash. flash: a JPEG of the same cloth with it."""

    plain: Photo
    flash: bytes


def photograph_pair(sheet: Sheet, seed: int) -> Pair:
    rng = np.random.default_rng([seed, 9])
    focal_35 = float(rng.choice([23, 26, 28]))
    to_photo, tilt = camera_over(rng, sheet, focal_35, (2, _STEEPEST))
    lit = lit_sheet(sheet, rng)
    table = table_top(rng, seed)
    key_field, sky_field = light_fields(rng, "smooth", to_photo, sheet)
    ambient = rng.uniform(0.5, 1.0)  # how bright the room is, relative to the flash's mean
    flashed = _by_flash(sheet, to_photo, focal_35, rng)
    hand = _hand(rng)
    pictures = []
    for matrix, with_flash in ((to_photo, 0.0), (hand @ to_photo, 1.0)):
        key, sky, mask = drawn_on_photo(lit, sheet, matrix)
        linear = ambient * (key * key_field + sky * sky_field + table * (1 - mask[..., None]))
        if with_flash:
            bright, _, _ = drawn_on_photo((flashed, flashed), sheet, matrix)
            linear = linear + bright + 0.6 * table * (1 - mask[..., None])
        exposure = float(np.round(0.62 / np.percentile(linear, 97), 3))
        pixels = developed(exposure * linear, rng)
        pictures.append((pixels, _exposed_jpeg(pixels, focal_35, exposure)))
    (pixels, plain), (_, flash) = pictures
    return Pair(Photo(plain, pixels, np.linalg.inv(to_photo), tilt), flash)


def _by_flash(sheet: Sheet, to_photo: Array, focal_35: float, rng: np.random.Generator) -> Array:
    """The sheet under the flash alone, 0.75 times its albedo where it is brightest: (rows, columns, 3)."""
    rows, columns = sheet.albedo.shape[:2]
    height, width = PHOTO
    focal = focal_pixels(focal_35)
    inner = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    plane = np.linalg.inv(inner) @ to_photo
    plane /= np.sqrt(np.linalg.norm(plane[:, 0]) * np.linalg.norm(plane[:, 1]))
    turn = np.column_stack([plane[:, 0], plane[:, 1], np.cross(plane[:, 0], plane[:, 1])])
    camera = -turn.T @ plane[:, 2]  # in the sheet's pixels: x right, y down, z away from the camera
    angle = rng.uniform(0, 2 * np.pi)
    lamp = camera + turn.T @ np.array([np.cos(angle), np.sin(angle), 0]) * _LENS_TO_FLASH * abs(camera[2])
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    at = np.dstack([x, y, np.zeros_like(x)])
    to_lamp, to_eye = lamp - at, camera - at
    distance = np.linalg.norm(to_lamp, axis=2, keepdims=True)
    # The normals' y points up, and their z to the camera.
    light, eye = (one / np.linalg.norm(one, axis=2, keepdims=True) * [1, -1, -1] for one in (to_lamp, to_eye))
    half = light + eye
    half /= np.linalg.norm(half, axis=2, keepdims=True)
    facing = np.clip((sheet.normal * light).sum(axis=2), 0, None)
    alpha = sheet.roughness**2
    aligned = np.clip((sheet.normal * half).sum(axis=2), 0, 1)
    lobe = alpha**2 / (aligned**2 * (alpha**2 - 1) + 1) ** 2 / 4
    strength = (float(distance.min()) / distance) ** 2
    lit: Array = 0.75 * strength * (sheet.albedo * facing[..., None] + (0.02 * lobe * facing)[..., None])
    return lit.astype(np.float32)


def _hand(rng: np.random.Generator) -> Array:
    """How the second photo's pixels lie on the first's: the hand shifts, turns and tilts by a little."""
    height, width = PHOTO
    turn, scale = np.radians(rng.normal(0, 0.4)), 1 + rng.normal(0, 0.004)
    shift = rng.normal(0, 6, 2)
    middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    moved = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]], [*rng.normal(0, 2e-6, 2), 1]])
    found: Array = np.linalg.inv(middle) @ moved @ middle
    return found


def _exposed_jpeg(pixels: Array, focal_35: float, exposure: float) -> bytes:
    exif = Image.Exif()
    values = exif.get_ifd(0x8769)
    values[0xA405] = int(focal_35)
    values[0x829A] = IFDRational(round(1e6 * exposure / 60), 1_000_000)  # ExposureTime
    values[0x8827] = 100  # ISO
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=93, subsampling=0, exif=exif)
    return buffer.getvalue()
