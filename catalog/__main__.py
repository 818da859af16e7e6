"""`python -m catalog`: add folders that `python -m fabric` wrote to a catalog."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from pydantic import ValidationError

from catalog.catalog import BUILT_IN, BUILT_IN_TEXTURES
from catalog.document import Maps
from catalog.errors import CatalogError
from catalog.schema import Fabric, FabricDetails
from catalog.store import Store


def read_scan(folder: Path) -> tuple[FabricDetails, Maps]:
    """A scan's details and maps. The folder's `fabric.json` names a file for each map."""
    document = json.loads((folder / "fabric.json").read_bytes())
    maps = {
        role: ((folder / name).read_bytes(), f"image/{'png' if name.endswith('png') else 'jpeg'}")
        for role, name in document.pop("maps").items()
    }
    return FabricDetails.model_validate(document), maps


def write_built_in(scans: list[Path]) -> list[Fabric]:
    """Replace the built-in catalog by the scanned folders. A folder's name becomes its fabric's id.

    Height and ORM maps are left out: clients do not load them, and they would make the repository larger.
    """
    with tempfile.TemporaryDirectory() as temporary:
        store = Store(Path(temporary))
        fabrics = []
        for scan in scans:
            details, maps = read_scan(scan)
            kept = {role: image for role, image in maps.items() if role not in ("height", "orm")}
            fabrics.append(store.add(details, kept, frozenset(), scan.name))
        shutil.rmtree(BUILT_IN_TEXTURES, ignore_errors=True)
        shutil.copytree(store.textures, BUILT_IN_TEXTURES)
    documents = [f.model_dump(mode="json", exclude_none=True, exclude_computed_fields=True) for f in fabrics]
    BUILT_IN.write_text(json.dumps({"fabrics": documents}, indent=1) + "\n")
    return fabrics


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m catalog", description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path, help="folders written by python -m fabric")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--own", type=Path, help="add them to this folder of saved fabrics")
    target.add_argument("--built-in", action="store_true", help="replace the built-in catalog by them")
    arguments = parser.parse_args()
    try:
        if arguments.built_in:
            fabrics = write_built_in(arguments.scans)
        else:
            taken = frozenset(fabric["id"] for fabric in json.loads(BUILT_IN.read_bytes())["fabrics"])
            fabrics = [Store(arguments.own).add(*read_scan(scan), taken) for scan in arguments.scans]
    except (OSError, json.JSONDecodeError, ValidationError, CatalogError) as error:
        print(f"python -m catalog: {error}", file=sys.stderr)
        return 1
    for fabric in fabrics:
        print(fabric.id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
