"""`python -m fabric photo.jpg -o folder/`: make a folder of maps from a photo of cloth, without a server."""

import argparse
import sys
from pathlib import Path
from typing import Any

from fabric.errors import FabricError
from fabric.folder import write_folder
from fabric.material import FABRIC_CLASSES
from fabric.options import SIZES, ScanOptions
from fabric.scanner import scan


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fabric", description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the maps")
    parser.add_argument("--name", help="the fabric's name (default: the photo's file name)")
    parser.add_argument("--fabric-class", choices=sorted(FABRIC_CLASSES), default="cloth")
    parser.add_argument("--size", type=int, choices=SIZES, default=1024)
    parser.add_argument("--format", choices=("jpeg", "png"), default="jpeg")
    parser.add_argument("--physical-width-mm", type=float, help="width of the photographed cloth")
    parser.add_argument(
        "--corners",
        type=float,
        nargs=8,
        metavar="V",
        help="the swatch's four corners, x and y of each from 0 to 1",
    )
    for step in ("light", "contrast", "normal", "roughness", "ao"):
        parser.add_argument(f"--{step}-strength", type=float, default=1.0, help="0 to 2")
    arguments = vars(parser.parse_args())
    photo, folder, name = (arguments.pop(key) for key in ("photo", "output", "name"))
    values = arguments.pop("corners")
    try:
        corners: Any = list(zip(values[::2], values[1::2], strict=True)) if values else None
        result = scan(photo.read_bytes(), ScanOptions(corners=corners, **arguments))
        write_folder(result, folder, {"name": name or photo.stem})
    except (FabricError, OSError) as error:
        print(f"python -m fabric: {error}", file=sys.stderr)
        return 1
    for advice in result.quality["advice"]:  # type: ignore[attr-defined]
        print(f"To get a better result: {advice}.", file=sys.stderr)
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
