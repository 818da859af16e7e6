"""Sheets of cloth with a known surface, photographed at an angle on a table under a chosen light.

Pinhole camera (Hartley & Zisserman, "Multiple View Geometry", §6.1): the sheet's plane maps to the photo by
K [r1 r2 t]. The key light is a distant lamp; the sky light is a third of it. A shadow takes the first away.
"""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from benchmarks.fabric.materials import CLOTH, _package, measured
from benchmarks.fabric.procedural import KINDS, Surface, make_surface, noise
from fabric.light import linear_to_srgb, srgb_to_linear

LIGHTS = ("smooth", "half in shadow")
SHEET = 1400  # pixels per side of the sheet's own maps
PHOTO = (1350, 1800)  # rows, columns
TABLES = ("ash", "walnut", "spruce", "mdf", "pine", "oak")
_FINER = 2  # the photo is drawn finer by this factor and then averaged, as a sensor's pixels do

Array = np.ndarray


@dataclass(frozen=True)
class Sheet:
    """aspect: width by height of the cloth; its maps' pixels are square on the cloth."""

    name: str
    albedo: Array
    normal: Array
    roughness: float
    fabric_class: str

    @property
    def aspect(self) -> float:
        return self.albedo.shape[1] / self.albedo.shape[0]


@dataclass(frozen=True)
class Photo:
    """file: a JPEG with EXIF. pixels: uint8 RGB. to_sheet: 3×3 from them to the sheet's pixels."""

    file: bytes
    pixels: Array
    to_sheet: Array
    tilt: float


def make_sheet(name: str, seed: int) -> Sheet:
    """`name`: one of `KINDS`, or of the measured `CLOTH`. Its shape is drawn from the seed."""
    rng = np.random.default_rng([seed, 77])
    rows, columns = (SHEET, SHEET) if seed % 2 else (int(SHEET * rng.uniform(0.62, 1)), SHEET)
    if seed % 4 == 2:
        rows, columns = columns, rows
    if name in CLOTH:
        material = measured(name)
        side = int(rng.uniform(0.45, 0.7) * len(material.albedo))
        albedo, normal = (
            np.tile(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA), (4, 4, 1))[:rows, :columns]
            for part in (material.albedo, material.normal)
        )
        normal = normal / np.linalg.norm(normal, axis=2, keepdims=True)
        kinds = {"felt": "felt", "leather": "leather", "carbon_fiber": "nylon"}
        return Sheet(name, albedo, normal, material.roughness, kinds.get(name, "cloth"))
    surface: Surface = make_surface(name, seed, SHEET)
    cut = np.s_[:rows, :columns]
    return Sheet(name, surface.albedo[cut], surface.normal[cut], surface.roughness, surface.fabric_class)


def photograph(sheet: Sheet, light: str, seed: int) -> Photo:
    """The sheet on a table. Camera and table depend on the seed alone, not on the light."""
    rng = np.random.default_rng([seed, 5])
    focal_35 = float(rng.choice([23, 26, 28, 35, 52]))
    to_photo, tilt = camera_over(rng, sheet, focal_35)
    lit = lit_sheet(sheet, rng)
    key, sky, mask = drawn_on_photo(lit, sheet, to_photo)
    table = table_top(rng, seed)
    key_field, sky_field = light_fields(rng, light, to_photo, sheet)
    near = 1 - 0.4 * cv2.GaussianBlur(np.roll(mask, (4, 3), (0, 1)), (0, 0), 4)[..., None]
    on_table = table * (0.75 * key_field + 0.25 * sky_field) * near
    linear = key * key_field + sky * sky_field + on_table * (1 - mask[..., None])
    pixels = developed(linear, rng)
    return Photo(_jpeg(pixels, focal_35 if seed % 3 else None), pixels, np.linalg.inv(to_photo), tilt)


def developed(linear: Array, rng: np.random.Generator) -> Array:
    """Light on the sensor → (H, W, 3) uint8, with the lens' blur and the sensor's noise."""
    linear = cv2.GaussianBlur(linear.astype(np.float32), (0, 0), 0.6)
    linear += rng.normal(0, 1, linear.shape) * (0.002 + 0.01 * np.sqrt(np.clip(linear, 0, 1))) * 0.4
    return linear_to_srgb(np.clip(linear, 0, 1).astype(np.float32))


def focal_pixels(focal_35: float) -> float:
    """The focal length in pixels of `PHOTO`. focal_35: in mm, as on 35 mm film."""
    return focal_35 / 43.27 * float(np.hypot(*PHOTO))


def drawn_on_photo(lit: tuple[Array, Array], sheet: Sheet, to_photo: Array) -> tuple[Array, Array, Array]:
    """The sheet's two lit maps and its mask as the camera sees them."""
    rows, columns = sheet.albedo.shape[:2]
    corners = cv2.perspectiveTransform(
        np.array([[[0, 0], [columns, 0], [columns, rows], [0, rows]]], np.float64), to_photo
    )[0]
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 8, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 8, PHOTO[::-1])
    finer = np.diag([_FINER, _FINER, 1.0]) @ np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ to_photo
    size = int(right - left) * _FINER, int(bottom - top) * _FINER
    pictures = []
    for part in (*lit, np.ones((rows, columns), np.float32)):
        drawn = cv2.warpPerspective(part, finer, size, flags=cv2.INTER_LINEAR)
        picture = np.zeros((*PHOTO, *part.shape[2:]), np.float32)
        picture[top:bottom, left:right] = cv2.resize(
            drawn, (int(right - left), int(bottom - top)), interpolation=cv2.INTER_AREA
        )
        pictures.append(picture)
    return pictures[0], pictures[1], pictures[2]


