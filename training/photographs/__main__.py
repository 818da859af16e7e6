"""Make scenes: `python -m training.photographs render`; what they are: training/photographs/README.md."""

import argparse
import logging
import os
import shutil
import signal
import sys
import time
from itertools import product
from pathlib import Path

from serving.command_line import run
from training.arguments import positive

log = logging.getLogger("photographs")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.photographs", description=__doc__)
    parser.add_argument(
        "command",
        choices=["render", "assets", "scenes"],
        help="render geometries; fetch the environments alone; write validation photographs as files",
    )
    parser.add_argument("--folder", type=Path, default=Path("build/photographs"))
    parser.add_argument("--first", type=int, default=0, help="number of the first geometry")
    parser.add_argument("--count", type=positive, help="how many geometries (5000) or photographs (24)")
    parser.add_argument("--samples", type=positive, default=16, help="samples a pixel")
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="of the pictures' sides (default: 1); 0.5 is enough for the light reader, 2 shows hands",
    )
    parser.add_argument(
        "--views", type=positive, default=1, help="of each person, from other places and in other lights (1)"
    )
    arguments = parser.parse_args()
    if not 0.25 <= arguments.scale <= 3:
        parser.error("--scale must be 0.25 to 3")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    folder = arguments.folder
    if arguments.command == "scenes":
        from training.photographs.dataset import Photographs
        from training.photographs.export import write_scenes

        write_scenes(Photographs(folder, "validation"), folder / "scenes", arguments.count or 24)
        return
    from training.photographs import assets

    assets.prepare(folder / "environments")
    if arguments.command == "render":
        numbers = range(arguments.first, arguments.first + (arguments.count or 5000))
        render(folder, numbers, arguments.samples, arguments.threads, arguments.scale, arguments.views)


def render(
    folder: Path, numbers: range, samples: int, threads: int, scale: float = 1.0, views: int = 1
) -> None:
    """Render each geometry that is not there yet. Stops after the present one at SIGTERM."""
    from training.photographs import blender, generator, numbering, storage

    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    _sweep(folder)
    quality = generator.Quality(samples=samples, threads=threads, scale=scale)
    for number, view in product(numbers, range(views)):
        place = folder / numbering.split_of(number) / numbering.folder_name(number, view)
        skipped = place.with_name(f".{place.name}.skipped")
        if place.exists() or skipped.exists():
            continue
        if stop:
            log.info("stopped before %s", place.name)
            return
        began = time.perf_counter()
        blender.start(threads)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            geometry = generator.render_geometry(number, quality, view)
        except ValueError as error:
            log.info("%s is left out: %s", place.name, error)
            skipped.write_text(str(error))
            continue
        storage.write_geometry(place, geometry)
        log.info("%s in %.0f s", place.name, time.perf_counter() - began)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left."""
    for partial in folder.glob("*/.*.partial"):
        owner = int(partial.name.split(".")[-2])
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            shutil.rmtree(partial, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run("photographs", main, "stopped by Ctrl-C; the same command goes on", (OSError, ValueError)))
