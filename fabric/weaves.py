"""Generates photos of cloth, thread by thread: for the built-in fabrics, and with known periods for tests.

A weave's draft says which thread lies on top at each crossing (Glassner, "Digital Weaving", 2002).
Threads are half-ellipses that pass under one another and have twisted fibres. Each has its own thickness,
shade and displacement, so that the photo repeats as real cloth does: nearly.
"""

from dataclasses import dataclass

import cv2
import numpy as np

DRAFTS = {
    "plain": np.array([[1, 0], [0, 1]]),
    # Right-hand twills, whose lines rise to the right, as in most cloth.
    "twill": np.array([[1, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]]),
    "denim": np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]]),
    "satin": np.array([[1 if (c - 2 * r) % 5 else 0 for c in range(5)] for r in range(5)]),
    "herringbone": np.array(
        [[1 if ((c if c < 8 else 15 - c) + r) % 4 < 2 else 0 for c in range(16)] for r in range(4)]
    ),
    "basket": np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]),
}


@dataclass(frozen=True)
class Weave:
    """A woven cloth.

    draft: a name in `DRAFTS`, where 1 is warp (vertical) on top. pitch: distance of threads (x, y) in pixels.
    warp, weft: colours in linear RGB, (3,), or one for each thread of a stripe pattern (N, 3).
    irregular: 0 to 1, how much threads differ in shade, thickness and position. fuzz: 0 to 1, loose fibres.
    depth: contrast of the shading between thread tops and gaps, 0 to 1.
    """

    draft: str
    pitch: tuple[float, float]
    warp: np.ndarray
    weft: np.ndarray
    irregular: float = 0.3
    fuzz: float = 0.2
    depth: float = 0.6
    gloss: float = 0.0

    @property
    def period(self) -> tuple[float, float]:
        """The repeat of draft and stripes together, in pixels (x, y)."""
        rows, columns = DRAFTS[self.draft].shape
        columns = np.lcm(columns, len(np.atleast_2d(self.warp)))
        rows = np.lcm(rows, len(np.atleast_2d(self.weft)))
        return columns * self.pitch[0], rows * self.pitch[1]


