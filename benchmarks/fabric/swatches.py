"""Swatches to look at: of each the photo, its tile three by three, and a ball of the scanned cloth.

python -m benchmarks.fabric.swatches --seed 7    # build/benchmarks/swatches.jpg, two minutes
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from benchmarks.fabric.photographed import NAMES
from benchmarks.fabric.sheets import LIGHTS, make_sheet, photograph
from fabric import Scan, ScanOptions, scan
from fabric.sheet import light_sphere
from fabric.shrink import shrink

CELL = 240
COLUMNS = 2  # swatches in a row
_CAPTION = 22


def swatch(number: int, seed: int) -> np.ndarray:
    """One row of three pictures with its name, (CELL + _CAPTION, 3 × CELL, 3) uint8 RGB."""
    name, light = NAMES[number % len(NAMES)], LIGHTS[number % len(LIGHTS)]
    sheet = make_sheet(name, 100 * seed + number)
    photo = photograph(sheet, light, 100 * seed + number)
    result = scan(photo.file, ScanOptions(size=1024, fabric_class=sheet.fabric_class))
    row = np.hstack([fitted(photo.pixels), *shown(result)])
    caption = np.full((_CAPTION, row.shape[1], 3), 255, np.uint8)
    text = f"{number + 1} {name}, {light}, step over the border {result.quality['wrap_ratio']:.2f}"
    cv2.putText(caption, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([caption, row])


def shown(result: Scan) -> tuple[np.ndarray, np.ndarray]:
    """The tile three by three, and the ball, (CELL, CELL, 3) uint8 RGB each."""
    maps = {
        role: cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_UNCHANGED)
        for role, image in result.maps.items()
    }
    maps = {role: it if it.ndim == 2 else it[..., ::-1] for role, it in maps.items()}
    across = CELL // 3
    down = max(1, round(across / result.tile_aspect))  # a tile keeps its proportions on the cloth
    tile = shrink(np.ascontiguousarray(maps["diffuse"]), across, down)
    repeated = np.tile(tile, (-(-CELL // down), 3, 1))[:CELL, :CELL]
    ball = light_sphere(maps, result.roughness, repeat=2)
    return repeated, shrink(ball, CELL, CELL)


def fitted(pixels: np.ndarray) -> np.ndarray:
    """The middle square of a photo at the cell's size."""
    side = min(pixels.shape[:2])
    top, left = (np.array(pixels.shape[:2]) - side) // 2
    return shrink(np.ascontiguousarray(pixels[top : top + side, left : left + side]), CELL, CELL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fabric.swatches", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws tables, cameras, shadows and cloths anew")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/swatches.jpg"))
    arguments = parser.parse_args()
    rows = [swatch(number, arguments.seed) for number in range(arguments.count)]
    rows += [np.full_like(rows[0], 255)] * (-len(rows) % COLUMNS)
    page = np.vstack([np.hstack(rows[begin : begin + COLUMNS]) for begin in range(0, len(rows), COLUMNS)])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.output), cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
    print(arguments.output)


if __name__ == "__main__":
    main()
