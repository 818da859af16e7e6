"""Section on photographed sheets: shape, colour, detail, relief and seams against the sheets' known surface.

Every table, camera, shadow and swatch follows from the seed: `--seed` draws all of them anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.fabric import metrics
from benchmarks.fabric.materials import CLOTH
from benchmarks.fabric.metrics import Measure
from benchmarks.fabric.procedural import HELD_OUT, KINDS
from benchmarks.fabric.sheets import LIGHTS, Photo, Sheet, make_sheet, photograph
from fabric import ScanOptions
from fabric.light import srgb_to_linear
from fabric.scanner import make_maps, make_tile
from fabric.tile import Tile

NAMES = (*CLOTH, *KINDS)
SIZE = 1024
_DARKEST = 0.002  # of white: about the smallest steps of eight bits in the dark

Array = np.ndarray


@dataclass(frozen=True)
class Figures:
    """Of one photo. angle, flat: mean degrees from the true normals, of the scan's and of a flat map.
    delta_e: to the true albedo, after one factor for the exposure. level: the logarithm of that factor.
    corner: the largest deviation of the tile's corners from a right angle on the cloth, degrees. aspect: the
    tile's sides on the cloth, divided by the aspect that the scan tells. inside: share of the tile that is
    cloth. contrast: the tile's detail divided by the photo's. wrap: steps across the border by those inside.
    """

    name: str
    light: str
    inside: float
    corner: float
    aspect: float
    delta_e: float
    level: float
    contrast: float
    of_truth: float
    wrap: float
    angle: float
    flat: float
    likeness: float


def photographed(quick: bool, seed: int = 1) -> Iterator[Measure]:
    """Sheets at an angle on a table, in smooth light and half in shadow."""
    names = NAMES[:: 4 if quick else 1]
    found: list[Figures] = []
    for number, name in enumerate(names):
        number += seed * 100
        sheet = make_sheet(name, number)
        found += [measure(sheet, photograph(sheet, light, number), light) for light in LIGHTS]
    yield from rows(found)


def rows(found: list[Figures]) -> Iterator[Measure]:
    """The table of each material, then the worst of each column with its range."""
    for one in found:
        note = " (held out)" if one.name in HELD_OUT else ""
        limit = max(1.02 * one.flat, one.flat + 0.2)  # a flat map in a JPEG is not quite flat
        yield Measure(f"{one.name}{note}, {one.light}: angle, flat's", one.angle, 0, limit, one.flat)
    beaten = [one.angle < one.flat for one in found]
    yield Measure("normals nearer to the truth than a flat map's, share", float(np.mean(beaten)), 0.5, 1)
    for light in LIGHTS:
        of_light = [one for one in found if one.light == light]
        yield Measure(f"{light}: cloth in the tile, least", min(one.inside for one in of_light), 0.999, 1)
        yield Measure(f"{light}: corner error, worst (°)", max(one.corner for one in of_light), 0, 2)
        ratios = [max(one.aspect, 1 / one.aspect) for one in of_light]
        yield Measure(f"{light}: side ratio, worst", max(ratios), 1, 1.05)
        yield Measure(f"{light}: side ratio, mean", float(np.mean(ratios)), 1, 1.02)
        yield Measure(f"{light}: ΔE76 to the true albedo, worst", max(one.delta_e for one in of_light), 0, 4)
        yield Measure(f"{light}: ΔE76, mean", float(np.mean([one.delta_e for one in of_light])), 0, 1.6)
        contrasts = [one.contrast for one in of_light]
        yield Measure(f"{light}: contrast / the photo's, least", min(contrasts), 0.95, 1.4)
        yield Measure(f"{light}: contrast / the photo's, most", max(contrasts), 0.95, 1.4)
        wraps = [one.wrap for one in of_light]
        yield Measure(f"{light}: step over the border / inside, least", min(wraps), 0.5, 1.25)
        yield Measure(f"{light}: step over the border / inside, most", max(wraps), 0.5, 1.25)
    levels = {one.name: one.level for one in found if one.light == LIGHTS[0]}
    apart = [abs(one.level - levels[one.name]) for one in found if one.light == LIGHTS[1]]
    yield Measure("brightness in two lights, worst (%)", 100 * max(apart), 0, 8)


def measure(sheet: Sheet, photo: Photo, light: str, size: int = SIZE) -> Figures:
    """Scan the photo and compare the tile with what the sheet is there."""
    options = ScanOptions(size=size, fabric_class=sheet.fabric_class)
    tile = make_tile(photo.file, options)
    scan = make_maps(tile, options)
    fractions = np.diag([photo.pixels.shape[1], photo.pixels.shape[0], 1.0])
    tile_to_photo = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ fractions @ tile.to_photo
    tile_to_sheet = photo.to_sheet @ tile_to_photo
    corner, sides = _shape(tile_to_sheet, size)
    mine = unrolled(tile.albedo, tile)
    normal = unrolled(metrics.decoded(scan.normal.data) / 127.5 - 1, tile)
    truth = seen_through(sheet.albedo, tile_to_sheet, size)
    true_normal = true_normals(sheet, tile_to_sheet, size)
    of_photo = cv2.warpPerspective(
        photo.pixels, tile_to_photo, (size, size), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )
    # Beyond the overlap every pixel of the tile comes from where `to_photo` says.
    inner = np.s_[size // 8 :, size // 8 :]
    return Figures(
        sheet.name,
        light,
        _inside(sheet, tile_to_sheet, size),
        corner,
        sides / tile.frame.aspect,
        metrics.delta_e(mine[inner], truth[inner]),
        float(np.log(np.median(mine[inner].mean(axis=2)) / np.median(truth[inner].mean(axis=2)))),
        _detail(mine[inner]) / _detail(srgb_to_linear(of_photo)[inner]),
        _detail(mine[inner]) / _detail(truth[inner]),
        metrics.wrap_ratio(metrics.decoded(scan.diffuse.data)),
        metrics.angle(unit_length(normal)[inner], true_normal[inner]),
        float(np.degrees(np.arccos(np.clip(true_normal[inner][..., 2], -1, 1))).mean()),
        metrics.likeness(unit_length(normal)[inner], true_normal[inner]),
    )


def _shape(matrix: Array, size: int) -> tuple[float, float]:
    """The tile on the sheet: the worst corner's deviation from 90°, and width by height."""
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float64) - 0.5
    points = cv2.perspectiveTransform(corners[None], matrix)[0]
    sides = np.roll(points, -1, axis=0) - points
    lengths = np.linalg.norm(sides, axis=1)
    following = np.roll(sides, -1, axis=0)
    cosines = (sides * following).sum(axis=1) / (lengths * np.roll(lengths, -1))
    return float(np.degrees(np.abs(np.arcsin(cosines))).max()), float(
        (lengths[0] + lengths[2]) / (lengths[1] + lengths[3])
    )


