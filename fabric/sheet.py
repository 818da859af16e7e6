"""A contact sheet: the maps, and the tile repeated 2×2 under several lamp positions."""

import cv2
import numpy as np

from fabric.light import linear_to_srgb, srgb_to_linear
from fabric.scanner import Scan

CELL = 384
LAMPS = ((-0.7, 0.5), (0.7, 0.5), (0.0, -0.8))  # (x, y) of each lamp, -1 to 1 from the middle
_LAMP_HEIGHT = 0.6  # low enough that positions differ visibly and relief casts shading


def contact_sheet(scan: Scan) -> np.ndarray:
    """The sheet (2 × CELL, 4 × CELL, 3) uint8 RGB.

    Upper row: diffuse, normal, roughness, height. Lower row: the lit 2×2 tiles and a sphere.
    """
    maps = {role: _decode(image.data) for role, image in scan.maps.items()}
    top = [_fit(maps[role]) for role in ("diffuse", "normal", "roughness_map", "height")]
    lit = [_fit(light_plane(maps, scan.roughness, lamp)) for lamp in LAMPS]
    return np.vstack([np.hstack(top), np.hstack([*lit, light_sphere(maps, scan.roughness)])])


def light_plane(maps: dict[str, np.ndarray], roughness: float, lamp: tuple[float, float]) -> np.ndarray:
    """The tile repeated 2×2 under a lamp: (2 × CELL, 2 × CELL, 3) uint8 RGB."""
    tiled = {}
    for name, image in maps.items():
        small = cv2.resize(image, (CELL, CELL), interpolation=cv2.INTER_AREA)
        tiled[name] = np.tile(small, (2, 2, 1)[: small.ndim])
    normal = tiled["normal"].astype(np.float32) / 127.5 - 1
    y, x = np.mgrid[1 : -1 : 2j * CELL, -1 : 1 : 2j * CELL]
    return _shade(
        tiled, normal, roughness, np.dstack([lamp[0] - x, lamp[1] - y, np.full_like(x, _LAMP_HEIGHT)])
    )


def light_sphere(maps: dict[str, np.ndarray], roughness: float, repeat: float = 1.0) -> np.ndarray:
    """A sphere covered with cloth, `repeat` tiles across, lit from the upper left: (CELL, CELL, 3) uint8."""
    side = len(maps["diffuse"])
    y, x = np.mgrid[1 : -1 : 1j * CELL * 2, -1 : 1 : 1j * CELL * 2]
    radius = np.hypot(x, y) / 0.94
    z = np.sqrt(np.clip(1 - radius**2, 0, 1))
    u = np.arctan2(x / 0.94, z) / np.pi * repeat * side
    v = -np.arcsin(np.clip(y / 0.94, -1, 1)) / np.pi * repeat * side
    rows, columns = v.astype(int) % side, u.astype(int) % side
    sampled = {name: image[rows, columns] for name, image in maps.items() if len(image) == side}
    normal = sampled["normal"].astype(np.float32) / 127.5 - 1
    # Tangent (along x), bitangent (up) and the sphere's own normal.
    outward = np.dstack([x / 0.94, y / 0.94, z])
    tangent = np.dstack([z, np.zeros_like(z), -x / 0.94])
    tangent /= np.maximum(np.linalg.norm(tangent, axis=2, keepdims=True), 1e-6)
    bitangent = np.cross(outward, tangent)
    world = normal[..., :1] * tangent + normal[..., 1:2] * bitangent + normal[..., 2:] * outward
    sphere = _shade(sampled, world, roughness, np.array([-0.6, 0.7, 0.8]))
    sphere[radius > 1] = 236
    return cv2.resize(sphere, (CELL, CELL), interpolation=cv2.INTER_AREA)


def _shade(
    maps: dict[str, np.ndarray], normal: np.ndarray, roughness: float, light: np.ndarray
) -> np.ndarray:
    """Lambert and GGX (Walter et al. 2007) under one light and a little sky light, seen from above.

    light: the direction towards it, (3,) or for each pixel (H, W, 3).
    """
    light = light / np.linalg.norm(light, axis=-1, keepdims=True)
    half = light + np.array([0, 0, 1])
    half = half / np.linalg.norm(half, axis=-1, keepdims=True)
    facing = np.clip((normal * light).sum(axis=-1), 0, 1)
    alpha = (maps["roughness_map"].astype(np.float32) / 255 * roughness) ** 2
    aligned = np.clip((normal * half).sum(axis=-1), 0, 1)
    lobe = alpha**2 / np.maximum(aligned**2 * (alpha**2 - 1) + 1, 1e-3) ** 2 / 4
    sky = 0.25 * maps["ao"].astype(np.float32) / 255
    colour = srgb_to_linear(maps["diffuse"])
    lit = colour * (0.95 * facing + sky)[..., None] + (0.04 * lobe * facing)[..., None]
    return linear_to_srgb(lit.astype(np.float32))


def _decode(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _fit(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image, (CELL, CELL), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
