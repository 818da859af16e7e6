"""Procedural cloth whose height and albedo are known: yarns, loops, grain, fibres, and ink without relief.

Every surface is drawn anew from a seed: pitch, depth, colours, irregularity. `KINDS` lists the families;
those in `HELD_OUT` did not decide the scanner's values, though their figures were seen for seeds 1 and 2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from fabric.weaves import DRAFTS

HELD_OUT = ("knit", "basket", "ribs", "print")

Rng = np.random.Generator
Array = np.ndarray


@dataclass(frozen=True)
class Surface:
    """height: (N, N) in pixels. albedo: (N, N, 3) linear RGB. roughness: mean. fabric_class: for the scan."""

    name: str
    height: Array
    albedo: Array
    roughness: float = 0.8
    fabric_class: str = "cloth"

    @property
    def normal(self) -> Array:
        """Unit normals (N, N, 3), OpenGL."""
        dy, dx = np.gradient(self.height)
        normal = np.dstack([-dx, dy, np.ones_like(dx)])
        return normal / np.linalg.norm(normal, axis=2, keepdims=True)


def noise(rng: Rng, side: int, scale: float, scale_y: float | None = None) -> Array:
    """Gaussian noise of deviation 1 with features about `scale` pixels wide."""
    field = rng.standard_normal((side, side)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), sigmaX=scale / 2, sigmaY=(scale_y or scale) / 2)
    return field / field.std()


def _yarn_colours(rng: Rng, contrast: float) -> tuple[Array, Array]:
    base = rng.uniform(0.05, 0.7) * rng.uniform(0.75, 1.0, 3)
    return base, np.clip(base * np.exp(contrast * rng.normal()), 0.02, 0.85)


def _woven(draft: str, fabric_class: str, contrast: float, depth: tuple[float, float]) -> Callable:
    def make(rng: Rng, side: int) -> Surface:
        pitch = rng.uniform(9, 15)
        draft_map = DRAFTS[draft]
        y, x = np.mgrid[:side, :side].astype(np.float32)
        u = x / pitch + 0.10 * noise(rng, side, 5 * pitch)
        v = y / pitch + 0.10 * noise(rng, side, 5 * pitch)
        column, row = np.floor(u).astype(int), np.floor(v).astype(int)
        warp_on_top = draft_map[row % len(draft_map), column % draft_map.shape[1]] == 1
        rise = cv2.GaussianBlur(np.where(warp_on_top, 1.0, -1.0).astype(np.float32), (0, 0), 0.22 * pitch)
        warp = np.sqrt(np.clip(1 - (2.05 * (u - column - 0.5)) ** 2, 0, 1)) + 0.8 * rise
        weft = np.sqrt(np.clip(1 - (2.05 * (v - row - 0.5)) ** 2, 0, 1)) - 0.8 * rise
        up = warp > weft
        twist = np.where(up, np.sin(2.2 * (x + 0.6 * y)), np.sin(2.2 * (y + 0.6 * x)))
        height = np.maximum(np.maximum(warp, weft), -0.2) + 0.03 * twist
        height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 0.8)
        one, other = _yarn_colours(rng, contrast)
        shades = np.exp(0.06 * rng.standard_normal((2, side)))
        albedo = np.where(
            up[..., None],
            one * shades[0][column][..., None],
            other * shades[1][row][..., None],
        )
        albedo = albedo * np.exp(0.05 * noise(rng, side, 1.5))[..., None]
        albedo = cv2.GaussianBlur(albedo.astype(np.float32), (0, 0), 0.7)
        scale = rng.uniform(*depth) / _slope(height)
        return Surface(draft, height * scale, albedo, 0.8, fabric_class)

    return make


def _knit(rng: Rng, side: int) -> Surface:
    wide, high = rng.uniform(16, 26), rng.uniform(12, 18)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    u = x / wide + 0.05 * noise(rng, side, 80)
    v = y / high + 0.05 * noise(rng, side, 80)
    across = np.abs(u - np.floor(u) - 0.5)  # 0 in the middle of a wale
    lean = v + 1.3 * across  # the legs of a V
    leg = np.sqrt(np.clip(1 - (2 * (lean - np.floor(lean)) - 1) ** 2 * 0.95, 0, 1))
    body = np.sqrt(np.clip(1 - (4 * across - 1) ** 2 * 0.9, 0, 1))
    height = cv2.GaussianBlur((leg * 0.6 + body).astype(np.float32), (0, 0), 1.2)
    colour = _yarn_colours(rng, 0)[0]
    albedo = colour * np.exp(0.06 * noise(rng, side, 2.0))[..., None]
    height = height * (rng.uniform(0.25, 0.45) / _slope(height))
    return Surface("knit", height, albedo.astype(np.float32), 0.85, "knit")


def _grain(rng: Rng, side: int) -> Surface:
    cell = rng.uniform(18, 34)
    grid = np.mgrid[cell / 2 : side : cell, cell / 2 : side : cell]
    rows, columns = (grid + rng.uniform(-0.5, 0.5, grid.shape) * cell).astype(int).clip(0, side - 1)
    seeds = np.full((side, side), 255, np.uint8)
    seeds[rows, columns] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    edges = cv2.morphologyEx(labels.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    crease = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5) / cell
    height = cv2.GaussianBlur((1 - np.exp(-((crease / 0.18) ** 2))).astype(np.float32), (0, 0), 1.5)
    height += 0.04 * noise(rng, side, 3)
    colour = _yarn_colours(rng, 0)[0]
    stain = np.exp(
        0.10 * noise(rng, side, cell) + 0.04 * noise(rng, side, 2) + 0.12 * (height - height.mean())
    )
    height = height * (rng.uniform(0.04, 0.14) / _slope(height))
    return Surface("grain", height, (colour * stain[..., None]).astype(np.float32), 0.5, "leather")


def _fibres(rng: Rng, side: int) -> Surface:
    height = np.zeros((side, side), np.float32)
    for angle in rng.uniform(0, 180, 10):
        wide = noise(rng, int(side * 1.5), 2.2, rng.uniform(14, 40))
        turn = cv2.getRotationMatrix2D((side * 0.75, side * 0.75), angle, 1)
        turn[:, 2] -= side / 4
        height = np.maximum(height, cv2.warpAffine(wide, turn, (side, side)))
    colour = _yarn_colours(rng, 0)[0]
    albedo = colour * np.exp(0.10 * noise(rng, side, 4) + 0.04 * (height - height.mean()))[..., None]
    height = height * (rng.uniform(0.12, 0.25) / _slope(height))
    return Surface("fibres", height, albedo.astype(np.float32), 0.85, "felt")


def _ribs(rng: Rng, side: int) -> Surface:
    period = rng.uniform(22, 40)
    x = np.mgrid[:side, :side][1].astype(np.float32) + 0.05 * period * noise(rng, side, 4 * period)
    height = np.abs(np.sin(np.pi * x / period)) ** 0.8 + 0.06 * noise(rng, side, 2.5)
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.0)
    albedo = _yarn_colours(rng, 0)[0] * np.exp(0.07 * noise(rng, side, 2.5))[..., None]
    height = height * (rng.uniform(0.2, 0.4) / _slope(height))
    return Surface("ribs", height, albedo.astype(np.float32), 0.85, "corduroy")


def _print(rng: Rng, side: int) -> Surface:
    """Dark ink on a fine weave: the ink is no hollow."""
    ground = _woven("plain", "cotton", 0.05, (0.08, 0.16))(rng, side)
    pitch = rng.uniform(90, 150)
    y, x = np.mgrid[:side, :side].astype(np.float32) / pitch
    shift = 0.5 * (np.floor(y) % 2)
    distance = np.hypot((x + shift) % 1 - 0.5, y % 1 - 0.5) * pitch
    ink = np.clip((pitch * rng.uniform(0.18, 0.3) - distance) / 2 + 0.5, 0, 1)[..., None]
    cloth = rng.uniform(0.45, 0.75) * rng.uniform(0.85, 1, 3)
    weave = ground.albedo / ground.albedo.mean(axis=(0, 1))
    albedo = weave * (cloth * (1 - ink) + rng.uniform(0.03, 0.2, 3) * ink)
    return Surface("print", ground.height, albedo.astype(np.float32), 0.8, "cotton")


def _slope(height: Array) -> float:
    dy, dx = np.gradient(height)
    return float(np.sqrt((dx**2 + dy**2).mean()))


KINDS: dict[str, Callable[[Rng, int], Surface]] = {
    "plain": _woven("plain", "cotton", 0.25, (0.12, 0.35)),
    "twill": _woven("twill", "wool", 0.5, (0.12, 0.35)),
    "satin": _woven("satin", "satin", 0.15, (0.05, 0.15)),
    "grain": _grain,
    "fibres": _fibres,
    "basket": _woven("basket", "nylon", 0.2, (0.12, 0.3)),
    "knit": _knit,
    "ribs": _ribs,
    "print": _print,
}


def make_surface(kind: str, seed: int, side: int) -> Surface:
    """`kind` is a key of `KINDS`."""
    return KINDS[kind](np.random.default_rng([seed, sum(kind.encode())]), side)
