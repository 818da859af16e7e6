"""Writes a scan as a folder of files."""

import json
from pathlib import Path

import cv2

from fabric.scanner import Scan
from fabric.sheet import contact_sheet


def write_folder(scan: Scan, folder: Path, details: dict[str, object]) -> None:
    """Write every map, `contact_sheet.jpg`, and `fabric.json`, which `python -m catalog` reads.

    details: further fields of `fabric.json`: the fabric's name, tags, fibre, licence.
    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for role, image in scan.maps.items():
        names[role] = f"{role}.{'png' if image.media_type == 'image/png' else 'jpg'}"
        (folder / names[role]).write_bytes(image.data)
    document = {
        **details,
        "fabric_class": scan.fabric_class,
        "roughness": scan.roughness,
        "metalness": scan.metalness,
        "tile_width_mm": scan.quality["tile_width_mm"],
        **scan.drape,
        "material": scan.material,
        "quality": scan.quality,
        "maps": names,
    }
    (folder / "fabric.json").write_text(json.dumps(document, indent=1) + "\n")
    sheet = cv2.cvtColor(contact_sheet(scan), cv2.COLOR_RGB2BGR)
    (folder / "contact_sheet.jpg").write_bytes(cv2.imencode(".jpg", sheet)[1].tobytes())
