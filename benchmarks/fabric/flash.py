"""Section on pairs with and without flash: do they tell more than one photo, on cloth of known surface?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.fabric import metrics
from benchmarks.fabric.flash_pairs import photograph_pair
from benchmarks.fabric.materials import CLOTH
from benchmarks.fabric.metrics import Measure
from benchmarks.fabric.photographed import seen_through, true_normals, unit_length, unrolled
from benchmarks.fabric.procedural import KINDS
from benchmarks.fabric.sheets import PHOTO, Sheet, make_sheet
from fabric import ScanOptions
from fabric.highlight import RELIEF
from fabric.material import FABRIC_CLASSES
from fabric.scanner import make_maps, make_tile
from fabric.tile import Tile

NAMES = (*KINDS, *CLOTH)
TUNED = ("plain", "twill", "satin", "fibres", "basket", "print")  # all others were held out
SIZE = 1024


@dataclass(frozen=True)
class Answer:
    """angle: mean degrees from the true normals. delta_e: to the true albedo. trust: of the pair."""

    angle: float
    delta_e: float
    trust: float | None


def flash(quick: bool, seed: int = 1) -> Iterator[Measure]:
    """Pairs with and without flash against one photo of the same sheet (last column) and a flat map."""
    gained, closer = [], []
    for number, name in enumerate(NAMES[:: 4 if quick else 1]):
        sheet = make_sheet(name, number + 100 * seed)
        one, pair, flat = compare(sheet, number + 100 * seed)
        note = "" if name in TUNED else " (held out)"
        trusted = "not used" if pair.trust is None else f"trust {pair.trust:.1f}"
        limit = 1.03 * max(one.angle, flat) + 0.2
        yield Measure(f"{name}{note}, {trusted}: angle (°)", pair.angle, 0, limit, one.angle)
        yield Measure(f"{name}{note}: ΔE76", pair.delta_e, 0, one.delta_e + 0.3, one.delta_e)
        gained.append(pair.angle / one.angle)
        closer.append(pair.angle / flat)
    yield Measure("angle of pairs / of one photo, mean", float(np.mean(gained)), 0, 0.9)
    yield Measure("angle of pairs / of a flat map, mean", float(np.mean(closer)), 0, 0.9)
    yield from roughness(quick, seed)


def roughness(quick: bool, seed: int) -> Iterator[Measure]:
    """The same sheets, each as rough as the seed draws it; the last column is the class's prior.

    A highlight is as wide as roughness and relief make it. Both count: an answer whose relief is too flat is
    to be rougher.
    """
    widths: list[tuple[float, float]] = []
    values: list[tuple[float, float]] = []
    for number, name in enumerate(NAMES[:: 4 if quick else 1]):
        rough = float(np.random.default_rng([seed, number, 3]).uniform(0.2, 0.6))
        sheet = replace(make_sheet(name, number + 100 * seed), roughness=rough)
        pair = photograph_pair(sheet, number + 100 * seed)
        options = ScanOptions(size=SIZE, fabric_class=sheet.fabric_class, roughness_strength=0)
        result = make_maps(make_tile(pair.plain.file, options, pair.flash), options)
        if result.quality["roughness_seen"] is None:
            continue
        prior = FABRIC_CLASSES[sheet.fabric_class].roughness
        normal = unit_length(metrics.decoded(result.normal.data) / 127.5 - 1)
        true_width = _width(rough, sheet.normal)
        mine, usual = (abs(_width(it, normal) - true_width) for it in (result.roughness, prior))
        yield Measure(f"{name}: highlight's width, error (α)", mine, 0, usual + 0.1, usual)
        widths.append((mine, usual))
        values.append((abs(result.roughness - rough), abs(prior - rough)))
    yield Measure("highlights seen", len(widths), 1, np.inf)
    if widths:
        mine, usual = np.mean(widths, axis=0)
        yield Measure("highlight's width, error (α), mean of those seen", mine, 0, 0.8 * usual, usual)
        mine, usual = np.mean(values, axis=0)
        yield Measure("roughness, error, mean of those seen", mine, 0, 1.0, usual)


def _width(rough: float, normal: np.ndarray) -> float:
    """α of the highlight of a cloth as a whole, from its roughness and its normals (N, N, 3)."""
    slopes = float((np.maximum(normal[..., 2], 0.2) ** -2.0 - 1).mean())
    return float(np.sqrt(rough**4 + RELIEF * slopes))


def compare(sheet: Sheet, seed: int) -> tuple[Answer, Answer, float]:
    """The answers from one photo and from the pair, and a flat map's angle."""
    pair = photograph_pair(sheet, seed)
    options = ScanOptions(size=SIZE, fabric_class=sheet.fabric_class)
    answers, flat = [], 0.0
    for second in (None, pair.flash):
        tile = make_tile(pair.plain.file, options, second)
        encoded = make_maps(tile, options).normal
        matrix = _to_sheet(tile, pair.plain.to_sheet)
        true_normal = true_normals(sheet, matrix, SIZE)
        normal = unit_length(unrolled(metrics.decoded(encoded.data) / 127.5 - 1, tile))
        inner = np.s_[SIZE // 8 :, SIZE // 8 :]
        albedo = unrolled(tile.albedo, tile)
        answers.append(
            Answer(
                metrics.angle(normal[inner], true_normal[inner]),
                metrics.delta_e(albedo[inner], seen_through(sheet.albedo, matrix, SIZE)[inner]),
                tile.slopes.trust if tile.slopes else None,
            )
        )
        flat = float(np.degrees(np.arccos(np.clip(true_normal[inner][..., 2], -1, 1))).mean())
    return answers[0], answers[1], flat


def _to_sheet(tile: Tile, to_sheet: np.ndarray) -> np.ndarray:
    """3×3 from the tile's pixels, before it was rolled, to the sheet's."""
    corner = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    found: np.ndarray = to_sheet @ corner @ np.diag([PHOTO[1], PHOTO[0], 1.0]) @ tile.to_photo
    return found