def _inside(sheet: Sheet, matrix: Array, size: int) -> float:
    grid = np.stack(np.meshgrid(*[np.linspace(0, size, 40)] * 2), axis=-1).reshape(1, -1, 2)
    points = cv2.perspectiveTransform(grid, matrix)[0]
    limit = np.array(sheet.albedo.shape[1::-1])
    return float(((points > 0) & (points < limit)).all(axis=1).mean())


def seen_through(part: Array, matrix: Array, size: int) -> Array:
    """A map of the sheet as the tile would see it, with an area's mean for each pixel."""
    finer = matrix @ np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    wide = cv2.warpPerspective(part.astype(np.float32), finer, (2 * size,) * 2, flags=flags)
    return cv2.resize(wide, (size, size), interpolation=cv2.INTER_AREA)


def true_normals(sheet: Sheet, matrix: Array, size: int) -> Array:
    """The sheet's normals in the tile's own directions, blurred to what the camera resolves."""
    normal = seen_through(sheet.normal, matrix, size)
    centre = np.array([size / 2, size / 2, 1.0])
    across = matrix @ (centre + np.array([1, 0, 0]))
    here = matrix @ centre
    step = across[:2] / across[2] - here[:2] / here[2]
    turn = np.arctan2(step[1], step[0])
    x, y = normal[..., 0], -normal[..., 1]  # of the image: y down
    turned = np.dstack(
        [np.cos(turn) * x + np.sin(turn) * y, np.sin(turn) * x - np.cos(turn) * y, normal[..., 2]]
    )
    return unit_length(turned)


def unrolled(image: Array, tile: Tile) -> Array:
    return np.roll(image, tile.begin, (0, 1))


def unit_length(normal: Array) -> Array:
    unit: Array = normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-6)
    return unit


def _detail(linear: Array) -> float:
    """Local contrast: deviation of the logarithm of light from its blur, without outliers.

    Of light, and not of its sRGB code, whose contrast a shadow alone makes higher.
    """
    grey = np.log(cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY) + np.float32(_DARKEST))
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 8)
    return float(np.percentile(np.abs(detail), 68))
