"""`python -m fabric photo.jpg -o folder/`: make a folder of maps from a photo of cloth, without a server."""

import argparse
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

from fabric.errors import FabricError
from fabric.folder import write_folder
from fabric.material import FABRIC_CLASSES
from fabric.options import SIZES, ScanOptions
from fabric.packs import FORMATS, PackedFabric, make_pack
from fabric.scanner import Scan, scan


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fabric", description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the maps")
    parser.add_argument("--flash", type=Path, help="the same cloth with the phone's flash")
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
    parser.add_argument(
        "--white-point",
        type=float,
        nargs=3,
        metavar=("R", "G", "B"),
        help="the colour of white paper or a grey card in this light, 1 to 255",
    )
    parser.add_argument(
        "--pack", nargs="+", choices=FORMATS, default=[], help="and write these files, for other programs"
    )
    for step in ("light", "contrast", "normal", "roughness", "ao"):
        parser.add_argument(f"--{step}-strength", type=float, default=1.0, help="0 to 2")
    arguments = vars(parser.parse_args())
    photo, folder, name, formats = (arguments.pop(key) for key in ("photo", "output", "name", "pack"))
    values, flash = arguments.pop("corners"), arguments.pop("flash")
    try:
        corners: Any = list(zip(values[::2], values[1::2], strict=True)) if values else None
        options = ScanOptions(corners=corners, **arguments)
        result = scan(photo.read_bytes(), options, flash and flash.read_bytes())
        write_folder(result, folder, {"name": name or photo.stem})
        _write_packs(result, folder, name or photo.stem, formats)
    except (FabricError, OSError) as error:
        print(f"python -m fabric: {error}", file=sys.stderr)
        return 1
    for advice in result.quality["advice"]:  # type: ignore[attr-defined]
        print(f"To get a better result: {advice}.", file=sys.stderr)
    print(folder)
    return 0


def _write_packs(result: Scan, folder: Path, name: str, formats: list[str]) -> None:
    packed = PackedFabric(
        _slug(name),
        name,
        result.maps,
        result.roughness,
        result.metalness,
        result.material,
        result.tile_aspect,
        result.quality["tile_width_mm"],  # type: ignore[arg-type]
        details={"fabric_class": result.fabric_class, **result.drape, "drape_ranges": result.drape_ranges},
    )
    for file_format in formats:
        pack = make_pack(packed, file_format)
        (folder / pack.filename).write_bytes(pack.data)


def _slug(name: str) -> str:
    """`name` in lower-case words joined by hyphens; letters lose their accents, and are not dropped."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "fabric"


if __name__ == "__main__":
    sys.exit(main())
