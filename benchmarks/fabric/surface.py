"""Sections on the maps: are colour, seams and normals right?"""

import statistics
from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks.baseline import fabric as baseline
from benchmarks.fabric import metrics
from benchmarks.fabric.materials import CLOTH, grey_square, jpeg, lights, measured, texture, woven
from benchmarks.fabric.metrics import Measure
from fabric import ScanOptions, relief, scan
from fabric.builtin import RECIPES
from fabric.even import evened
from fabric.light import flatness, flatten, linear_to_srgb, srgb_to_linear
from fabric.scanner import LIGHT_SIGMA, make_tile
from fabric.tile import Tile


def light(quick: bool) -> Iterator[Measure]:
    """Ground-truth albedo under five lights."""
    errors, contrasts, flats, old_errors, spread = [], [], [], [], []
    for name in CLOTH[:2] if quick else (*CLOTH, "tiles"):
        truth = measured(name).albedo
        albedos = []
        for field in lights(len(truth)).values():
            photo = linear_to_srgb(truth * field)
            linear = srgb_to_linear(photo)
            albedo = evened(linear, flatten(linear, LIGHT_SIGMA), contrast=1.0)
            albedos.append(albedo)
            errors.append(metrics.delta_e(albedo, truth))
            contrasts.append(metrics.contrast_ratio(albedo, truth))
            if name != "carbon_fiber":  # its own pattern is coarser than the 8×8 grid
                flats.append(flatness(albedo))
            old = baseline.normalise_light(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
            old_errors.append(metrics.delta_e(srgb_to_linear(cv2.cvtColor(old, cv2.COLOR_BGR2RGB)), truth))
        spread += [metrics.delta_e(albedo, albedos[0]) for albedo in albedos[1:]]
    yield Measure(
        "ΔE76 to the true albedo, mean", statistics.mean(errors), 0, 1.6, statistics.mean(old_errors)
    )
    yield Measure("ΔE76 to the true albedo, worst", max(errors), 0, 1.6, max(old_errors))
    yield Measure("ΔE76 of one cloth under five lights, worst", max(spread), 0, 1.6)
    yield Measure("local contrast, lowest", min(contrasts), 0.95, 1.05)
    yield Measure("local contrast, highest", max(contrasts), 0.95, 1.05)
    yield Measure("flatness (8×8 deviation / mean), worst", max(flats), 0, 0.05)


def seams(quick: bool) -> Iterator[Measure]:
    """Tiles of measured, photographed and generated cloth."""
    photos = {name: jpeg(np.tile(measured(name).albedo, (2, 2, 1))[:1400, :1400]) for name in CLOTH}
    photos |= {
        name: cv2.imencode(".png", texture(name))[1].tobytes() for name in ("brick", "grass", "gravel")
    }
    names = list(RECIPES)[: 3 if quick else len(RECIPES)]
    photos |= {name: jpeg(srgb_to_linear(woven(name))) for name in names}
    wraps, steps, bands, old_wraps = [], [], [], []
    for photo in photos.values():
        tile = make_tile(photo, ScanOptions())
        code = linear_to_srgb(tile.albedo)
        wraps.append(metrics.wrap_ratio(code))
        steps.append(metrics.cut_step(code, tile.cut))
        bands.append(metrics.band_contrast(tile.albedo, tile.cut, _half_way(tile)))
        image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        old = baseline.make_tileable(baseline.crop(baseline.normalise_light(image)))
        old_wraps.append(metrics.wrap_ratio(old))
    yield Measure("step over the border / inside, lowest", min(wraps), 0.5, 1.25, min(old_wraps))
    yield Measure("step over the border / inside, highest", max(wraps), 0.5, 1.25, max(old_wraps))
    yield Measure("step at the cut / 95th percentile, worst", max(steps), 0.05, 1.0)
    yield Measure("contrast about the cut, lowest", min(bands), 0.9, 1.1)
    yield Measure("contrast about the cut, highest", max(bands), 0.9, 1.1)


def normals(quick: bool) -> Iterator[Measure]:
    """Against measured normals, and a dome's."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    dome = (40 * np.sqrt(np.clip(1 - (x * x + y * y) / 0.5, 0, 1))).astype(np.float32)
    normal = relief.normal_map(dome)
    right = np.clip(normal @ np.array([0.7, 0.0, 0.7]), 0, 1)
    up = np.clip(normal @ np.array([0.0, 0.7, 0.7]), 0, 1)
    yield Measure(
        "dome lit from the right: right half / left half",
        right[:, 128:].mean() / right[:, :128].mean(),
        1.1,
        9,
    )
    yield Measure("dome lit from above: upper half / lower half", up[:128].mean() / up[128:].mean(), 1.1, 9)
    for name, fabric_class, likeness in (
        ("fabric_weave", "cloth", 0.4),
        ("felt", "felt", 0.4),
        ("tiles", "cloth", 0.2),  # no cloth: their glaze is flat, whatever is painted on it
        ("rocks", "cloth", 0.2),
    ):
        material = measured(name)
        code = grey_square(linear_to_srgb(material.albedo))
        old = baseline.normal_map(code)[..., ::-1] / 127.5 - 1
        old /= np.linalg.norm(old, axis=2, keepdims=True)
        signs = (old, old * [1, -1, 1])  # because the old scan does not say which way y points
        old_angle = min(metrics.angle(n, material.normal) for n in signs)
        old_likeness = max(metrics.likeness(n, material.normal) for n in signs)
        photo = cv2.imencode(".png", cv2.cvtColor(linear_to_srgb(material.albedo), cv2.COLOR_RGB2BGR))[
            1
        ].tobytes()
        result = scan(photo, ScanOptions(fabric_class=fabric_class))
        encoded = metrics.decoded(result.normal.data) / 127.5 - 1
        length = np.linalg.norm(encoded, axis=2)
        height = relief.height_map(material.albedo, 0.25)
        ours = relief.normal_map(height)
        yield Measure(
            f"{name}: angle to the true normals (°)",
            metrics.angle(ours, material.normal),
            0,
            old_angle,
            old_angle,
        )
        yield Measure(
            f"{name}: correlation with them",
            metrics.likeness(ours, material.normal),
            likeness,
            1,
            old_likeness,
        )
        yield Measure(f"{name}: mean |n| of the file", float(length.mean()), 0.99, 1.01)
        yield Measure(f"{name}: mean nz", float(encoded[..., 2].mean()), 0.9, 1.0)


def _half_way(tile: Tile) -> tuple[int, int]:
    """A shift (down, across) in pixels of about half a tile: whole repeats, so that stripes match."""
    shift = []
    for side, repeat in zip((tile.frame.down, tile.frame.across), tile.repeats[::-1], strict=True):
        count = round(float(np.linalg.norm(side)) / repeat.period) if repeat else 2
        shift.append(round(len(tile.albedo) * max(1, count // 2) / count))
    return shift[0], shift[1]
