"""How good and how fast the fabric scan is, beside the scan that it replaces.

    python -m benchmarks.fabric          # all of it, about five minutes on two cores
    python -m benchmarks.fabric --quick  # fewer photos, no timing

Writes each section's figures to benchmarks/results/fabric.json as it ends, and a picture to
build/benchmarks/. Exits with 1 when a measure lies outside its range. The old scan's steps run on the same
photos in the same run.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from benchmarks.baseline import fabric as baseline
from benchmarks.fabric import metrics
from benchmarks.fabric.materials import CLOTH, jpeg, lights, measured, table_top, texture
from benchmarks.fabric.metrics import Measure
from benchmarks.fabric.speed import serving, speed
from fabric import FabricError, ScanOptions, relief, scan
from fabric.builtin import RECIPES
from fabric.light import equalise, flatness, flatten, linear_to_srgb, srgb_to_linear
from fabric.rectify import find_outline
from fabric.repeat import find_repeats
from fabric.scanner import LIGHT_SIGMA, Tile, make_tile
from fabric.sheet import contact_sheet
from fabric.weaves import DRAFTS, Weave, nap, weave_cloth

GREY = np.array([0.45, 0.42, 0.4]), np.array([0.2, 0.2, 0.24])


@cache
def woven(name: str) -> np.ndarray:
    """A photo of a built-in fabric, (1400, 1400, 3) uint8 RGB."""
    return linear_to_srgb(RECIPES[name].make(3))


def light(quick: bool) -> Iterator[Measure]:
    """Ground-truth albedo under five lights."""
    errors, contrasts, flats, old_errors, spread = [], [], [], [], []
    for name in CLOTH[:2] if quick else (*CLOTH, "tiles"):
        truth = measured(name).albedo
        albedos = []
        for field in lights(len(truth)).values():
            photo = linear_to_srgb(truth * field)
            albedo = equalise(flatten(srgb_to_linear(photo), LIGHT_SIGMA))
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


def periods(quick: bool) -> Iterator[Measure]:
    """Weaves of known period, turned as well, and cloth without one."""
    errors, angles = [], []
    for draft in list(DRAFTS)[: 2 if quick else len(DRAFTS)]:
        for pitch in ((7.3, 8.1), (12.7, 11.4), (17.3, 16.2)):
            weave = Weave(draft, pitch, *GREY, irregular=0.4)
            grey = cv2.cvtColor(linear_to_srgb(weave_cloth(weave, 1400, 3)), cv2.COLOR_RGB2GRAY)
            for turned in (0.0, 6.0):
                matrix = cv2.getRotationMatrix2D((700, 700), -turned, 1)
                square = cv2.warpAffine(grey, matrix, (1400, 1400), flags=cv2.INTER_CUBIC)[188:1212, 188:1212]
                for repeat, truth in zip(find_repeats(square), weave.period, strict=True):
                    errors.append(abs(repeat.period / truth - 1) * 100 if repeat else 100.0)
                    if repeat:
                        x, y = repeat.vector
                        angles.append(
                            abs(np.degrees(np.arctan2(y, x) if x > abs(y) else np.arctan2(-x, y)) - turned)
                        )
    none = [texture("grass"), texture("gravel"), linear_to_srgb(nap(1024, GREY[0], 2))]
    none += [linear_to_srgb(measured("felt").albedo), linear_to_srgb(measured("leather").albedo)]
    found = [r for image in none for r in find_repeats(_grey(image)) if r]
    yield Measure("period error, worst (%)", max(errors), 0, 0.5)
    yield Measure("rotation error, worst (degrees)", max(angles), 0, 0.5)
    yield Measure("periods found where there is none", len(found), 0, 0)


def perspective(quick: bool) -> Iterator[Measure]:
    """Swatches on generated tables, and photos that cloth fills."""
    rng = np.random.default_rng(5)
    errors, missed = [], 0
    count = 4 if quick else 36
    recipes = list(RECIPES)
    for index in range(count):
        cloth = woven(recipes[index % len(recipes)])
        corners = np.array([[330, 250], [1080, 230], [1120, 940], [300, 960]]) + rng.uniform(-90, 90, (4, 2))
        tone = np.array([[168, 140, 105], [70, 62, 58], [225, 224, 220], [120, 128, 132]])[
            (index + index // len(recipes)) % 4  # each cloth on other tables
        ]
        grain = cv2.GaussianBlur(rng.normal(0, 1, (1200, 1400)), (0, 0), sigmaX=12, sigmaY=1.5)
        table = np.clip(tone + 30 * grain[..., None] / grain.std() * 0.15, 0, 255)
        outline = find_outline(table_top(cloth, corners, table, (1200, 1400)))
        if outline is None:
            missed += 1
            continue
        side = min(np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1))
        errors.append(100 * np.linalg.norm(outline.corners - corners, axis=1).max() / side)
    full = [
        linear_to_srgb(measured(name).albedo * field) for name in CLOTH for field in lights(1024).values()
    ]
    full += [woven(name) for name in RECIPES]
    full += [texture(name) for name in ("brick", "grass", "gravel")]
    yield Measure("corner error, worst (% of the side)", max(errors, default=100.0), 0, 1.0)
    yield Measure(f"swatches not found (of {count})", missed, 0, count // 18)
    yield Measure("outlines found where there is none", sum(find_outline(f) is not None for f in full), 0, 0)


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
        code = _grey(linear_to_srgb(material.albedo))
        old = baseline.normal_map(code)[..., ::-1] / 127.5 - 1
        old /= np.linalg.norm(old, axis=2, keepdims=True)
        signs = (old, old * [1, -1, 1])  # whichever way its y points
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


def robustness(quick: bool) -> Iterator[Measure]:
    """Same bytes twice, and photos that are none."""
    photo = jpeg(RECIPES["denim-blue"].make(2))
    yield Measure("byte-identical maps of one photo", float(scan(photo).maps == scan(photo).maps), 1, 1)
    bad = {
        "not an image": b"not an image",
        "1×1": cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes(),
        "42 megapixels": cv2.imencode(".png", np.zeros((6000, 7000), np.uint8))[1].tobytes(),
        "flat colour": cv2.imencode(".jpg", np.full((600, 600, 3), 120, np.uint8))[1].tobytes(),
        "black": cv2.imencode(".jpg", np.zeros((600, 600, 3), np.uint8))[1].tobytes(),
    }
    refused = 0
    for data in bad.values():
        try:
            scan(data)
        except FabricError:
            refused += 1
    yield Measure("bad photos refused with a code", refused, len(bad), len(bad))
    portrait = cv2.imencode(".png", cv2.cvtColor(texture("astronaut"), cv2.COLOR_RGB2BGR))[1].tobytes()
    said = any("not one even fabric" in line for line in scan(portrait).quality["advice"])
    yield Measure("a portrait is called no fabric", float(said), 1, 1)


SECTIONS: tuple[Callable[[bool], Iterator[Measure]], ...] = (
    light, seams, periods, perspective, normals, robustness, speed, serving,
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fabric", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer photos, no timing")
    parser.add_argument("--only", nargs="*", choices=[s.__name__ for s in SECTIONS], help="some sections")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/fabric.json"))
    arguments = parser.parse_args()
    measures: list[Measure] = []
    for section in SECTIONS:
        if arguments.only and section.__name__ not in arguments.only:
            continue
        print(f"\n{section.__name__}: {section.__doc__}", flush=True)
        found = []
        for measure in section(arguments.quick):
            found.append(measure)
            old = f"{measure.old:8.3f}" if measure.old is not None else ""
            limits = f"{measure.low:g} to {measure.high:.4g}"
            verdict = "pass" if measure.passed else "FAIL"
            print(f"  {verdict}  {measure.name:48} {measure.value:8.3f}  ({limits:14}) {old}", flush=True)
        measures += found
        if not arguments.quick:
            _write(arguments.output, section.__name__, found)
    if not arguments.quick and not arguments.only:
        _write_sheet(Path("build/benchmarks/fabric.jpg"))
    failed = [measure.name for measure in measures if not measure.passed]
    print(f"\n{len(measures) - len(failed)} of {len(measures)} in range")
    return 1 if failed else 0


def _write(path: Path, section: str, measures: list[Measure]) -> None:
    """Put a section's figures into the file, beside those of the others."""
    document = json.loads(path.read_text()) if path.exists() else {}
    rows = [
        {
            "name": m.name.strip(),
            "value": round(float(m.value), 4),
            "range": [m.low, None if np.isinf(m.high) else round(float(m.high), 4)],
            "old": None if m.old is None else round(float(m.old), 4),
            "passed": m.passed,
        }
        for m in measures
    ]
    document |= {
        "command": "python -m benchmarks.fabric",
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "opencv": cv2.__version__,
        },
        section: rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _write_sheet(path: Path) -> None:
    """Measured cloth under a shadow, scanned: its contact sheets in one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sheets = []
    for name in ("fabric_weave", "felt", "leather"):
        albedo = measured(name).albedo
        sheets.append(contact_sheet(scan(jpeg(albedo * lights(len(albedo))["shadow"]))))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(sheets), cv2.COLOR_RGB2BGR))


def _half_way(tile: Tile) -> tuple[int, int]:
    """About half a tile down and across, in whole repeats, in pixels: where a plaid has the same stripes."""
    shift = []
    for side, repeat in zip((tile.frame.down, tile.frame.across), tile.repeats[::-1], strict=True):
        count = round(float(np.linalg.norm(side)) / repeat.period) if repeat else 2
        shift.append(round(len(tile.albedo) * max(1, count // 2) / count))
    return shift[0], shift[1]


def _grey(image: np.ndarray) -> np.ndarray:
    side = min(image.shape[:2])
    return cv2.cvtColor(image[:side, :side], cv2.COLOR_RGB2GRAY)


if __name__ == "__main__":
    sys.exit(main())