def weave_cloth(weave: Weave, side: int, seed: int) -> np.ndarray:
    """A square of the cloth under even light: (side, side, 3) float32 linear RGB, 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    wander = 0.25 * weave.irregular
    u = x / weave.pitch[0] + wander * _noise(rng, side, weave.pitch[0] * 6)
    v = y / weave.pitch[1] + wander * _noise(rng, side, weave.pitch[1] * 6)
    column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    draft = DRAFTS[weave.draft]
    top = draft[row % draft.shape[0], column % draft.shape[1]] == 1

    across_warp, across_weft = u - column - 0.5, v - row - 0.5  # -0.5 to 0.5 across a thread
    warp_height = np.sqrt(np.clip(1 - (2.1 * across_warp) ** 2, 0, 1)) * np.where(top, 1.0, 0.35)
    weft_height = np.sqrt(np.clip(1 - (2.1 * across_weft) ** 2, 0, 1)) * np.where(top, 0.35, 1.0)
    # The ends of a float bend down: near the edge of a crossing, the crossing thread presses on it.
    warp_height *= 1 - 0.35 * _float_end(draft, row, column, across_weft, axis=0, top=top)
    weft_height *= 1 - 0.35 * _float_end(draft, row, column, across_warp, axis=1, top=~top)
    warp_up = warp_height > weft_height
    height = np.maximum(warp_height, weft_height)

    shade = 0.16 * weave.irregular
    count = int(side / min(weave.pitch)) + 8
    warp_shade = np.exp(shade * rng.standard_normal(count))[column % count]
    weft_shade = np.exp(shade * rng.standard_normal(count))[row % count]
    # Fibres run along their thread, slightly twisted.
    warp_fibre = _streaks(rng, side, 1.0, weave.pitch[1] * 1.5)
    weft_fibre = _streaks(rng, side, weave.pitch[0] * 1.5, 1.0)
    fibre = np.where(warp_up, warp_fibre, weft_fibre)

    warps, wefts = np.atleast_2d(weave.warp), np.atleast_2d(weave.weft)
    colour = np.where(
        warp_up[..., None],
        warps[column % len(warps)] * warp_shade[..., None],
        wefts[row % len(wefts)] * weft_shade[..., None],
    )
    light = 1 - weave.depth * (1 - height) + 0.12 * weave.depth * fibre
    light += weave.gloss * height**6
    colour = colour * np.clip(light, 0.03, 2)[..., None]
    return fuzzed(colour.astype(np.float32), weave.fuzz, rng)


def fuzzed(colour: np.ndarray, fuzz: float, rng: np.random.Generator) -> np.ndarray:
    """`colour` with a nap of short loose fibres; `fuzz` is 0 to 1."""
    side = len(colour)
    hairs = np.zeros((side, side), np.float32)
    for angle in rng.uniform(0, np.pi, 6):
        hairs += np.clip(_streaks(rng, side, 1.0, 14.0, angle) - 0.9, 0, None)
    soft = cv2.GaussianBlur(colour, (0, 0), 0.5 + 1.5 * fuzz)
    napped = colour + (soft - colour) * min(1.0, fuzz * 1.2)
    mean = colour.mean(axis=(0, 1))
    napped = napped * (1 + 0.06 * fuzz * _streaks(rng, side, 1.6, 1.6))[..., None]
    napped = cv2.GaussianBlur(napped + fuzz * 0.5 * mean * hairs[..., None], (0, 0), 0.7)  # the lens
    return np.clip(napped, 0, 1).astype(np.float32)


def ribs(side: int, period: float, colour: np.ndarray, seed: int) -> np.ndarray:
    """Corduroy: vertical wales of cut pile, `period` pixels apart; (side, side, 3) linear RGB."""
    rng = np.random.default_rng(seed)
    x = np.mgrid[:side, :side][1].astype(np.float32) + period * 0.06 * _noise(rng, side, period * 3)
    height = np.abs(np.sin(np.pi * x / period)) ** 0.7
    pile = _streaks(rng, side, 2.0, 5.0)
    light = 0.25 + 0.75 * height + 0.16 * pile * (0.4 + height)
    cloth = (colour * np.clip(light, 0.05, 2)[..., None]).astype(np.float32)
    return fuzzed(cloth, 0.5, rng)


def leather(side: int, cell: float, colour: np.ndarray, seed: int) -> np.ndarray:
    """Leather grain: domed Worley cells (1996), about `cell` pixels wide, with creases; linear RGB."""
    rng = np.random.default_rng(seed)
    seeds = np.full((side, side), 255, np.uint8)
    grid = np.mgrid[cell / 2 : side : cell, cell / 2 : side : cell]
    rows, columns = (grid + rng.uniform(-0.5, 0.5, grid.shape) * cell).astype(int).clip(0, side - 1)
    seeds[rows, columns] = 0
    _, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    edges = (cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0).astype(
        np.uint8
    )
    crease = cv2.distanceTransform(1 - edges, cv2.DIST_L2, 5) / cell
    dome = 1 - np.exp(-((crease / 0.2) ** 2))
    pores = np.clip(_noise(rng, side, 2.0) - 1.6, 0, 1)
    light = (
        0.42 + 0.5 * cv2.GaussianBlur(dome, (0, 0), 1.2) + 0.07 * _noise(rng, side, cell * 2) - 0.3 * pores
    )
    light += 0.05 * _noise(rng, side, 1.5) + 0.25 * np.clip(dome - 0.6, 0, 1) * (label * 7919 % 97 / 97)
    return (colour * np.clip(light, 0.05, 2)[..., None]).astype(np.float32)


def nap(side: int, colour: np.ndarray, seed: int, length: float = 9.0) -> np.ndarray:
    """Suede: a short brushed pile with finger marks and without threads; linear RGB."""
    rng = np.random.default_rng(seed)
    light = 1 + 0.10 * _streaks(rng, side, 1.2, length, 0.9) + 0.08 * _noise(rng, side, 2.5)
    light += 0.05 * _noise(rng, side, 9) + 0.035 * _noise(rng, side, 45)
    return fuzzed((colour * np.clip(light, 0.05, 2)[..., None]).astype(np.float32), 0.35, rng)


def _float_end(
    draft: np.ndarray, row: np.ndarray, column: np.ndarray, along: np.ndarray, axis: int, top: np.ndarray
) -> np.ndarray:
    """Nearness to the end of a float, where its thread passes under another: 1 at the end, else down to 0."""
    rows, columns = draft.shape
    step = np.sign(along).astype(np.int32)
    other = draft[(row + (step if axis == 0 else 0)) % rows, (column + (step if axis == 1 else 0)) % columns]
    here = draft[row % rows, column % columns]
    return np.where(top & (other != here), (2 * np.abs(along)) ** 3, 0)


def _noise(rng: np.random.Generator, side: int, scale: float) -> np.ndarray:
    """Gaussian noise with a standard deviation of 1 and features about `scale` pixels wide."""
    cells = max(4, round(side / max(scale, 1)))
    coarse = rng.standard_normal((min(cells, side),) * 2).astype(np.float32)
    fine = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return fine / fine.std()


def _streaks(
    rng: np.random.Generator, side: int, across: float, along: float, angle: float = 0.0
) -> np.ndarray:
    """Noise stretched vertically, or rotated by `angle` radians; its standard deviation is 1."""
    wide = int(side * 1.5) if angle else side
    noise = rng.standard_normal((wide, wide)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=max(across * 0.5, 0.3), sigmaY=max(along * 0.5, 0.3))
    if angle:
        turn = cv2.getRotationMatrix2D((wide / 2, wide / 2), np.degrees(angle), 1)
        turn[:, 2] -= (wide - side) / 2
        noise = cv2.warpAffine(noise, turn, (side, side))
    return noise / noise.std()