def camera_over(
    rng: np.random.Generator, sheet: Sheet, focal_35: float, tilts: tuple[float, float] = (12, 38)
) -> tuple[Array, float]:
    """3×3 from the sheet's pixels to the photo's, and the tilt in degrees."""
    height, width = PHOTO
    focal = focal_pixels(focal_35)
    rows, columns = sheet.albedo.shape[:2]
    tilt = rng.uniform(*tilts)
    for attempt in range(60):
        azimuth, roll = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-25, 25))
        axis = np.array([np.cos(azimuth), np.sin(azimuth), 0]) * np.radians(tilt)
        turn = cv2.Rodrigues(axis)[0] @ cv2.Rodrigues(np.array([0, 0, roll]))[0]
        distance = focal * max(rows, columns) / (0.78 - 0.005 * attempt) / height
        centre = np.array([rng.uniform(-0.05, 0.05) * width, rng.uniform(-0.04, 0.04) * height])
        middle = np.array([[1, 0, -columns / 2], [0, 1, -rows / 2], [0, 0, 1]])
        plane = np.column_stack([turn[:, 0], turn[:, 1], [0, 0, distance]]) @ middle
        inner = np.array([[focal, 0, width / 2 + centre[0]], [0, focal, height / 2 + centre[1]], [0, 0, 1]])
        matrix = inner @ plane
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float64)
        seen = cv2.perspectiveTransform(corners[None], matrix)[0]
        if (seen > 25).all() and (seen < np.array([width, height]) - 25).all():
            break
    return matrix, tilt


def lit_sheet(sheet: Sheet, rng: np.random.Generator) -> tuple[Array, Array]:
    """The sheet under the key light alone and under the sky alone, so that flat white is 0.75 and 0.25."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(38, 68))
    light = np.array(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
    )
    facing = np.clip(sheet.normal @ light, 0, None) / light[2]
    half = light + np.array([0, 0, 1])
    half = half / np.linalg.norm(half)
    alpha = sheet.roughness**2
    aligned = np.clip(sheet.normal @ half, 0, 1)
    lobe = alpha**2 / (aligned**2 * (alpha**2 - 1) + 1) ** 2 / 4
    key = 0.75 * (sheet.albedo * facing[..., None] + (0.04 * 0.5 * lobe * facing)[..., None])
    sky = 0.25 * sheet.albedo * ((1 + sheet.normal[..., 2]) / 2)[..., None]
    return key.astype(np.float32), sky.astype(np.float32)


def light_fields(rng: np.random.Generator, light: str, to_photo: Array, sheet: Sheet) -> tuple[Array, Array]:
    """The key light's and the sky's brightness over the photo, (H, W, 1 or 3), 1 where it is full."""
    height, width = PHOTO
    y, x = np.mgrid[-1 : 1 : 1j * height, -1 : 1 : 1j * width]
    slant, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.22)
    smooth = np.exp(strength * (np.cos(slant) * x + np.sin(slant) * y) - strength)
    smooth *= 1 - 0.12 * (x * x + y * y) / 2
    sky = np.ones((height, width, 1))
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.12, 0.12)
    blur, left = rng.uniform(2, 30), rng.uniform(0.05, 0.35)
    if light == "smooth":
        return smooth[..., None], sky
    rows, columns = sheet.albedo.shape[:2]
    middle = cv2.perspectiveTransform(np.array([[[columns / 2, rows / 2]]]), to_photo)[0, 0]
    py, px = np.mgrid[:height, :width]
    across = (px - middle[0]) * np.cos(angle) + (py - middle[1]) * np.sin(angle) - offset * height
    shade = left + (1 - left) / (1 + np.exp(-across / blur))
    tint = 1 + (1 - shade[..., None]) * np.array([-0.05, 0.0, 0.07])
    return (smooth * shade)[..., None], sky * tint


def table_top(rng: np.random.Generator, seed: int) -> Array:
    """Linear RGB (H, W, 3): wood, or a plain or speckled top."""
    height, width = PHOTO
    if seed % 3 == 0:
        tone = rng.uniform(0.04, 0.7) * rng.uniform(0.85, 1, 3)
        return tone * np.exp(0.06 * noise(rng, width, rng.uniform(2, 20)))[:height, :, None]
    folder = _package("threejs_materials") / "pbr_properties" / "_assets" / TABLES[seed % len(TABLES)]
    wood = cv2.cvtColor(cv2.imread(str(folder / "color.png")), cv2.COLOR_BGR2RGB)
    wood = np.tile(srgb_to_linear(wood), (3, 3, 1))
    top, left = rng.integers(0, 500, 2)
    return wood[top : top + height, left : left + width] * rng.uniform(0.6, 1.2)


def _jpeg(pixels: Array, focal_35: float | None) -> bytes:
    exif = Image.Exif()
    if focal_35:
        exif.get_ifd(0x8769)[0xA405] = int(focal_35)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=93, subsampling=0, exif=exif)
    return buffer.getvalue()


NAMES = (*CLOTH, *KINDS)
